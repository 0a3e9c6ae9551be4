"""Rows with their classes: every row there, each class split alike, features as they are."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from data_prep import digits as rows_of_digits
from data_prep import labelled_rows
from data_prep.labelled_rows import main, prepare
from seqmdn.data import SPLITS, Store
from tests.data_prep.pictures import TEST, TRAIN, digits, idx, write_mnist


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(labelled_rows, "VALID", 5)
    return write_mnist(tmp_path / "mnist", packed=True)


def table(store: Store) -> tuple[np.ndarray, np.ndarray | None]:
    rows = [store.read(index) for index in range(len(store))]
    context = None if rows[0][1] is None else np.concatenate([row[1] for row in rows])
    return np.concatenate([row[0] for row in rows]), context


@pytest.mark.parametrize(("dataset", "shares"), [("iris", (60, 10, 30)), ("digits", (75, 5, 20))])
def test_rows_of_sklearn(tmp_path: Path, dataset: str, shares: tuple[int, ...]) -> None:
    prepare(dataset, tmp_path / "a.h5")
    prepare(dataset, tmp_path / "b.h5", joint=True)
    found = getattr(sklearn.datasets, f"load_{dataset}")()
    store, joint = Store(tmp_path / "a.h5"), Store(tmp_path / "b.h5")
    values, context = table(store)
    np.testing.assert_array_equal(values[:, 0], found.target)
    np.testing.assert_array_equal(context, found.data.astype(np.float32))
    both, none = table(joint)
    np.testing.assert_array_equal(both, np.concatenate([context, values], 1))
    assert none is None and joint.names == [*store.context_names, "class"]
    assert (store.splits == joint.splits).all() and store.names == ["class"]
    for number, share in enumerate(shares):
        for target in np.unique(found.target):
            own = (found.target == target) & (store.splits == number)
            assert own.sum() == pytest.approx(share / 100 * (found.target == target).sum(), abs=1)
    prepare(dataset, tmp_path / "c.h5", seed=1)
    assert (Store(tmp_path / "c.h5").splits != store.splits).any()


def test_digits_are_split_as_their_rows_are(tmp_path: Path) -> None:
    prepare("digits", tmp_path / "a.h5", seed=3)
    rows_of_digits.prepare(tmp_path / "b.h5", seed=3)
    assert (Store(tmp_path / "a.h5").splits == Store(tmp_path / "b.h5").splits).all()


def test_images_keep_the_owners_order(source: Path, tmp_path: Path) -> None:
    said = prepare("mnist", tmp_path / "a.h5", source)
    store = Store(tmp_path / "a.h5")
    assert said == [f"{TRAIN - 5}/5/{TEST} rows for training, validation and the test"]
    parts = [digits(number, number) for number in (TRAIN, TEST)]
    images, labels = (np.concatenate(both) for both in zip(*parts, strict=True))
    values, context = table(store)
    np.testing.assert_array_equal(values[:, 0], labels)
    np.testing.assert_array_equal(context, images.reshape(-1, 784))
    assert set(store.splits[:TRAIN]) == {0, 1} and set(store.splits[TRAIN:]) == {2}
    prepare("mnist", tmp_path / "b.h5", source, seed=1)
    assert (Store(tmp_path / "b.h5").splits != store.splits).any()


def test_the_store_says_what_it_is(source: Path, tmp_path: Path) -> None:
    words = ["--dataset", "mnist", "--source", str(source), "--joint"]
    main([*words, "--out", str(tmp_path / "a.h5")])
    store = Store(tmp_path / "a.h5")
    assert store.features == 785 and not store.context_names and store.unit == "pixel level"
    assert store.attributes["classes"] == 10 and store.attributes["class_names"][:7] == "0, 1, 2"
    assert len(store.attributes["source"]) == 4
    assert store.attributes["command"].endswith(
        "--dataset mnist --source $SEQMDN_DATA/mnist --seed 0 --joint"
    )


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s: (s / "t10k-labels-idx1-ubyte.gz").unlink(), "expected t10k-labels-idx1-ubyte"),
        (
            lambda s: (s / "train-labels-idx1-ubyte.gz").write_bytes(
                idx(np.full(TRAIN, 10, np.uint8))
            ),
            "expected labels from 0 to 9, found 10",
        ),
        (
            lambda s: (s / "train-labels-idx1-ubyte.gz").write_bytes(idx(np.zeros(7, np.uint8))),
            "expected 7 images, one for each label, found 40 images",
        ),
        (
            lambda s: (s / "train-images-idx3-ubyte.gz").write_bytes(idx(digits(3, 0)[0])),
            "found 3 images and 40 labels",
        ),
    ],
)
def test_another_source_is_one_line(
    source: Path, tmp_path: Path, edit: Callable[[Path], object], message: str
) -> None:
    edit(source)
    words = ["--dataset", "mnist", "--source", str(source), "--out", str(tmp_path / "a.h5")]
    with pytest.raises(SystemExit, match=f"^data_prep.labelled_rows: .*{message}") as error:
        main(words)
    assert "\n" not in str(error.value) and not (tmp_path / "a.h5").exists()


def test_too_few_images_and_unknown_sets_are_refused(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="expected a data set of iris, digits, mnist, found 'x'"):
        prepare("x", tmp_path / "a.h5")
    monkeypatch.setattr(labelled_rows, "VALID", 40)
    with pytest.raises(ValueError, match="expected more than 40 images for training"):
        prepare("mnist", tmp_path / "a.h5", source)
    monkeypatch.delenv("SEQMDN_DATA", raising=False)
    with pytest.raises(ValueError, match="found neither"):
        prepare("mnist", tmp_path / "a.h5")


def test_the_real_files_are_whole(data_root: Path, tmp_path: Path) -> None:
    prepare("mnist", tmp_path / "a.h5", data_root / "mnist")
    store = Store(tmp_path / "a.h5")
    assert [len(store.indices(split)) for split in SPLITS] == [55_000, 5_000, 10_000]
    values, context = store.read(0)
    assert values.tolist() == [[5.0]] and context is not None and context.sum() == 27_525
