"""Pickled arrays, read by an unpickler that knows arrays of numbers only.

NumPy keeps an array of arrays as a pickle, some data sets are pickles of their own, and a pickle
may call anything. Here the names that NumPy's arrays need stand for helpers of this file: no
function of NumPy or of Python can be reached by a pickle, and any other name is refused before
anything happens. An array's bytes must be as many as its shape says, so that no memory is taken for
what is not there.
"""

from __future__ import annotations

__all__ = ["read_object_arrays", "read_pickled_arrays"]

import io
import math
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_prep.sources import read_zip
from seqmdn.reading import NameStandIn, PlainUnpickler

_DTYPE = re.compile(r"[iuf][1248]|O8?")  # whole numbers, floats, and the array of arrays itself


def read_object_arrays(path: Path, keys: tuple[str, ...]) -> dict[str, list[NDArray[Any]]]:
    """Reads lists of arrays, each kept as an object array (N,), from an ``.npz`` archive.

    Args:
        path: The archive.
        keys: The names of the arrays that it must hold; others are not read.

    Returns:
        The N arrays of numbers of each key, of any shape, read-only.

    Raises:
        ValueError: If it is no such archive, a key is missing, or a pickle in it holds anything
            else than arrays of numbers; nothing in it has been run.
    """
    members = dict(read_zip(path, ".npy"))
    missing = [key for key in keys if f"{key}.npy" not in members]
    if missing:
        raise ValueError(
            f"{path}: expected the arrays {', '.join(keys)}, found no {missing[0]} among "
            f"{', '.join(members) or 'none'}: download it again"
        )
    return {key: _read(members[f"{key}.npy"], f"{path}:{key}.npy") for key in keys}


def read_pickled_arrays(path: Path, keys: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Reads arrays of numbers, or lists of whole numbers as such, from a pickled dictionary.

    Args:
        path: The file.
        keys: The names that the dictionary must hold, text or bytes; others are not looked at.

    Returns:
        The array of each key, read-only where it was one.

    Raises:
        ValueError: If it is no such pickle, or a key is missing or stands for anything else;
            nothing in it has been run.
    """
    try:
        whole = _Unpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()
        found = {
            key.decode("latin1") if isinstance(key, bytes) else key: value
            for key, value in whole.items()
        }
        return {key: _numbers(found[key]) for key in keys}
    except OSError:
        raise
    except Exception as error:
        raise ValueError(
            f"{path}: expected a pickled dictionary with the arrays {', '.join(keys)}, found "
            f"something else ({type(error).__name__}: {str(error)[:200]}): nothing of it was run; "
            "download it again"
        ) from error


def _numbers(value: object) -> NDArray[Any]:
    if isinstance(value, _Pending) and value.array is not None:
        return value.array
    if isinstance(value, list) and all(type(each) is int for each in value):
        return np.array(value, np.int64)
    raise ValueError("no array of numbers")


def _read(content: bytes, where: str) -> list[NDArray[Any]]:
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        _, _, dtype = header(stream)
        if dtype != np.dtype(object):
            raise ValueError(f"numbers of {dtype}")
        whole = _Unpickler(stream, encoding="latin1").load()
    # What a damaged pickle raises has no common name: any exception may come of it.
    except Exception as error:
        raise ValueError(
            f"{where}: expected an object array of arrays of numbers, found something else "
            f"({type(error).__name__}: {str(error)[:200]}): nothing of it was run; download the "
            "archive again"
        ) from error
    items = whole.items if isinstance(whole, _Pending) else None
    if items is None or not all(isinstance(each, _Pending) for each in items):
        raise ValueError(f"{where}: expected an object array of arrays, found other objects in it")
    arrays = [each.array for each in items]
    if any(array is None for array in arrays):
        raise ValueError(f"{where}: expected arrays of numbers in it, found arrays of objects")
    return arrays


class _Unpickler(PlainUnpickler):
    def find_class(self, module: str, name: str) -> Any:
        return (
            _NAMES[module, name]() if (module, name) in _NAMES else super().find_class(module, name)
        )


class _Reconstruct(NameStandIn):
    """Stands for the function that makes an array without data, (0,)."""

    def __call__(self, kind: object, shape: object, letter: object) -> _Pending:
        if type(kind) is not NameStandIn or shape != (0,):
            raise pickle.UnpicklingError("an array of another kind")
        return _Pending()


class _Encode(NameStandIn):
    """Stands for the function by which bytes are kept in pickles of protocol 2."""

    def __call__(self, text: object, encoding: object) -> bytes:
        if not isinstance(text, str) or encoding != "latin1":
            raise pickle.UnpicklingError("an encoding other than latin1")
        return text.encode("latin1")


class _NoBytes(NameStandIn):
    """Stands for the class by which protocol 2 keeps the bytes of an empty array."""

    def __call__(self) -> bytes:
        return b""


class _MakeDtype(NameStandIn):
    """Stands for the class of types of numbers."""

    def __call__(self, code: object, *flags: object) -> _Dtype:
        if not isinstance(code, str) or not _DTYPE.fullmatch(code):
            raise pickle.UnpicklingError(f"the type {code!r}")
        return _Dtype(code)


class _Dtype:
    __slots__ = ("code", "order")

    def __init__(self, code: str) -> None:
        self.code, self.order = code, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        # Version, byte order, and what only types of several numbers have.
        if len(state) < 5 or state[1] not in ("<", ">", "|", "=") or any(state[2:5]):
            raise pickle.UnpicklingError("a type of several numbers")
        self.order = state[1]


class _Pending:
    """An array whose shape, type and data come as its state: of numbers, or of objects."""

    __slots__ = ("array", "items")

    def __init__(self) -> None:
        self.array: NDArray[Any] | None = None
        self.items: list[Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, data = state
        if not isinstance(dtype, _Dtype) or not all(
            type(size) is int and size >= 0 for size in shape
        ):
            raise pickle.UnpicklingError("an array without a type or shape")
        count = math.prod(shape)
        if dtype.code.startswith("O"):
            if len(shape) != 1 or type(data) is not list or len(data) != count:
                raise pickle.UnpicklingError(f"objects of shape {shape}")
            self.items = data
            return
        kind = np.dtype(dtype.order.replace("|", "=") + dtype.code)
        # Python 2 kept bytes as text.
        raw = data.encode("latin1") if isinstance(data, str) else data
        if not isinstance(raw, bytes) or len(raw) != count * kind.itemsize:
            raise pickle.UnpicklingError(f"an array of shape {shape} with other data")
        self.array = np.frombuffer(raw, kind).reshape(shape, order="F" if fortran else "C")


_NAMES = {
    ("numpy.core.multiarray", "_reconstruct"): _Reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _Reconstruct,
    ("numpy", "ndarray"): NameStandIn,
    ("numpy", "dtype"): _MakeDtype,
    ("_codecs", "encode"): _Encode,
    ("__builtin__", "bytes"): _NoBytes,
}
