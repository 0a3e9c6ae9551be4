"""Reads a matrix of numbers from a MATLAB file, by scipy."""

from __future__ import annotations

__all__ = ["read_matrix"]

import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# What its reader raises where a damaged byte leads it.
_DAMAGED = (ValueError, TypeError, KeyError, OSError, NotImplementedError)


def read_matrix(path: Path, name: str) -> NDArray[np.float64]:  # (rows, columns)
    """Gives a matrix of real numbers by its name.

    Raises:
        ModuleNotFoundError: If scipy is not installed.
        ValueError: If this is no such file (of MATLAB's version 7 or before), is cut off, or has no
            such matrix.
    """
    try:
        from scipy import io
        from scipy.io.matlab import MatReadError
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "MATLAB files are read with scipy, which is not installed: pip install "
            "'seqmdn[sklearn]'"
        ) from error
    try:
        found = io.loadmat(path, variable_names=[name])
        there = [each for each, _, _ in io.whosmat(path)]
    except (MatReadError, zlib.error, *_DAMAGED) as error:
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
