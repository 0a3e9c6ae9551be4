"""What a dataset of an HDF5 file from elsewhere may show, and how much it may take."""

from __future__ import annotations

__all__ = ["check_dataset", "check_view"]

import math
from pathlib import Path, PurePath

import h5py
from h5py import h5z

_FILTERS = {h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32}
_CHUNK = 2**28  # bytes, which are unpacked at once
_SMALL = 2**26  # bytes that a dataset may take whatever it says
_RATIO = 1100  # deflate makes no more than 1,032 bytes out of one


def check_dataset(path: Path, file: h5py.File, name: str) -> None:
    """Refuses a dataset that lies elsewhere, or would take much more than its file has.

    HDF5 lets a name lead into another file, and numbers be the bytes of any file at all. It takes
    the fill value for what a file never held: a store of some kilobytes may so announce terabytes.
    And it looks for a filter that it does not know among plug-ins, which are programs.

    Args:
        path: What errors call the file.
        file: The open file.
        name: Of a dataset that is there.

    Raises:
        ValueError: If it is such a dataset.
    """
    again = "prepare the store again"
    link, dataset = file.get(name, getlink=True), file[name]
    if not isinstance(link, h5py.HardLink) or dataset.external:
        raise ValueError(
            f"{path}: expected {name!r} to lie in the file itself, found a link to elsewhere: "
            f"{again}"
        )
    if dataset.is_virtual:
        return
    properties = dataset.id.get_create_plist()
    filters = {properties.get_filter(place)[0] for place in range(properties.get_nfilters())}
    if filters - _FILTERS:
        raise ValueError(
            f"{path}: expected {name!r} to be packed by gzip and shuffle, found filters of the "
            f"numbers {sorted(filters - _FILTERS)}: {again}"
        )
    size, stored = (
        math.prod((*dataset.shape, dataset.dtype.itemsize)),
        dataset.id.get_storage_size(),
    )
    chunk = math.prod((*(dataset.chunks or (0,)), dataset.dtype.itemsize))
    if size > max(_SMALL, _RATIO * stored) or stored > path.stat().st_size or chunk > _CHUNK:
        raise ValueError(
            f"{path}: expected {name!r} of {size} bytes, {chunk} of them in a chunk, to be in the "
            f"file, found {stored} bytes of it: {again}"
        )


def check_view(path: Path, dataset: h5py.Dataset) -> None:
    """Refuses a view of files that are not in its own folder, or below it.

    HDF5 would give the fill value for those that are gone, and say nothing.
    """
    if not dataset.is_virtual:
        return
    for source in dataset.virtual_sources():
        inside = PurePath(source.file_name)
        if inside.is_absolute() or ".." in inside.parts:
            raise ValueError(
                f"{path}: expected to show files of its own folder, found {source.file_name}: "
                "prepare the store again"
            )
        if not (path.parent / inside).is_file():
            raise ValueError(
                f"{path}: expected the file that it shows at {path.parent / source.file_name}, "
                "found none: keep the two together, or prepare the store again"
            )
