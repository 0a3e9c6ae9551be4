"""Writes a data set into one HDF5 file, which is there whole or not at all."""

from __future__ import annotations

__all__ = ["StoreWriter"]

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqmdn.data.checks import check_attribute, check_frames, check_names, check_observed
from seqmdn.data.layout import FORMAT, MISSING_VERSION, VERSION, library_versions, split_number

Attribute = str | bool | int | float | NDArray[Any]

_PENDING = 2**20  # bytes of values that wait to be written
_CHUNK = 64 * 2**10  # bytes: small enough for a short window, large enough to compress


class StoreWriter:
    """Writes a data set sequence by sequence; only a complete one ever bears its name.

    What is written lies under a hidden temporary name in the same folder. It is renamed when the
    ``with`` block ends and removed when the block raises anything. The same calls write the same
    bytes.

    Args:
        path: The file to write; its folder is made if need be, a file of this name is replaced.
        features: The names of the D columns of the values.
        name: What the data set is called.
        unit: The unit of the values, such as ``"pixel level"``.
        context: The names of the X columns of the context, none by default.
        missing: Whether features of frames may be missing; what was observed is then kept, too, and
            the format version is 2 instead of 1.
        step: What lies between one frame and the next, such as ``"row"`` or ``"hour"``.
        sample_rate: Frames a second, where the frames are samples of time.
        source: The files that the data come from, each a ``{"file": name, "sha256": digits}``.
        licence: The licence of the data, as their owner states it.
        command: The command that writes the store.
        attributes: Anything else to keep with the data: strings, numbers and arrays. Plots look at
            ``kind`` (``"image"``, ``"series"``, ``"strokes"``, ``"audio"``), units at ``sequence``,
            the word for one sequence.

    Raises:
        ValueError: If a name is missing or twice there, an attribute cannot be kept, or a sequence
            has no frames, frames of another width, values that were observed and are not finite, an
            unknown split, or context or text where others have none; if rows of a table are not as
            many as their splits; on leaving the block, if there are no sequences.

    Example:
        >>> import tempfile
        >>> from seqmdn.data import Store
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with StoreWriter(f"{folder}/walk.h5", ["x"], name="walk", unit="m") as writer:
        ...         writer.append([[0.0], [1.0], [1.5]], "train")
        ...     with Store(f"{folder}/walk.h5") as store:
        ...         store.read(0, 1)[0].tolist(), store.indices("test").tolist()
        ([[1.0], [1.5]], [])
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        features: Sequence[str],
        name: str,
        unit: str,
        context: Sequence[str] = (),
        step: str = "frame",
        sample_rate: float | None = None,
        source: Sequence[Mapping[str, str]] = (),
        licence: str = "",
        command: str = "",
        attributes: Mapping[str, Attribute | Sequence[float]] | None = None,
        missing: bool = False,
    ) -> None:
        self.path = Path(path)
        self._partial = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex}.partial")
        self._names = {"features": check_names("features", features, least=1)}
        self._names["context"] = check_names("context", context, least=0)
        if not name or not unit:
            raise ValueError(f"StoreWriter expected a name and a unit, found {name!r} and {unit!r}")
        if any({"file", "sha256"} - set(entry) for entry in source):
            raise ValueError(
                f"StoreWriter expected each source to have 'file' and 'sha256', found {source}"
            )
        self._attributes: dict[str, Any] = {
            "format": FORMAT,
            "version": MISSING_VERSION if missing else VERSION,
            "name": name,
            "unit": unit,
            "step": step,
            "source": json.dumps(
                [{key: entry[key] for key in ("file", "sha256")} for entry in source]
            ),
            "licence": licence,
            "command": command,
        }
        if sample_rate is not None:
            self._attributes["sample_rate"] = float(sample_rate)
        for key, value in (attributes or {}).items():
            self._attributes[key] = check_attribute(
                key, value, taken=[*self._attributes, *self._names]
            )
        self._missing = missing
        self._file: h5py.File | None = None
        self._offsets = [0]
        self._splits: list[int] = []
        self._texts: list[str] = []
        self._pending: dict[str, list[NDArray[Any]]] = {"values": [], "context": []}
        if missing:
            self._pending["observed"] = []
        self._flushed = 0

    def append(
        self,
        values: ArrayLike,
        split: str,
        context: ArrayLike | None = None,
        text: str | None = None,
        observed: ArrayLike | None = None,
    ) -> None:
        """Adds one sequence.

        Args:
            values: (T, D), T >= 1; a row that belongs to no other is a sequence of one frame.
            split: ``"train"``, ``"valid"`` or ``"test"``.
            context: (T, X), row t belongs to frame t; where the store has context, each sequence
                has.
            text: Words that belong to the sequence; all sequences have some or none has.
            observed: (T, D), False where a feature is missing: its value, which may be anything, is
                kept as 0. None is all; for a store made with ``missing=True``.
        """
        if self._splits and (text is not None) != bool(self._texts):
            raise ValueError(
                f"sequence {len(self._splits)}: expected {'a' if self._texts else 'no'} text as in "
                f"the sequences before it, found {text!r}"
            )
        where = f"sequence {len(self._splits)}"
        self._append(values, [split], context, observed, where)
        if text is not None:
            self._texts.append(text)

    def append_rows(
        self,
        values: ArrayLike,
        splits: Sequence[str],
        context: ArrayLike | None = None,
        observed: ArrayLike | None = None,
    ) -> None:
        """Adds the rows of a table, such as a regression's, each a sequence of one frame.

        Args:
            values: (N, D), what is to be predicted.
            splits: The N words ``"train"``, ``"valid"`` or ``"test"``.
            context: (N, X), what it is predicted from.
            observed: (N, D), False where a value is missing, as of :meth:`append`.
        """
        if self._texts:
            raise ValueError("expected sequences with a text as those before them, found rows")
        first = len(self._splits)
        where = f"sequences {first} to {first + len(splits) - 1}"
        self._append(values, splits, context, observed, where, rows=True)

    def add_attributes(self, attributes: Mapping[str, Attribute | Sequence[float]]) -> None:
        """Keeps more with the data, such as counts that only the last sequence completes.

        Raises:
            ValueError: If a name is taken or a value cannot be kept, or outside the ``with`` block.
        """
        if self._file is None:
            raise ValueError("add_attributes expected to be called inside the writer's with block")
        for key, value in attributes.items():
            taken = [*self._attributes, *self._names]
            self._attributes[key] = check_attribute(key, value, taken)
            self._file.attrs[key] = self._attributes[key]

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            versions = library_versions(max(map(len, self._names.values())))
            self._file = h5py.File(self._partial, "x", libver=versions)
            for key, value in self._attributes.items():
                self._file.attrs[key] = value
            for key, names in self._names.items():
                self._file.attrs.create(key, names, dtype=h5py.string_dtype(), shape=(len(names),))
            _create(self._file, "values", len(self._names["features"]))
            if self._names["context"]:
                _create(self._file, "context", len(self._names["context"]))
            if self._missing:
                _create(self._file, "observed", len(self._names["features"]), np.bool_)
        except BaseException:
            self._discard()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            # After the rename there is nothing under the temporary name any more.
            self._discard()

    def _append(
        self,
        values: ArrayLike,
        splits: Sequence[str],
        context: ArrayLike | None,
        observed: ArrayLike | None,
        where: str,
        rows: bool = False,
    ) -> None:
        """Adds one sequence, or a row for each split."""
        if self._file is None:
            raise ValueError("StoreWriter.append expected to be called inside its with block")
        numbers = [split_number(split) for split in splits]
        seen = check_observed(observed, np.shape(values), self._missing, where)
        if seen is not None:
            values = np.where(seen, values, 0)
        frames = check_frames(values, self._names["features"], where)
        if rows and len(frames) != len(splits):
            raise ValueError(
                f"{where}: expected a row for each of {len(splits)} splits, found {len(frames)}"
            )
        if not rows and not len(frames):
            raise ValueError(f"{where}: expected at least 1 frame, found none: leave it out")
        if (context is not None) != bool(self._names["context"]):
            raise ValueError(
                f"{where}: expected {'a' if self._names['context'] else 'no'} context "
                f"{self._names['context']}, found {'none' if context is None else 'one'}"
            )
        if context is not None:
            beside = check_frames(context, self._names["context"], f"context of {where}")
            if len(beside) != len(frames):
                raise ValueError(
                    f"context of {where}: expected a row for each of {len(frames)} frames, found "
                    f"{len(beside)}"
                )
            self._pending["context"].append(beside)
        self._pending["values"].append(frames)
        if seen is not None:
            self._pending["observed"].append(seen)
        first = self._offsets[-1]
        ends = range(first + 1, first + len(frames) + 1) if rows else [first + len(frames)]
        self._offsets.extend(ends)
        self._splits.extend(numbers)
        if self._offsets[-1] - self._flushed >= _PENDING // (4 * len(self._names["features"])):
            self._flush(self._file)

    def _finish(self) -> None:
        if self._file is None or not self._splits:
            raise ValueError(
                f"{self.path}: expected at least one sequence, found none: nothing written"
            )
        self._flush(self._file)
        self._file.create_dataset("offsets", data=np.asarray(self._offsets, np.int64))
        self._file.create_dataset("split", data=np.asarray(self._splits, np.int8))
        if self._texts:
            self._file.create_dataset("text", data=self._texts, dtype=h5py.string_dtype())
        self._file.close()
        with self._partial.open("rb") as file:
            os.fsync(file.fileno())
        self._partial.replace(self.path)

    def _flush(self, file: h5py.File) -> None:
        # HDF5 takes a millisecond a call: too long for each of many short sequences.
        for name, rows in self._pending.items():
            if rows:
                dataset = file[name]
                dataset.resize(self._offsets[-1], axis=0)
                dataset[self._flushed :] = np.concatenate(rows)
                rows.clear()
        self._flushed = self._offsets[-1]

    def _discard(self) -> None:
        try:
            if self._file is not None:
                self._file.close()  # which raises where the disk is full
        finally:
            self._file = None
            self._partial.unlink(missing_ok=True)


def _create(
    file: h5py.File, name: str, features: int, dtype: type[np.generic] = np.float32
) -> None:
    file.create_dataset(
        name,
        shape=(0, features),
        maxshape=(None, features),
        dtype=dtype,
        chunks=(max(1, _CHUNK // (4 * features)), features),
        compression="gzip",
        shuffle=True,
        track_times=False,
    )
