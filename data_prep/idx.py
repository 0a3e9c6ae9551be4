"""The idx format of MNIST: a magic number, sizes, and then bytes, compressed by gzip or not."""

from __future__ import annotations

__all__ = ["Idx", "find_idx", "read_bytes", "read_idx"]

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqmdn.reading import LARGEST_STREAM, gunzip

_BYTES = 0x08  # the code of unsigned bytes
_CODES = {0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}


class Idx(NamedTuple):
    """What an idx file holds.

    Attributes:
        records: (n, ...) uint8, those that are there.
        count: How many there are to be, as the file says; more than n where it was cut short.
    """

    records: NDArray[np.uint8]
    count: int


def find_idx(folder: Path, name: str) -> Path:
    """Gives the file of a name, which may end in .gz, and have a dot before its idx.

    Raises:
        FileNotFoundError: If there is none.
    """
    names = [name, name.replace("-idx", ".idx")]
    for path in (folder / f"{each}{ending}" for each in names for ending in ("", ".gz")):
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"expected {name} or {name}.gz in {folder}, found neither: download it, and give its "
        "folder as --source"
    )


def read_bytes(path: Path) -> bytes:
    """Reads a file whole, uncompressed if it begins as gzip does, whatever its name.

    Raises:
        ValueError: If it is compressed and not whole, or would take more than
            ``seqmdn.reading.LARGEST_STREAM`` bytes.
    """
    content = path.read_bytes()
    if content[:2] != b"\x1f\x8b":
        return content
    return gunzip(content, str(path), LARGEST_STREAM)


def read_idx(path: Path, shape: tuple[int, ...] = ()) -> Idx:
    """Reads records of bytes, such as images of 28 x 28 or labels.

    Args:
        path: The file.
        shape: Of one record.

    Raises:
        ValueError: If it is no such file, its records have another type or size, or it ends inside
            of one, or goes on behind the last.
    """
    content = read_bytes(path)
    magic, sizes = content[:4], 1 + len(shape)
    expected = bytes([0, 0, _BYTES, sizes])
    if magic != expected:
        of = ""
        if len(magic) == 4 and magic[:2] == b"\0\0" and magic[2] in _CODES:
            of = f", which is of {_CODES[magic[2]]}"
        raise ValueError(
            f"{path}: expected the magic number {expected.hex()} (idx, unsigned bytes, {sizes} "
            f"dimensions), found {magic.hex() or 'an empty file'}{of}: give the file as its owner "
            "ships it"
        )
    first = 4 + 4 * sizes
    if len(content) < first:
        raise ValueError(
            f"{path}: expected a header of {first} bytes, found a file of {len(content)}: download "
            "it again"
        )
    count, *found = np.frombuffer(content, ">u4", sizes, offset=4).tolist()
    if tuple(found) != shape:
        raise ValueError(
            f"{path}: expected records of {_size(shape)}, found {_size(tuple(found))}: give the "
            "file of another data set to its own preparation"
        )
    record = math.prod(shape)
    held = len(content) - first
    if held % record or held > count * record:
        raise ValueError(
            f"{path}: expected {count * record} bytes ({count} records of {record}) behind the "
            f"header, or whole records where it is cut short, found {held}: download it again"
        )
    records = np.frombuffer(content, np.uint8, offset=first)
    return Idx(records.reshape(held // record, *shape), count)


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "1"
