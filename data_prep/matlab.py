"""Reads a matrix of numbers from a MATLAB file of version 5; nothing is guessed."""

from __future__ import annotations

__all__ = ["read_matrix"]

import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
# What numbers are kept as, by the type of a data element.
_TYPES = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
_NUMBERS = range(6, 16)  # classes of arrays that are numbers, of any width
_COMPLEX = 0x0800


def read_matrix(path: Path, name: str) -> NDArray[np.float64]:  # (rows, columns)
    """Gives a matrix of real numbers by its name.

    Raises:
        ValueError: If this is no such file, is cut off, or has no such matrix.

    References:
        MAT-File Format (The MathWorks), level 5.
    """
    content = path.read_bytes()
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None or content[124:126] != struct.pack(f"{order}H", 0x0100):
        raise ValueError(
            f"{path}: expected a MATLAB file of version 5, found other bytes: download it again, "
            "or save it with -v7"
        )
    found = []
    try:
        for element in _elements(content[_HEADER:], order):
            if element.kind == _COMPRESSED:
                (element,) = _elements(zlib.decompress(element.data), order)
            if element.kind != _MATRIX:
                continue
            named, matrix = _matrix(element.data, order)
            if named == name:
                return matrix
            found.append(named)
    except (struct.error, zlib.error, ValueError, IndexError) as error:
        raise ValueError(
            f"{path}: expected a whole MATLAB file with a matrix {name!r} of real numbers, found "
            f"one that is cut off or holds something else ({error}): download it again"
        ) from error
    raise ValueError(
        f"{path}: expected a matrix {name!r}, found {', '.join(found) or 'none'}: download it again"
    )


class _Element(NamedTuple):
    kind: int
    data: bytes


def _elements(content: bytes, order: str) -> list[_Element]:
    """Takes a run of data elements apart."""
    found, place = [], 0
    while place < len(content):
        kind, size = struct.unpack_from(f"{order}II", content, place)
        if kind >> 16:  # the small form: four bytes or less beside their own length
            kind, size, start, place = kind & 0xFFFF, kind >> 16, place + 4, place + 8
            if size > 4:
                raise ValueError(f"a small element of {size} bytes")
        else:
            start = place + 8
            # Each begins at a multiple of 8 bytes; compressed ones follow each other closely.
            place = start + (size if kind == _COMPRESSED else -(-size // 8) * 8)
        data = content[start : start + size]
        if len(data) != size:
            raise ValueError(f"{len(data)} of {size} bytes")
        found.append(_Element(kind, data))
    return found


def _matrix(content: bytes, order: str) -> tuple[str, NDArray[np.float64]]:
    """Gives a matrix and its name; an empty one where it holds no real numbers."""
    flags, shape, name, *parts = _elements(content, order)
    (flag, _) = struct.unpack(f"{order}II", flags.data)
    named = name.data.decode("ascii")
    if flag & 0xFF not in _NUMBERS or flag & _COMPLEX:
        return named, np.empty((0, 0))
    sizes = struct.unpack(f"{order}{len(shape.data) // 4}i", shape.data)
    if len(parts) != 1 or parts[0].kind not in _TYPES or len(sizes) != 2:
        raise ValueError(f"{named!r} of sizes {sizes} in {len(parts)} parts")
    numbers = np.frombuffer(parts[0].data, np.dtype(_TYPES[parts[0].kind]).newbyteorder(order))
    return named, numbers.reshape(sizes, order="F").astype(np.float64)
