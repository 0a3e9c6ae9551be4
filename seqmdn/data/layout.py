"""What a store file must look like, and the refusal of any that does not."""

from __future__ import annotations

__all__ = [
    "FORMAT",
    "MISSING_VERSION",
    "SPLITS",
    "VERSION",
    "Array",
    "check_finite",
    "check_layout",
    "library_versions",
    "read_attributes",
    "split_number",
]

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from seqmdn.data.hdf5 import check_dataset, check_view
from seqmdn.reading import parse_json

SPLITS = ("train", "valid", "test")

Array = NDArray[np.float32]

FORMAT = "seqmdn"
VERSION = 1
# Of a store with `observed`: a reader that does not know of missing features must refuse it.
MISSING_VERSION = 2

_TYPES = {
    "values": "float32",
    "context": "float32",
    "observed": "bool",
    "offsets": "int64",
    "split": "int8",
    "text": "strings",
}


# Names, 16 bytes each: a file of the oldest kind keeps up to 64 KiB of them.
_COMPACT = 60_000 // 16


def library_versions(names: int, views: bool = False) -> tuple[str, str] | None:
    """Gives the versions of HDF5 whose ways of keeping things a new file may use.

    An attribute of more names than fit into the header of a file of the oldest kind is kept outside
    of it, which HDF5 can do since its version 1.8, and views of other files since 1.10. Files that
    need neither stay of the oldest kind.

    Args:
        names: The most that an attribute holds.
        views: Whether datasets are views of other files.
    """
    if names <= _COMPACT:
        return None  # views raise the version of their own message alone
    return ("v108", "v110" if views else "v108")


def read_attributes(path: Path, file: h5py.File) -> dict[str, Any]:
    """Gives the attributes of an open file, or raises ValueError if it is no store of ours."""
    found = file.attrs.get("format")
    if not isinstance(found, str) or found != FORMAT:
        raise ValueError(
            f"{path}: expected a seqmdn store, found an HDF5 file whose attribute 'format' is "
            f"{found!r}: give the path of a file that a data_prep script wrote"
        )
    version = file.attrs.get("version")
    if version not in (VERSION, MISSING_VERSION):
        raise ValueError(
            f"{path}: expected format version {VERSION} or {MISSING_VERSION}, found {version}: "
            "prepare the store again, or use the seqmdn that wrote it"
        )
    attributes = {key: _plain(value) for key, value in file.attrs.items()}
    for key, kind in {"name": str, "unit": str, "features": list, "context": list}.items():
        if not isinstance(attributes.get(key), kind):
            raise ValueError(
                f"{path}: expected an attribute {key!r} ({'text' if kind is str else 'names'}), "
                f"found {attributes.get(key)!r}: prepare the store again"
            )
    try:
        attributes["source"] = parse_json(attributes.get("source", "[]"), "source")
    except (TypeError, ValueError):
        raise ValueError(
            f"{path}: expected the attribute 'source' to be JSON, found {attributes['source']!r}: "
            "prepare the store again"
        ) from None
    return attributes


def check_layout(
    path: Path, file: h5py.File, attributes: Mapping[str, Any]
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Gives a store's offsets and splits, or raises ValueError if its datasets do not fit."""
    again = "prepare the store again"
    needed = ["values", "offsets", "split", *(["context"] if attributes["context"] else [])]
    needed += ["observed"] if attributes["version"] == MISSING_VERSION else []
    needed += ["text"] if "text" in file else []
    for name in needed:
        dataset = file.get(name)
        if not isinstance(dataset, h5py.Dataset):
            raise ValueError(f"{path}: expected a dataset {name!r}, found {sorted(file)}: {again}")
        dimensions = 2 if name in ("values", "context", "observed") else 1
        strings = h5py.check_string_dtype(dataset.dtype) is not None
        right = strings if name == "text" else dataset.dtype == _TYPES[name]
        if not right or dataset.ndim != dimensions:
            raise ValueError(
                f"{path}: expected {name!r} to be {_TYPES[name]} with {dimensions} dimensions, "
                f"found {dataset.dtype} of shape {dataset.shape}: {again}"
            )
        check_dataset(path, file, name)
        if name in ("values", "context"):
            check_view(path, dataset)
        elif dataset.is_virtual:
            raise ValueError(f"{path}: expected {name!r} in it, found a view of others: {again}")
    frames = file["values"].shape[0]
    offsets: NDArray[np.int64] = file["offsets"][:]
    splits: NDArray[np.int8] = file["split"][:]
    if len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != frames or (np.diff(offsets) < 1).any():
        raise ValueError(
            f"{path}: expected offsets that rise from 0 to {frames} frames, found "
            f"{_ends(offsets)}: {again}"
        )
    shapes = {
        "values": (frames, len(attributes["features"])),
        "split": (len(offsets) - 1,),
        "context": (frames, len(attributes["context"])),
        "observed": (frames, len(attributes["features"])),
        "text": (len(offsets) - 1,),
    }
    for name, shape in shapes.items():
        if name in file and file[name].shape != shape:
            raise ValueError(
                f"{path}: expected {name!r} of shape {shape} (as offsets and names say), found "
                f"{file[name].shape}: {again}"
            )
    unknown = np.setdiff1d(splits, np.arange(len(SPLITS)))
    if len(unknown):
        raise ValueError(
            f"{path}: expected splits 0, 1, 2 ({', '.join(SPLITS)}), found {unknown.tolist()}: "
            f"{again}"
        )
    return offsets, splits


def split_number(split: str) -> int:
    """Gives the number that stands for a split, or raises ValueError for another word."""
    if split not in SPLITS:
        raise ValueError(f"expected a split of {', '.join(SPLITS)}, found {split!r}")
    return SPLITS.index(split)


def check_finite(frames: Array, names: Sequence[str], where: str, start: int = 0) -> None:
    """Raises ValueError if frames (T, D) are not finite, saying which frame and feature."""
    finite = np.isfinite(frames)
    if not finite.all():
        frame, feature = np.argwhere(~finite)[0]
        raise ValueError(
            f"{where}: expected finite float32 values, found {frames[frame, feature]} at frame "
            f"{frame + start}, feature {names[feature]!r} ({np.count_nonzero(~finite)} such "
            "values): mend or leave out the sequence"
        )


def _ends(offsets: NDArray[np.int64]) -> str:
    if len(offsets) <= 6:
        return str(offsets.tolist())
    return f"{offsets[:3].tolist()} ... {offsets[-3:].tolist()}"


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return [str(entry) for entry in value]
    return value
