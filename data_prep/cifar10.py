"""Writes CIFAR-10, photographs of 32 x 32 pixels in ten classes, as sequences of their rows.

Reads the owner's binary batches (``data_batch_1.bin`` to ``data_batch_5.bin``, ``test_batch.bin``,
compressed or not) or his pickled ones (``data_batch_1``, ..., ``test_batch``), which
:mod:`data_prep.object_arrays` reads without running any: 50,000 images for training, of which a
share is for validation, and 10,000 for the test. Batches that are missing, and images behind a cut
between two of them, are left out, and counted. Split, labels and frames: ``data_prep.images``.

    python -m data_prep.cifar10 --source FOLDER --out data/cifar10.h5
    python -m data_prep.cifar10 --source FOLDER --labels --out data/cifar10_labels.h5

Learning Multiple Layers of Features from Tiny Images (Krizhevsky, 2009).
"""

from __future__ import annotations

__all__ = ["CLASSES", "prepare"]

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_prep.idx import read_bytes
from data_prep.images import VALID, ImageSet, add_options, write_images
from data_prep.object_arrays import read_pickled_arrays
from data_prep.sources import command_line, origin, run

SIZE, CHANNELS, EACH = 32, 3, 10_000
PIXELS = CHANNELS * SIZE * SIZE
CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
TRAIN, TEST = tuple(f"data_batch_{number}" for number in range(1, 6)), ("test_batch",)


def prepare(
    source: Path, out: Path, seed: int = 0, valid: float = VALID, labels: bool = False
) -> list[str]:
    """Writes the store from the folder of the batches; says how many images were found.

    Raises:
        FileNotFoundError: If there is no batch for training or none for the test.
        ValueError: If a batch is damaged or of other data.
    """
    train, test = _find(source, TRAIN), _find(source, TEST)
    return write_images(
        out,
        _read(train, len(TRAIN)),
        _read(test, len(TEST)),
        classes=CLASSES,
        word="class",
        seed=seed,
        valid=valid,
        labels=labels,
        name="cifar10_labels" if labels else "cifar10",
        source=[origin(path) for path in [*train, *test]],
        licence="not stated by its owner; for research, not to be redistributed",
        command="python -m data_prep.cifar10 --source $SEQMDN_DATA/cifar-10-batches-bin "
        f"--seed {seed} --valid {valid:g}{' --labels' if labels else ''}",
    )


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    parser = command_line(
        "cifar10", "CIFAR-10, row by row,", "the batches", folder="cifar-10-batches-bin"
    )
    add_options(parser)
    run(parser, prepare, arguments)


def _find(source: Path, names: tuple[str, ...]) -> list[Path]:
    """Gives the batches of these names that are there: binary ones, or else pickled ones."""
    for endings in ((".bin", ".bin.gz"), ("",)):
        both = [[source / f"{name}{ending}" for ending in endings] for name in names]
        found = [next((path for path in paths if path.is_file()), None) for paths in both]
        if any(found):
            return [path for path in found if path is not None]
    raise FileNotFoundError(
        f"expected {names[0]}.bin or {names[0]} in {source}, found neither: unpack "
        "cifar-10-binary.tar.gz or cifar-10-python.tar.gz, and give its folder as --source"
    )


def _read(paths: list[Path], batches: int) -> ImageSet:
    found = [_pickled(path) if not path.name.partition(".")[2] else _binary(path) for path in paths]
    pixels = np.concatenate([each for each, _ in found])
    images = pixels.reshape(-1, CHANNELS, SIZE, SIZE).transpose(0, 2, 3, 1)
    labels = np.concatenate([each for _, each in found])
    return ImageSet(np.ascontiguousarray(images), labels, batches * EACH)


def _binary(path: Path) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    content = read_bytes(path)
    record = 1 + PIXELS
    if len(content) % record or not 0 < len(content) <= EACH * record:
        raise ValueError(
            f"{path}: expected {EACH * record} bytes ({EACH} records of {record}), or fewer whole "
            f"records where it is cut short, found {len(content)}: download it again"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, record)
    return records[:, 1:], records[:, 0]


def _pickled(path: Path) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    found = read_pickled_arrays(path, ("data", "labels"))
    data, labels = found["data"], found["labels"]
    if data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != PIXELS:
        raise ValueError(
            f"{path}: expected images uint8 (n, {PIXELS}), found {data.dtype} of shape "
            f"{data.shape}: give the batches as their owner ships them"
        )
    if labels.shape != data.shape[:1] or not 0 < len(data) <= EACH:
        raise ValueError(
            f"{path}: expected 1 to {EACH} images with a label each, found {len(data)} images and "
            f"{len(labels)} labels: download it again"
        )
    return data, labels


if __name__ == "__main__":
    main()
