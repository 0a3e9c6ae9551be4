"""Stores of the same kind as one: a view of them while they become more, and their copy at last."""

from __future__ import annotations

__all__ = ["Part", "join_parts", "link_parts"]

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import h5py
import numpy as np

from seqmdn.data.layout import library_versions, split_number
from seqmdn.files import written_whole

_FRAMES = ("values", "context")
_BLOCK = 1024  # frames to copy at once


class Part(NamedTuple):
    """Names a store of some of the sequences.

    Attributes:
        path: The file.
        lengths: Frames of each of its sequences.
    """

    path: Path
    lengths: tuple[int, ...]

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Reads the lengths from a store.

        Raises:
            ValueError: If it is damaged, or holds more than values and context.
        """
        try:
            with h5py.File(path, "r", locking=False) as file:
                found = sorted(file)
                lengths = np.diff(file["offsets"][:])
        except PermissionError:
            raise
        # A damaged file makes HDF5 say, and h5py raise, almost anything.
        except Exception as error:
            raise ValueError(
                f"{path}: expected a whole store, found a damaged one ({error}): remove it, and "
                "prepare it again"
            ) from error
        if not set(found) <= {*_FRAMES, "offsets", "split"}:
            raise ValueError(
                f"{path}: expected a store of values and context alone, found {found}: write all "
                "its sequences with one StoreWriter"
            )
        return cls(Path(path), tuple(map(int, lengths)))


def link_parts(
    out: str | os.PathLike[str],
    parts: Sequence[Part],
    splits: Sequence[str],
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """Writes a store that shows the sequences of others, which keep their frames.

    It is there whole or not at all, and takes no time for what the parts hold. It names them by
    their path from its own folder: moved, it must keep them beside it. Frames of a part that is
    damaged are read as NaN, which ``Store.read`` refuses.

    Args:
        out: The file to write.
        parts: The others, of the same columns, in the order of their sequences.
        splits: Of each sequence.
        attributes: What takes the place of the first part's attributes, or is added to them.

    Raises:
        ValueError: If there are no parts, or as many splits as sequences are not given.

    Example:
        >>> import tempfile
        >>> from seqmdn.data import Store, StoreWriter
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for number in range(2):
        ...         with StoreWriter(f"{folder}/{number}.h5", ["x"], "walk", "m") as writer:
        ...             writer.append([[0.0], [number]], "train")
        ...     parts = [Part.read(f"{folder}/{number}.h5") for number in range(2)]
        ...     link_parts(f"{folder}/walks.h5", parts, ["train", "test"])
        ...     with Store(f"{folder}/walks.h5") as store:
        ...         store.read(1)[0].tolist(), store.splits.tolist()
        ([[0.0], [1.0]], [0, 2])
    """
    out = Path(out)
    frames = _check(out, parts, splits)
    with written_whole(out) as partial, h5py.File(parts[0].path, "r", locking=False) as first:
        names = max(len(first.attrs[key]) for key in ("features", "context"))
        with h5py.File(partial, "w", libver=library_versions(names, views=True)) as file:
            _copy_attributes(first, file, attributes or {})
            for name in filter(first.__contains__, _FRAMES):
                width = first[name].shape[1]
                layout = h5py.VirtualLayout((frames, width), first[name].dtype)
                row = 0
                for part in parts:
                    count = sum(part.lengths)
                    path = os.path.relpath(part.path, out.parent)
                    shape = (count, width)
                    layout[row : row + count] = h5py.VirtualSource(path, name, shape)
                    row += count
                file.create_virtual_dataset(name, layout, fillvalue=np.nan)
            _write_sequences(file, parts, splits)


def join_parts(
    out: str | os.PathLike[str],
    parts: Sequence[Part],
    splits: Sequence[str],
    attributes: Mapping[str, Any] | None = None,
    show: Callable[[Sequence[Part]], Iterable[Part]] = iter,
) -> None:
    """Writes a store that holds the sequences of others; arguments as of :func:`link_parts`.

    The same parts give the same bytes, however sequences are distributed over them. Frames that are
    a chunk each are copied as they are, without being decompressed.

    Args:
        out: The file to write, whole or not at all.
        parts: The others.
        splits: Of each sequence.
        attributes: What takes the place of the first part's attributes, or is added to them.
        show: Gives the parts again, and shows how far they are.

    Raises:
        ValueError: As :func:`link_parts`, or if a part's columns are others than the first one's.
    """
    out = Path(out)
    frames = _check(out, parts, splits)
    with written_whole(out) as partial, h5py.File(parts[0].path, "r", locking=False) as first:
        names = max(len(first.attrs[key]) for key in ("features", "context"))
        with h5py.File(partial, "w", libver=library_versions(names)) as file:
            _copy_attributes(first, file, attributes or {})
            # One after the other, and open until it is full: the bytes then depend on the frames
            # alone.
            for name in filter(first.__contains__, _FRAMES):
                target = _create_like(first[name], file, name, frames)
                row = 0
                for part in show(parts) if name == "values" else parts:
                    with h5py.File(part.path, "r", locking=False) as source:
                        _copy_frames(part, source.get(name), target, row)
                    row += sum(part.lengths)
            _write_sequences(file, parts, splits)


def _check(out: Path, parts: Sequence[Part], splits: Sequence[str]) -> int:
    """Gives the number of frames."""
    sequences = sum(len(part.lengths) for part in parts)
    if not parts or sequences != len(splits):
        raise ValueError(
            f"{out}: expected parts, and a split of each of their {sequences} sequences, found "
            f"{len(parts)} parts and {len(splits)} splits"
        )
    return sum(sum(part.lengths) for part in parts)


def _copy_attributes(first: h5py.File, file: h5py.File, attributes: Mapping[str, Any]) -> None:
    for key in first.attrs:
        value = attributes.get(key, first.attrs[key])
        if key in ("features", "context"):
            file.attrs.create(key, value, dtype=h5py.string_dtype(), shape=(len(value),))
        else:
            file.attrs[key] = value
    for key in attributes.keys() - first.attrs.keys():
        file.attrs[key] = attributes[key]


def _create_like(like: h5py.Dataset, file: h5py.File, name: str, frames: int) -> h5py.Dataset:
    return file.create_dataset(
        name,
        shape=(frames, like.shape[1]),
        maxshape=like.maxshape,
        dtype=like.dtype,
        chunks=like.chunks,
        compression=like.compression,
        compression_opts=like.compression_opts,
        shuffle=like.shuffle,
        track_times=False,
    )


def _copy_frames(part: Part, source: Any, target: h5py.Dataset, row: int) -> None:
    count = sum(part.lengths)
    shape = (count, target.shape[1])
    if not isinstance(source, h5py.Dataset) or source.shape != shape:
        raise ValueError(
            f"{part.path}: expected {target.name} of shape {shape}, found "
            f"{getattr(source, 'shape', 'none')}: remove it, and prepare it again"
        )
    alike = all(
        getattr(source, key) == getattr(target, key)
        for key in ("dtype", "chunks", "compression", "compression_opts", "shuffle")
    )
    if alike and target.chunks == (1, target.shape[1]):
        for frame in range(count):
            mask, content = source.id.read_direct_chunk((frame, 0))
            target.id.write_direct_chunk((row + frame, 0), content, mask)
        return
    for start in range(0, count, _BLOCK):
        block = source[start : min(start + _BLOCK, count)]
        target[row + start : row + start + len(block)] = block


def _write_sequences(file: h5py.File, parts: Sequence[Part], splits: Sequence[str]) -> None:
    lengths = [length for part in parts for length in part.lengths]
    file.create_dataset("offsets", data=np.cumsum([0, *lengths], dtype=np.int64))
    file.create_dataset("split", data=np.array([*map(split_number, splits)], np.int8))
