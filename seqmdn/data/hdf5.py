"""What a dataset of an HDF5 file from elsewhere may show, and how much it may take."""

from __future__ import annotations

__all__ = ["check_attributes", "check_dataset", "check_heaps", "check_view"]

import math
import struct
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import BinaryIO

import h5py
from h5py import h5a, h5t, h5z

# Numbers, truth and texts; HDF5 may crash where a damaged type is made of others.
_KINDS = {h5t.INTEGER, h5t.FLOAT, h5t.ENUM, h5t.STRING}
_FILTERS = {h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32}
_CHUNK = 2**28  # bytes, which are unpacked at once
_SMALL = 2**26  # bytes that a dataset may take whatever it says
_RATIO = 1100  # deflate makes no more than 1,032 bytes out of one
_HEAP = b"GCOL\x01"  # what a heap of texts begins with; as numbers, once in 10^12 bytes
_BLOCK = 2**17  # bytes that are searched at once


def check_heaps(path: Path, file: h5py.File) -> None:
    """Refuses heaps of texts whose end HDF5 would never come to.

    HDF5 goes through a heap by the lengths of its objects. At one of no length it stays for ever,
    and no signal but the last one ends it. The whole file is searched, as nothing says where heaps
    are.

    Args:
        path: The file.
        file: The same, open.

    Raises:
        ValueError: If there is such a heap, or the file's numbers are not of 8 bytes.
    """
    again = "prepare the store again"
    if (sizes := file.id.get_create_plist().get_sizes()) != (8, 8):
        raise ValueError(
            f"{path}: expected addresses and lengths of 8 bytes, found {sizes}: {again}"
        )
    with path.open("rb") as content:
        for place in list(_heaps(content)):
            if not _has_end(content, place):
                raise ValueError(f"{path}: the heap of texts at byte {place} is damaged: {again}")


def check_attributes(path: Path, file: h5py.File) -> None:
    """Refuses attributes that are neither numbers nor texts, before any is read.

    Args:
        path: The file.
        file: The same, open.

    Raises:
        ValueError: If there is such an attribute.
    """
    for place in range(h5a.get_num_attrs(file.id)):
        attribute = h5a.open(file.id, index=place)
        if attribute.get_type().get_class() not in _KINDS:
            name = attribute.name.decode(errors="replace")
            raise ValueError(
                f"{path}: expected the attribute {name!r} to be numbers or text, found something "
                "else: prepare the store again"
            )


def _heaps(content: BinaryIO) -> Iterator[int]:
    """Gives where heaps begin."""
    first, kept = 0, b""
    while block := content.read(_BLOCK):
        block = kept + block
        place = block.find(_HEAP)
        while place >= 0:
            yield first + place
            place = block.find(_HEAP, place + 1)
        kept = block[1 - len(_HEAP) :]  # a beginning may be cut by the block's end
        first += len(block) - len(kept)


def _has_end(content: BinaryIO, place: int) -> bool:
    """Says whether going through a heap comes to an end; what else is wrong, HDF5 sees itself."""
    content.seek(place + 8)
    (size,) = struct.unpack("<Q", content.read(8).ljust(8, b"\0"))
    place, end = place + 16, place + size
    while end - place >= 16:
        content.seek(place)
        head = content.read(16)
        if len(head) < 16:
            break
        number, length = struct.unpack("<H6xQ", head)
        # The last object, of the number 0, is what is free; its length counts its head.
        taken = 16 + -(-length // 8) * 8 if number else length
        if not 0 < taken < 2**64:
            return False
        place += taken
    return True


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
