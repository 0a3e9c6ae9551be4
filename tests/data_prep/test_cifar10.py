"""CIFAR-10: binary and pickled batches become the same rows, with the colour fastest."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep.cifar10 import CLASSES, main, prepare
from seqmdn.data import SPLITS, Store
from tests.data_prep.pictures import TEST, photographs, planes, write_binary, write_pickled

WRITERS = {
    "binary": write_binary,
    "packed": lambda folder: write_binary(folder, packed=True),
    "pickled": write_pickled,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_images_are_rows_with_the_colour_fastest(tmp_path: Path, kind: str) -> None:
    said = prepare(WRITERS[kind](tmp_path / "c"), tmp_path / "a.h5", valid=0.2)
    store = Store(tmp_path / "a.h5")
    assert said == ["train: 45 of 50000 images", "test: 6 of 10000 images"]
    assert [len(store.indices(split)) for split in SPLITS] == [36, 9, 6]
    parts = [photographs(number, number) for number in (40, 5, TEST)]
    images, labels = (np.concatenate(each) for each in zip(*parts, strict=True))
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        np.testing.assert_array_equal(store.read(index)[0], image.reshape(32, 96))
        assert store.text(index) == CLASSES[label]
    assert store.names[:4] == ["red 0", "green 0", "blue 0", "red 1"]
    assert (store.attributes["height"], store.attributes["channels"]) == (32, 3)
    assert not store.attributes["complete"]


def test_labels_are_a_context(tmp_path: Path) -> None:
    source = write_binary(tmp_path / "c")
    main(["--source", str(source), "--out", str(tmp_path / "a.h5"), "--labels"])
    store = Store(tmp_path / "a.h5")
    assert store.context_names == [f"class {name}" for name in CLASSES]
    for index in range(len(store)):
        context = store.read(index)[1]
        assert context is not None and (context.sum(1) == 1).all()
        assert CLASSES[int(context[0].argmax())] == store.text(index)


class Call:
    """Pickles as a call."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("ran",)


def pickled(**entries: object) -> bytes:
    images, labels = photographs(4, 4)
    batch = {"data": planes(images).reshape(4, -1), "labels": labels.tolist()}
    return pickle.dumps({**batch, **entries}, protocol=2)


def without_labels(source: Path) -> None:
    batch = pickle.loads(pickled())
    del batch["labels"]
    (source / "test_batch").write_bytes(pickle.dumps(batch))


@pytest.mark.parametrize(
    ("kind", "edit", "message"),
    [
        (
            "binary",
            lambda s: (s / "test_batch.bin").write_bytes(bytes(3073 * 4 - 1)),
            "expected 30730000 bytes .10000 records of 3073.*, found 12291: down",
        ),
        (
            "binary",
            lambda s: (s / "test_batch.bin").write_bytes(bytes([10]) + bytes(3072)),
            "test: expected labels from 0 to 9, found 10 at image 0",
        ),
        ("binary", lambda s: (s / "test_batch.bin").write_bytes(b""), "found 0: download"),
        ("binary", lambda s: (s / "test_batch.bin").unlink(), "expected test_batch.bin or test_b"),
        (
            "pickled",
            lambda s: (s / "test_batch").write_bytes(pickled(data=np.zeros((4, 3072)))),
            "expected images uint8 .n, 3072., found float64 of shape .4, 3072.",
        ),
        (
            "pickled",
            lambda s: (s / "test_batch").write_bytes(pickled(data=np.zeros((4, 784), np.uint8))),
            "found uint8 of shape .4, 784.",
        ),
        (
            "pickled",
            lambda s: (s / "test_batch").write_bytes(pickled(labels=[1, 2])),
            "found 4 images and 2 labels",
        ),
        (
            "pickled",
            lambda s: (s / "test_batch").write_bytes(pickled(labels=[1.5] * 4)),
            "arrays data, labels, found something else .*nothing of it was run",
        ),
        ("pickled", without_labels, "arrays data, labels, found something else .KeyError"),
        (
            "pickled",
            lambda s: (s / "test_batch").write_bytes(pickled(more=Call())),
            "found something else .UnpicklingError: the name .*mkdir.*nothing of it was run",
        ),
        ("pickled", lambda s: (s / "test_batch").write_bytes(pickled()[:-40]), "something else"),
    ],
)
def test_another_source_is_one_line_and_runs_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    edit: Callable[[Path], object],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    source = WRITERS[kind](tmp_path / "c")
    edit(source)
    with pytest.raises(SystemExit, match=f"^data_prep.cifar10: .*{message}") as error:
        main(["--source", str(source), "--out", str(tmp_path / "a.h5")])
    assert "\n" not in str(error.value)
    assert not (tmp_path / "a.h5").exists() and not (tmp_path / "ran").exists()


def test_the_real_batches_are_said_to_be_some_of_them(data_root: Path, tmp_path: Path) -> None:
    said = prepare(data_root / "cifar-10-batches-bin", tmp_path / "a.h5")
    store = Store(tmp_path / "a.h5")
    assert said == ["train: 20000 of 50000 images", "test: 1000 of 10000 images"]
    assert [len(store.indices(split)) for split in SPLITS] == [19_000, 1_000, 1_000]
    # The first training image is a frog on brown ground, its first pixel (59, 62, 63).
    assert store.text(0) == "frog" and store.read(0)[0][0, :3].tolist() == [59, 62, 63]
