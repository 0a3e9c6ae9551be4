"""Reads a data set from one HDF5 file: sequences of frames, and where they come from."""

from __future__ import annotations

__all__ = ["Store"]

import os
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from seqmdn.data.blocks import Blocks
from seqmdn.data.checksum import is_kept, kept_sha256
from seqmdn.data.hdf5 import check_attributes, check_heaps
from seqmdn.data.layout import (
    MISSING_VERSION,
    SPLITS,
    Array,
    check_finite,
    check_layout,
    read_attributes,
    split_number,
)

_CACHE = 64 * 2**20  # bytes of decompressed chunks
_KEPT = 256 * 2**20  # bytes of all rows up to which single frames are read from memory
_READS = 64  # of a view of other files, before those it has opened are closed


class Store:
    """Reads a data set lazily: nothing but the sequences' lengths and names is held in memory.

    The file is opened once a process, also after a fork or after being sent to another process,
    with a chunk cache of 64 MiB, so that random windows do not decompress the same chunk over and
    over. Frames that are asked for one by one (:meth:`gather`) stay in memory where all of the
    store takes no more than 256 MiB.

    Args:
        path: The file, as ``StoreWriter`` wrote it.

    Attributes:
        name: What the data set is called.
        unit: The unit of the values.
        names: The names of the D features.
        context_names: The names of the X features of the context, empty if there is none.
        lengths: (sequences,) int64, frames of each sequence.
        missing: Whether features may be missing; :meth:`observed` says which.
        splits: (sequences,) int8, the index of each sequence's split in ``SPLITS``.
        attributes: All attributes of the file by name: the ones above, ``step`` or ``sample_rate``,
            ``licence``, ``command``, ``source`` (a list of ``{"file", "sha256"}``) and any the
            writer added.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a whole seqmdn store of this version.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file: h5py.File | None = None
        self._datasets: dict[str, h5py.Dataset] = {}
        self._blocks: dict[str, Blocks] = {}
        self._process = 0
        self._reads = 0
        self._identity: tuple[int, int] | None = None
        self._sha256: str | None = None
        try:
            file = self._open()
            if not is_kept(self.path):  # whose sum is known has been opened before
                check_heaps(self.path, file)
            check_attributes(self.path, file)
            self.attributes = read_attributes(self.path, file)
            offsets, self.splits = check_layout(self.path, file, self.attributes)
        except BaseException as error:
            self.close()
            # A damaged file makes HDF5 say, and h5py raise, almost anything.
            plain = isinstance(error, FileNotFoundError) or str(error).startswith(str(self.path))
            if plain or not isinstance(error, Exception):
                raise
            raise _damaged(self.path, error) from error
        self.name: str = self.attributes["name"]
        self.unit: str = self.attributes["unit"]
        self.names: list[str] = self.attributes["features"]
        self.context_names: list[str] = self.attributes["context"]
        self.missing: bool = self.attributes["version"] == MISSING_VERSION
        self.lengths = np.diff(offsets)
        self._first = offsets[:-1]  # row of each sequence's first frame

    @property
    def features(self) -> int:
        """The number D of columns of the values."""
        return len(self.names)

    @property
    def context_features(self) -> int:
        """The number X of columns of the context, 0 if there is none."""
        return len(self.context_names)

    @property
    def frames(self) -> int:
        """The number of frames of all sequences together."""
        return int(self.lengths.sum())

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file, in hexadecimal digits.

        That of a file of 1 GiB or more is kept in a file beside it (``kept_sha256``), since hashing
        100 hours of speech takes longer than loading the first thousand batches.
        """
        if self._sha256 is None:
            self._sha256 = kept_sha256(self.path)
        return self._sha256

    def indices(self, split: str) -> NDArray[np.int64]:
        """Gives the indices of a split's sequences in store order."""
        return np.flatnonzero(self.splits == split_number(split))

    def assign(self, splits: NDArray[np.int8]) -> None:
        """Takes other splits, -1 for none, in the place of those that the file holds.

        Args:
            splits: (stored sequences,), indices into ``SPLITS``.
        """
        self.splits = splits

    def read(
        self, index: int, start: int = 0, stop: int | None = None
    ) -> tuple[Array, Array | None]:  # (T, D), (T, X)
        """Reads frames ``start`` to ``stop`` (or to the end) of one sequence: values and context.

        A feature that is missing is 0.

        Raises:
            IndexError: If there is no such sequence or no such frames.
            ValueError: If the frames are damaged, or not finite where observed.
        """
        rows = self._range(index, start, stop)
        values = self._rows("values", rows, index)
        if self.missing:
            values = np.where(self._rows("observed", rows, index), values, np.float32(0))
        check_finite(values, self.names, f"{self.path}: sequence {index}", start)
        if not self.context_names:
            return values, None
        context = self._rows("context", rows, index)
        check_finite(
            context, self.context_names, f"{self.path}: context of sequence {index}", start
        )
        return values, context

    def observed(
        self, index: int, start: int = 0, stop: int | None = None
    ) -> NDArray[np.bool_] | None:  # (T, D)
        """Reads which features of these frames were observed, None in a store that misses none.

        Raises:
            IndexError: If there is no such sequence or no such frames.
            ValueError: If they are damaged.
        """
        rows = self._range(index, start, stop)
        return self._rows("observed", rows, index) if self.missing else None

    def gather(
        self, sequences: NDArray[np.int64], times: NDArray[np.int64]
    ) -> tuple[Array, Array | None, NDArray[np.bool_] | None]:  # (N, D), (N, X), (N, D)
        """Reads one frame of each of N sequences: values, context, and what was observed.

        Many frames of a small store, which belong to no sequence, take a fraction of the time of as
        many :meth:`read`.

        Args:
            sequences: Their indices (N,).
            times: The frame of each (N,), from 0.

        Raises:
            IndexError: If there is no such sequence or no such frame.
            ValueError: As of :meth:`read`.
        """
        known = (sequences >= 0) & (sequences < len(self))
        known[known] &= (times[known] >= 0) & (times[known] < self.lengths[sequences[known]])
        if not known.all():
            wrong = int(np.flatnonzero(~known)[0])
            self._range(int(sequences[wrong]), int(times[wrong]), int(times[wrong]) + 1)
        rows = self._first[sequences] + times
        values = self._gathered("values", rows)
        observed = self._gathered("observed", rows) if self.missing else None
        context = self._gathered("context", rows) if self.context_names else None
        return values, context, observed

    def ends(self, index: int, stop: int) -> bool:
        """Says whether nothing of what was recorded follows frame ``stop`` of a sequence."""
        return stop == self._length(index)

    def text(self, index: int) -> str | None:
        """Gives the text that belongs to a sequence, or None if the store has none."""
        self._length(index)
        return self._text(index)

    def close(self) -> None:
        """Closes the file; reading opens it again."""
        if self._file is not None:
            self._datasets, self._blocks = {}, {}
            self._file.close()
            self._file = None

    def __len__(self) -> int:
        return len(self.lengths)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_datasets": {}, "_blocks": {}}

    def __repr__(self) -> str:
        counts = [np.count_nonzero(self.splits == number) for number in range(len(SPLITS))]
        context = f" and {self.context_features} of context" if self.context_names else ""
        context += ", some of them missing" if self.missing else ""
        return (
            f"Store({self.path}: {self.name}, {'/'.join(map(str, counts))} sequences "
            f"({'/'.join(SPLITS)}), {self.frames} frames of {self.features} features{context}, in "
            f"{self.unit})"
        )

    def _open(self) -> h5py.File:
        if self._file is not None and self._process == os.getpid():
            return self._file
        # A handle that came through a fork is a copy: closing it leaves the parent's alone.
        self.close()
        file, identity = _open(self.path), _identity(self.path)
        if self._identity not in (None, identity):
            file.close()
            raise ValueError(
                f"{self.path}: expected the file that was opened first, found another one of its "
                "name: start again with the new data"
            )
        self._file, self._identity, self._process = file, identity, os.getpid()
        self._open_datasets(self._file)
        return self._file

    def _open_datasets(self, file: h5py.File) -> None:
        self._datasets = {}  # closes them: opened twice, a dataset is still the same one to HDF5
        # HDF5 caches chunks for as long as a dataset is open.
        self._datasets = {
            key: file[key] for key in ("values", "context", "observed", "text") if key in file
        }

    def _gathered(self, name: str, rows: NDArray[np.int64]) -> Any:  # (N, columns)
        self._open()
        if name not in self._blocks:
            frames = int(self._datasets["values"].shape[0])
            size = sum(each.nbytes for key, each in self._datasets.items() if key != "text")

            def read(block: slice) -> Any:
                return self._checked_rows(name, block)

            self._blocks[name] = Blocks(read, frames, keep=size <= _KEPT)
        return self._blocks[name].take(rows)

    def _checked_rows(self, name: str, rows: slice) -> Any:
        """Reads rows of any sequences, as :meth:`read` reads those of one."""
        found = self._rows(name, rows)
        if name == "values" and self.missing:
            found = np.where(self._rows("observed", rows), found, np.float32(0))
        if name != "observed":
            names = self.names if name == "values" else self.context_names
            check_finite(found, names, f"{self.path}: {name} of all sequences", rows.start)
        return found

    def _length(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(
                f"{self.path}: expected a sequence from 0 to {len(self) - 1}, found {index}"
            )
        return int(self.lengths[index])

    def _range(self, index: int, start: int, stop: int | None) -> slice:
        length = self._length(index)
        stop = length if stop is None else stop
        if not 0 <= start < stop <= length:
            raise IndexError(
                f"{self.path}: expected frames within 0 and {length} of sequence {index}, found "
                f"{start} to {stop}"
            )
        first = int(self._first[index])
        return slice(first + start, first + stop)

    def _text(self, row: int) -> str | None:
        self._open()
        if "text" not in self._datasets:
            return None
        try:
            text: str = self._datasets["text"].asstr()[row]
        except (OSError, RuntimeError, ValueError, MemoryError) as error:
            raise ValueError(
                f"{self.path}: expected to read the text of sequence {row}, found it damaged "
                f"({error}): prepare the store again"
            ) from error
        return text

    def _rows(self, name: str, rows: slice, index: int | None = None) -> Any:
        file = self._open()
        try:
            # A view keeps every file open that it has read from, and a process may open few.
            if self._datasets[name].is_virtual:
                self._reads += 1
                if self._reads % _READS == 0:
                    self._open_datasets(file)
            array = self._datasets[name][rows]
        except (OSError, RuntimeError, ValueError, MemoryError) as error:
            what = f"rows {rows.start} to {rows.stop}" if index is None else f"sequence {index}"
            raise ValueError(
                f"{self.path}: expected to read {what}, found its data damaged "
                f"({error}): prepare the store again"
            ) from error
        return array


def _open(path: Path) -> h5py.File:
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: expected a seqmdn store, found no such file: write it with its data_prep "
            "script (python -m data_prep.NAME --out PATH)"
        )
    if not path.is_file() or not h5py.is_hdf5(path):
        raise ValueError(
            f"{path}: expected a seqmdn store, found "
            f"{'a folder' if path.is_dir() else 'no HDF5 file'}: give the path of a file that a "
            "data_prep script wrote"
        )
    # A store never changes once it has its name, and network file systems often refuse locks.
    # HDF5 would rather drop chunks that were read to their end than the oldest, and looks for one
    # among a share w0 of its cache whenever that is full; windows at random leave few to find.
    return h5py.File(path, "r", locking=False, rdcc_nbytes=_CACHE, rdcc_nslots=100_003, rdcc_w0=0.0)


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _damaged(path: Path, error: Exception) -> ValueError:
    if "flag values don't match" in str(error):  # HDF5 opens a file once a process
        return ValueError(
            f"{path} is open in this process already, in another way ({error}): close it, or open "
            "it by h5py.File(path, locking=False)"
        )
    return ValueError(
        f"{path}: expected a whole HDF5 file, found a truncated or damaged one ({error}): prepare "
        "or copy the store again"
    )
