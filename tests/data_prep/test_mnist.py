"""MNIST: the owner's files become rows of levels, their split and their labels."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep.mnist import main, prepare
from seqmdn.data import SPLITS, Store, file_sha256
from tests.data_prep.pictures import TEST, TRAIN, digits, idx, write_mnist


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_mnist(tmp_path / "mnist")


@pytest.mark.parametrize(("packed", "dotted"), [(False, False), (True, False), (False, True)])
def test_images_are_rows_in_the_owners_order(tmp_path: Path, packed: bool, dotted: bool) -> None:
    said = prepare(write_mnist(tmp_path / "m", packed, dotted), tmp_path / "a.h5")
    store = Store(tmp_path / "a.h5")
    assert said == ["train: 40 of 40 images", "test: 6 of 6 images"]
    assert [len(store.indices(split)) for split in SPLITS] == [38, 2, 6]
    parts = [digits(number, number) for number in (TRAIN, TEST)]
    images, labels = (np.concatenate(both) for both in zip(*parts, strict=True))
    for index in range(TRAIN + TEST):
        np.testing.assert_array_equal(store.read(index)[0], images[index])
        assert store.text(index) == str(labels[index])
    assert set(store.splits[TRAIN:]) == {2} and not store.context_names
    attributes = store.attributes
    assert (attributes["kind"], attributes["step"], attributes["levels"]) == ("image", "row", 256)
    assert (attributes["height"], attributes["width"], attributes["channels"]) == (28, 28, 1)
    assert attributes["complete"] and len(attributes["source"]) == 4


def test_the_seed_takes_the_validation_part(source: Path, tmp_path: Path) -> None:
    prepare(source, tmp_path / "a.h5", valid=0.25)
    prepare(source, tmp_path / "b.h5", valid=0.25)
    prepare(source, tmp_path / "c.h5", valid=0.25, seed=1)
    a, c = Store(tmp_path / "a.h5"), Store(tmp_path / "c.h5")
    assert file_sha256(tmp_path / "b.h5") == a.sha256
    assert len(a.indices("valid")) == len(c.indices("valid")) == 10
    assert (a.splits != c.splits).any() and (a.splits[TRAIN:] == c.splits[TRAIN:]).all()
    assert a.attributes["command"].endswith("--seed 0 --valid 0.25")


def test_labels_are_a_context_of_every_row(source: Path, tmp_path: Path) -> None:
    main(["--source", str(source), "--out", str(tmp_path / "a.h5"), "--labels"])
    store = Store(tmp_path / "a.h5")
    assert store.context_names == [f"digit {number}" for number in range(10)]
    assert store.name == "mnist_labels" and store.attributes["command"].endswith("--labels")
    for index in range(len(store)):
        context = store.read(index)[1]
        assert context is not None
        expected = np.eye(10)[int(store.text(index) or "")]
        np.testing.assert_array_equal(context, np.tile(expected, (28, 1)))


def test_bits_are_drawn_as_often_as_the_level_says(tmp_path: Path) -> None:
    source = write_mnist(tmp_path / "m")
    levels = np.tile(np.linspace(0, 255, 28).round().astype(np.uint8), (TRAIN, 28, 1))
    (source / "train-images-idx3-ubyte").write_bytes(idx(levels))
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        prepare(source, tmp_path / f"{name}.h5", seed=seed, binarise=True)
    store = Store(tmp_path / "a.h5")
    bits = np.stack([store.read(index)[0] for index in range(TRAIN)])
    assert set(np.unique(bits)) == {0, 1} and store.attributes["levels"] == 2
    np.testing.assert_allclose(bits.mean((0, 1)), levels[0, 0] / 255, atol=4 * 0.5 / 1120**0.5)
    assert (bits[..., 0] == 0).all() and (bits[..., -1] == 1).all()
    assert Store(tmp_path / "b.h5").sha256 == store.sha256 != Store(tmp_path / "c.h5").sha256
    assert store.unit == "bit" and store.name == "mnist_binarised"


def test_what_was_cut_short_is_counted(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, _ = digits(TRAIN, TRAIN)
    (source / "train-images-idx3-ubyte").write_bytes(idx(images[:30], count=TRAIN))
    main(["--source", str(source), "--out", str(tmp_path / "a.h5")])
    assert "train: 30 of 40 images\ntest: 6 of 6 images" in capsys.readouterr().out
    assert len(Store(tmp_path / "a.h5")) == 36
    assert not Store(tmp_path / "a.h5").attributes["complete"]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s: (s / "t10k-labels-idx1-ubyte").unlink(), "expected t10k-labels-idx1-ubyte or"),
        (
            lambda s: (s / "train-labels-idx1-ubyte").write_bytes(
                idx(np.full(TRAIN, 10, np.uint8))
            ),
            "train: expected labels from 0 to 9, found 10 at image 0",
        ),
        (
            lambda s: (s / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(7, np.uint8))),
            "expected as many images as .* has labels, 7, found 40",
        ),
        (
            lambda s: (s / "train-images-idx3-ubyte").write_bytes(idx(digits(40, 0)[0])[:-3]),
            "expected 31360 bytes .*found 31357",
        ),
    ],
)
def test_another_source_is_one_line(
    source: Path, tmp_path: Path, edit: Callable[[Path], object], message: str
) -> None:
    edit(source)
    with pytest.raises(SystemExit, match=f"^data_prep.mnist: .*{message}") as error:
        main(["--source", str(source), "--out", str(tmp_path / "a.h5")])
    assert "\n" not in str(error.value) and not (tmp_path / "a.h5").exists()


def test_a_share_that_leaves_a_part_empty_is_refused(source: Path, tmp_path: Path) -> None:
    for share in (0.0, 1.0, float("nan")):
        with pytest.raises(ValueError, match="share of validation above 0 and below 1, found"):
            prepare(source, tmp_path / "a.h5", valid=share)
    with pytest.raises(ValueError, match="expected enough images for training, validation and"):
        prepare(source, tmp_path / "a.h5", valid=0.01)


def test_the_real_files_are_whole(data_root: Path, tmp_path: Path) -> None:
    said = prepare(data_root / "mnist", tmp_path / "a.h5")
    store = Store(tmp_path / "a.h5")
    assert said == ["train: 60000 of 60000 images", "test: 10000 of 10000 images"]
    assert [len(store.indices(split)) for split in SPLITS] == [57_000, 3_000, 10_000]
    assert [store.text(index) for index in range(5)] == ["5", "0", "4", "1", "9"]
    first = store.read(0)[0]  # known sums of the first image: it is not shifted or turned
    assert first.sum() == 27_525 and first[:5].sum() == 0 and first[5, 12:18].tolist()[0] == 3
