"""Reads a matrix of numbers from a MATLAB file of versions 5 to 7.

scipy has a reader of all that such files can hold. It is a compiled one that believes what a file
says of itself, and a changed byte ends the process; a matrix of real numbers takes a page.
"""

from __future__ import annotations

__all__ = ["read_matrix"]

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqmdn.reading import LARGEST_STREAM, inflate

_HEADER = 128  # bytes; the last two say in which order numbers are kept
_ORDERS = {b"IM": "<", b"MI": ">"}
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {
    **{1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4"},
    **{7: "f4", 9: "f8", 12: "i8", 13: "u8"},
}
_CLASSES = range(6, 16)  # of arrays of numbers: double, single, and the whole ones
_COMPLEX = 0x800


class _Variable(NamedTuple):
    name: str
    shape: tuple[int, ...]
    flags: int
    parts: Iterator[tuple[int, bytes]]


def read_matrix(path: Path, name: str) -> NDArray[np.float64]:  # (rows, columns)
    """Gives a matrix of real numbers by its name.

    Raises:
        ValueError: If this is no such file, is cut off, has no such matrix, or has a variable that
            would take more than ``seqmdn.reading.LARGEST_STREAM`` bytes.

    References:
        MAT-File Format (The MathWorks), https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf
    """
    content = path.read_bytes()
    order = _ORDERS.get(content[_HEADER - 2 : _HEADER], "")
    found: NDArray[np.float64] | None = None
    there: list[str] = []
    try:
        if not order:
            raise ValueError("no header")
        for variable in _variables(content[_HEADER:], order, str(path)):
            there.append(variable.name)
            if variable.name == name:
                found = _matrix(variable, order)
    except (ValueError, EOFError, zlib.error, struct.error) as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(
            f"{path}: expected a whole MATLAB file of version 7 or before, found one that is cut "
            f"off or holds something else ({error}): download it again, or save it with -v7"
        ) from error
    if name not in there:
        raise ValueError(
            f"{path}: expected a matrix {name!r}, found {', '.join(there) or 'none'}: download it "
            "again"
        )
    if found is None:
        raise ValueError(f"{path}: expected a matrix {name!r} of real numbers, found another kind")
    return found


def _variables(content: bytes, order: str, where: str) -> Iterator[_Variable]:
    for kind, body in _elements(content, order):
        if kind == _COMPRESSED:
            unpacked = inflate(body, where, LARGEST_STREAM)
            ((kind, body),) = _elements(unpacked, order)
        if kind != _MATRIX:
            raise ValueError(f"an element of type {kind}")
        parts = _elements(body, order)
        try:
            (_, flags), (_, sizes), (_, name) = next(parts), next(parts), next(parts)
        except StopIteration:
            raise ValueError("a variable without a name") from None
        shape = tuple(np.frombuffer(sizes, f"{order}i4").tolist())
        yield _Variable(
            name.decode("latin-1"), shape, struct.unpack_from(f"{order}I", flags)[0], parts
        )


def _elements(content: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Gives the type and the bytes of each element; those of up to 4 bytes lie in its head."""
    place = 0
    while place < len(content):
        kind, size = struct.unpack_from(f"{order}II", content, place)
        small = kind >> 16
        first = place + (4 if small else 8)
        if small:
            kind, size = kind & 0xFFFF, small
        if size > (4 if small else len(content) - first):
            raise ValueError(f"an element of {size} bytes")
        yield kind, content[first : first + size]
        padded = size if kind == _COMPRESSED else -(-size // 8) * 8
        place += 8 if small else 8 + padded


def _matrix(variable: _Variable, order: str) -> NDArray[np.float64] | None:
    """Gives the matrix, None where it is of another kind."""
    plain = variable.flags & 0xFF in _CLASSES and not variable.flags & _COMPLEX
    if not plain or len(variable.shape) != 2:
        return None
    kind, numbers = next(variable.parts, (0, b""))
    if kind not in _NUMBERS or min(variable.shape) < 0:
        raise ValueError(f"numbers of type {kind}")
    values = np.frombuffer(numbers, order + _NUMBERS[kind])
    if len(values) != math.prod(variable.shape):
        raise ValueError(f"{len(values)} numbers of a matrix of shape {variable.shape}")
    return values.astype(np.float64).reshape(variable.shape, order="F")
