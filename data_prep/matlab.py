"""Reads a matrix of numbers from a MATLAB file, by scipy."""

from __future__ import annotations

__all__ = ["read_matrix"]

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqmdn.reading import LARGEST_STREAM, inflate

_HEADER = 128  # bytes
_COMPRESSED = 15  # the type of a variable that is a zlib stream


def read_matrix(path: Path, name: str) -> NDArray[np.float64]:  # (rows, columns)
    """Gives a matrix of real numbers by its name.

    Raises:
        ModuleNotFoundError: If scipy is not installed.
        ValueError: If this is no such file (of MATLAB's version 7 or before), is cut off, or has no
            such matrix.
    """
    try:
        from scipy import io
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "MATLAB files are read with scipy, which is not installed: pip install "
            "'seqmdn[sklearn]'"
        ) from error
    try:
        _check_size(path)
        found = io.loadmat(path, variable_names=[name])
        there = [each for each, _, _ in io.whosmat(path)]
    except Exception as error:  # whatever a damaged byte leads its reader to
        of_the_file = isinstance(error, OSError) and error.filename is not None
        if of_the_file or str(error).startswith(str(path)):
            raise
        raise ValueError(
            f"{path}: expected a whole MATLAB file of version 7 or before, found one that is cut "
            f"off or holds something else ({error}): download it again, or save it with -v7"
        ) from error
    if name not in found:
        raise ValueError(
            f"{path}: expected a matrix {name!r}, found {', '.join(there) or 'none'}: download it "
            "again"
        )
    matrix = found[name]
    if not isinstance(matrix, np.ndarray) or matrix.dtype.kind not in "iuf" or matrix.ndim != 2:
        raise ValueError(f"{path}: expected a matrix {name!r} of real numbers, found another kind")
    return matrix.astype(np.float64)


def _check_size(path: Path) -> None:
    """Refuses a file of version 5 or later with a variable that becomes too large, once unpacked.

    Behind its header it has variables, each with a type and a number of bytes. Its reader believes
    what stands in a compressed one.
    """
    content = path.read_bytes()
    order = ">" if content[126:128] == b"MI" else "<"
    place = _HEADER
    while content[126:128] in (b"MI", b"IM") and place + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, place)
        if kind == _COMPRESSED:
            inflate(content[place + 8 : place + 8 + size], str(path), LARGEST_STREAM)
        place += 8 + size
