"""Small files in the layouts of MNIST and CIFAR-10."""

import gzip
import pickle
import struct
from pathlib import Path

import numpy as np

TRAIN, TEST = 40, 6


def idx(array: np.ndarray, count: int | None = None, magic: int | None = None) -> bytes:
    """An idx file, written by hand: big-endian sizes, then bytes."""
    head = 0x0800 + array.ndim if magic is None else magic
    sizes = (len(array) if count is None else count, *array.shape[1:])
    return struct.pack(f">{1 + array.ndim}I", head, *sizes) + array.tobytes()


def digits(number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (number, 28, 28)).astype(np.uint8)
    return images, rng.integers(0, 10, number).astype(np.uint8)


def write_mnist(folder: Path, packed: bool = False, dotted: bool = False) -> Path:
    folder.mkdir(exist_ok=True)
    for prefix, number in (("train", TRAIN), ("t10k", TEST)):
        for array, kind in zip(digits(number, number), ("images-idx3", "labels-idx1"), strict=True):
            name = f"{prefix}-{kind}-ubyte"
            name = name.replace("-idx", ".idx") if dotted else name
            content = idx(array)
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)
    return folder


def photographs(number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 32, 32, 3) and labels."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (number, 32, 32, 3)).astype(np.uint8), rng.integers(0, 10, number)


def planes(images: np.ndarray) -> np.ndarray:
    """All red, then all green, then all blue of each image."""
    return np.stack([images[..., channel].reshape(len(images), -1) for channel in range(3)], 1)


def write_binary(folder: Path, packed: bool = False) -> Path:
    folder.mkdir(exist_ok=True)
    for name, number in (("data_batch_1", TRAIN), ("data_batch_3", 5), ("test_batch", TEST)):
        images, labels = photographs(number, number)
        records = zip(labels, planes(images), strict=True)
        content = b"".join(bytes([label]) + each.tobytes() for label, each in records)
        if packed:
            (folder / f"{name}.bin.gz").write_bytes(gzip.compress(content))
        else:
            (folder / f"{name}.bin").write_bytes(content)
    return folder


def write_pickled(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for name, number in (("data_batch_1", TRAIN), ("data_batch_3", 5), ("test_batch", TEST)):
        images, labels = photographs(number, number)
        batch = {
            b"batch_label": b"a batch",
            b"data": planes(images).reshape(number, -1),
            b"labels": labels.tolist(),
            b"filenames": [b"a.png"] * number,
        }
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    return folder
