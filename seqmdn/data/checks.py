"""What a store takes: names of columns, attributes, frames, and what was observed of them.

Each check gives what is kept, or raises a ValueError that says what was expected and found.
"""

from __future__ import annotations

__all__ = ["check_attribute", "check_frames", "check_names", "check_observed"]

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqmdn.data.layout import Array, check_finite

_LARGEST = 60_000  # bytes: HDF5 keeps an attribute in a header of at most 64 KiB


def check_names(what: str, names: Sequence[str], least: int) -> list[str]:
    """Gives the names of columns, each there once.

    Example:
        >>> check_names("features", "pressure", least=1)
        ['pressure']
    """
    listed = [names] if isinstance(names, str) else list(names)
    if len(listed) < least:
        raise ValueError(
            f"StoreWriter expected {what} to be {least} names or more, found {len(listed)}"
        )
    if len(set(listed)) != len(listed) or not all(listed):
        raise ValueError(
            f"StoreWriter expected {what} to be names, none of them empty or twice there, found "
            f"{listed}"
        )
    return listed


def check_attribute(key: str, value: Any, taken: Sequence[str]) -> Any:
    """Gives a string as it is, and numbers as an array, that HDF5 keeps beside the data.

    Args:
        key: What it is called.
        value: What is to be kept.
        taken: What others are called.
    """
    array = np.asarray(value)
    if key in taken:
        raise ValueError(
            f"attribute {key!r}: expected another name, found one the store itself uses"
        )
    if array.dtype.kind not in "biufU" or (array.dtype.kind == "U" and array.ndim):
        raise ValueError(
            f"attribute {key!r}: expected a string, a number or an array of numbers, found "
            f"{value!r}"
        )
    if array.nbytes > _LARGEST:
        raise ValueError(
            f"attribute {key!r}: expected at most {_LARGEST} bytes, found {array.nbytes}: keep "
            "data of this size in values or context"
        )
    return value if array.dtype.kind == "U" else array


def check_frames(values: ArrayLike, names: Sequence[str], where: str) -> Array:
    """Gives frames (T, D) as float32, each number finite.

    Args:
        values: The frames.
        names: The D names of their columns.
        where: Which they are, for the words of an error.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "biuf" or array.ndim != 2 or array.shape[1] != len(names):
        raise ValueError(
            f"{where}: expected numbers of shape (frames, {len(names)}) for {_few(names)}, found "
            f"{array.dtype} of shape {array.shape}"
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and refused as such
        frames = array.astype(np.float32)
    check_finite(frames, names, where)
    return frames


def check_observed(
    observed: ArrayLike | None, shape: tuple[int, ...], missing: bool, where: str
) -> NDArray[np.bool_] | None:
    """Gives what was observed of values of a shape: all of them, or None where none may be missing.

    Args:
        observed: What is said to have been.
        shape: Of the values.
        missing: Whether features may be missing at all.
        where: Which they are, for the words of an error.
    """
    if observed is None:
        return np.ones(shape, np.bool_) if missing else None
    if not missing:
        raise ValueError(
            f"{where}: expected no observed, found one: make the StoreWriter with missing=True"
        )
    seen = np.asarray(observed)
    if seen.dtype != np.bool_ or seen.shape != shape:
        raise ValueError(
            f"{where}: expected observed to be boolean of shape {shape}, as the values are, found "
            f"{seen.dtype} of shape {seen.shape}"
        )
    return seen


def _few(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{names[0]}, ..., {names[-1]}"
