"""One HDF5 file a data set: sequences of frames, where they come from and what they are called."""

from __future__ import annotations

__all__ = ["SPLITS", "Store", "StoreWriter", "file_sha256"]

import hashlib
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

SPLITS = ("train", "valid", "test")

Array = NDArray[np.float32]
Attribute = str | bool | int | float | NDArray[Any]

FORMAT = "seqmdn"
VERSION = 1


class Store:
    """Reads a data set lazily: nothing but the sequences' lengths and names is held in memory.

    The file is opened once a process, also after a fork or after being sent to another process,
    with a chunk cache of 64 MiB, so that random windows do not decompress the same chunk over and
    over.

    Args:
        path: The file, as ``StoreWriter`` wrote it.

    Attributes:
        name: What the data set is called.
        unit: The unit of the values.
        names: The names of the D features.
        context_names: The names of the X features of the context, empty if there is none.
        lengths: (sequences,) int64, frames of each sequence.
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
        self._process = 0
        self._identity: tuple[int, int] | None = None
        self._sha256: str | None = None
        try:
            file = self._open()
            self.attributes = _read_attributes(self.path, file)
            self._offsets, self.splits = _check_layout(self.path, file, self.attributes)
        except (OSError, RuntimeError, KeyError) as error:
            self.close()
            if isinstance(error, FileNotFoundError):
                raise
            raise _damaged(self.path, error) from error
        except BaseException:
            self.close()
            raise
        self.name: str = self.attributes["name"]
        self.unit: str = self.attributes["unit"]
        self.names: list[str] = self.attributes["features"]
        self.context_names: list[str] = self.attributes["context"]
        self.lengths = np.diff(self._offsets)

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
        return int(self._offsets[-1])

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file, in hexadecimal digits."""
        if self._sha256 is None:
            self._sha256 = file_sha256(self.path)
        return self._sha256

    def indices(self, split: str) -> NDArray[np.int64]:
        """Gives the indices of a split's sequences in store order."""
        return np.flatnonzero(self.splits == _split_number(split))

    def read(
        self, index: int, start: int = 0, stop: int | None = None
    ) -> tuple[Array, Array | None]:  # (T, D), (T, X)
        """Reads frames ``start`` to ``stop`` (or to the end) of one sequence: values and context.

        Raises:
            IndexError: If there is no such sequence or no such frames.
            ValueError: If the frames are damaged or not finite.
        """
        length = self._length(index)
        stop = length if stop is None else stop
        if not 0 <= start < stop <= length:
            raise IndexError(
                f"{self.path}: expected frames within 0 and {length} of sequence {index}, found "
                f"{start} to {stop}"
            )
        first = int(self._offsets[index])
        rows = slice(first + start, first + stop)
        values = self._rows("values", rows, index)
        _check_finite(values, self.names, f"{self.path}: sequence {index}", start)
        if not self.context_names:
            return values, None
        context = self._rows("context", rows, index)
        _check_finite(
            context, self.context_names, f"{self.path}: context of sequence {index}", start
        )
        return values, context

    def text(self, index: int) -> str | None:
        """Gives the text that belongs to a sequence, or None if the store has none."""
        self._length(index)
        self._open()
        if "text" not in self._datasets:
            return None
        text: str = self._datasets["text"].asstr()[index]
        return text

    def close(self) -> None:
        """Closes the file; reading opens it again."""
        if self._file is not None:
            self._datasets = {}
            self._file.close()
            self._file = None

    def __len__(self) -> int:
        return len(self.lengths)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_datasets": {}}

    def __repr__(self) -> str:
        counts = [np.count_nonzero(self.splits == number) for number in range(len(SPLITS))]
        context = f" and {self.context_features} of context" if self.context_names else ""
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
        # HDF5 caches chunks for as long as a dataset is open.
        self._datasets = {
            key: self._file[key] for key in ("values", "context", "text") if key in self._file
        }
        return self._file

    def _length(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(
                f"{self.path}: expected a sequence from 0 to {len(self) - 1}, found {index}"
            )
        return int(self.lengths[index])

    def _rows(self, name: str, rows: slice, index: int) -> Array:
        self._open()
        try:
            array: Array = self._datasets[name][rows]
        except OSError as error:
            raise ValueError(
                f"{self.path}: expected to read sequence {index}, found its data damaged "
                f"({error}): prepare the store again"
            ) from error
        return array


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
            has fewer than two frames, frames of another width, values that are not finite, an
            unknown split, or context or text where others have none; on leaving the block, if there
            are no sequences.

    Example:
        >>> import tempfile
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
    ) -> None:
        self.path = Path(path)
        self._partial = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex}.partial")
        self._names = {"features": _check_names("features", features, least=1)}
        self._names["context"] = _check_names("context", context, least=0)
        if not name or not unit:
            raise ValueError(f"StoreWriter expected a name and a unit, found {name!r} and {unit!r}")
        if any({"file", "sha256"} - set(entry) for entry in source):
            raise ValueError(
                f"StoreWriter expected each source to have 'file' and 'sha256', found {source}"
            )
        self._attributes: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
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
            self._attributes[key] = _check_attribute(
                key, value, taken=[*self._attributes, *self._names]
            )
        self._file: h5py.File | None = None
        self._offsets = [0]
        self._splits: list[int] = []
        self._texts: list[str] = []
        self._pending: dict[str, list[Array]] = {"values": [], "context": []}
        self._flushed = 0

    def append(
        self,
        values: ArrayLike,
        split: str,
        context: ArrayLike | None = None,
        text: str | None = None,
    ) -> None:
        """Adds one sequence.

        Args:
            values: (T, D), T >= 2.
            split: ``"train"``, ``"valid"`` or ``"test"``.
            context: (T, X), row t belongs to frame t; where the store has context, each sequence
                has.
            text: Words that belong to the sequence; all sequences have some or none has.
        """
        if self._file is None:
            raise ValueError("StoreWriter.append expected to be called inside its with block")
        where = f"sequence {len(self._splits)}"
        number = _split_number(split)
        frames = _check_frames(values, self._names["features"], where)
        if len(frames) < 2:
            raise ValueError(
                f"{where}: expected at least 2 frames, found {len(frames)}: leave it out"
            )
        if (context is not None) != bool(self._names["context"]):
            raise ValueError(
                f"{where}: expected {'a' if self._names['context'] else 'no'} context "
                f"{self._names['context']}, found {'none' if context is None else 'one'}"
            )
        if self._splits and (text is not None) != bool(self._texts):
            raise ValueError(
                f"{where}: expected {'a' if self._texts else 'no'} text as in the sequences "
                f"before it, found {text!r}"
            )
        if context is not None:
            rows = _check_frames(context, self._names["context"], f"context of {where}")
            if len(rows) != len(frames):
                raise ValueError(
                    f"context of {where}: expected a row for each of {len(frames)} frames, found "
                    f"{len(rows)}"
                )
            self._pending["context"].append(rows)
        self._pending["values"].append(frames)
        self._offsets.append(self._offsets[-1] + len(frames))
        self._splits.append(number)
        if text is not None:
            self._texts.append(text)
        if self._offsets[-1] - self._flushed >= _PENDING // (4 * len(self._names["features"])):
            self._flush(self._file)

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file = h5py.File(self._partial, "x")
            for key, value in self._attributes.items():
                self._file.attrs[key] = value
            for key, names in self._names.items():
                self._file.attrs.create(key, names, dtype=h5py.string_dtype(), shape=(len(names),))
            _create(self._file, "values", len(self._names["features"]))
            if self._names["context"]:
                _create(self._file, "context", len(self._names["context"]))
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


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Gives the SHA-256 of a file, in hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_TYPES = {
    "values": "float32",
    "context": "float32",
    "offsets": "int64",
    "split": "int8",
    "text": "strings",
}
_CACHE = 64 * 2**20  # bytes of decompressed chunks
_PENDING = 2**20  # bytes of values that wait to be written
_CHUNK = 64 * 2**10  # bytes: small enough for a short window, large enough to compress
_LARGEST = 60_000  # bytes: HDF5 keeps an attribute in a header of at most 64 KiB
_MOST = _LARGEST // 16  # names: it keeps a reference of 16 bytes to each


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
    return h5py.File(path, "r", locking=False, rdcc_nbytes=_CACHE, rdcc_nslots=100_003)


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _damaged(path: Path, error: Exception) -> ValueError:
    return ValueError(
        f"{path}: expected a whole HDF5 file, found a truncated or damaged one ({error}): prepare "
        "or copy the store again"
    )


def _read_attributes(path: Path, file: h5py.File) -> dict[str, Any]:
    found = file.attrs.get("format")
    if not isinstance(found, str) or found != FORMAT:
        raise ValueError(
            f"{path}: expected a seqmdn store, found an HDF5 file whose attribute 'format' is "
            f"{found!r}: give the path of a file that a data_prep script wrote"
        )
    version = file.attrs.get("version")
    if version != VERSION:
        raise ValueError(
            f"{path}: expected format version {VERSION}, found {version!r}: prepare the store "
            "again, or use the seqmdn that wrote it"
        )
    attributes = {key: _plain(value) for key, value in file.attrs.items()}
    for key, kind in {"name": str, "unit": str, "features": list, "context": list}.items():
        if not isinstance(attributes.get(key), kind):
            raise ValueError(
                f"{path}: expected an attribute {key!r} ({'text' if kind is str else 'names'}), "
                f"found {attributes.get(key)!r}: prepare the store again"
            )
    try:
        attributes["source"] = json.loads(attributes.get("source", "[]"))
    except (TypeError, ValueError):
        raise ValueError(
            f"{path}: expected the attribute 'source' to be JSON, found {attributes['source']!r}: "
            "prepare the store again"
        ) from None
    return attributes


def _check_layout(
    path: Path, file: h5py.File, attributes: Mapping[str, Any]
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    again = "prepare the store again"
    needed = ["values", "offsets", "split", *(["context"] if attributes["context"] else [])]
    needed += ["text"] if "text" in file else []
    for name in needed:
        dataset = file.get(name)
        if not isinstance(dataset, h5py.Dataset):
            raise ValueError(f"{path}: expected a dataset {name!r}, found {sorted(file)}: {again}")
        dimensions = 2 if name in ("values", "context") else 1
        strings = h5py.check_string_dtype(dataset.dtype) is not None
        right = strings if name == "text" else dataset.dtype == _TYPES[name]
        if not right or dataset.ndim != dimensions:
            raise ValueError(
                f"{path}: expected {name!r} to be {_TYPES[name]} with {dimensions} dimensions, "
                f"found {dataset.dtype} of shape {dataset.shape}: {again}"
            )
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


def _ends(offsets: NDArray[np.int64]) -> str:
    if len(offsets) <= 6:
        return str(offsets.tolist())
    return f"{offsets[:3].tolist()} ... {offsets[-3:].tolist()}"


def _split_number(split: str) -> int:
    if split not in SPLITS:
        raise ValueError(f"expected a split of {', '.join(SPLITS)}, found {split!r}")
    return SPLITS.index(split)


def _check_names(what: str, names: Sequence[str], least: int) -> list[str]:
    listed = [names] if isinstance(names, str) else list(names)
    if not least <= len(listed) <= _MOST:
        raise ValueError(
            f"StoreWriter expected {what} to be {least} to {_MOST} names, found {len(listed)}"
        )
    if len(set(listed)) != len(listed) or not all(listed):
        raise ValueError(
            f"StoreWriter expected {what} to be names, none of them empty or twice there, found "
            f"{listed}"
        )
    return listed


def _check_attribute(key: str, value: Any, taken: Sequence[str]) -> Any:
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


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return [str(entry) for entry in value]
    return value


def _check_frames(values: ArrayLike, names: Sequence[str], where: str) -> Array:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf" or array.ndim != 2 or array.shape[1] != len(names):
        raise ValueError(
            f"{where}: expected numbers of shape (frames, {len(names)}) for {_few(names)}, found "
            f"{array.dtype} of shape {array.shape}"
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and refused as such
        frames = array.astype(np.float32)
    _check_finite(frames, names, where)
    return frames


def _check_finite(frames: Array, names: Sequence[str], where: str, start: int = 0) -> None:
    finite = np.isfinite(frames)
    if not finite.all():
        frame, feature = np.argwhere(~finite)[0]
        raise ValueError(
            f"{where}: expected finite float32 values, found {frames[frame, feature]} at frame "
            f"{frame + start}, feature {names[feature]!r} ({np.count_nonzero(~finite)} such "
            "values): mend or leave out the sequence"
        )


def _few(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{names[0]}, ..., {names[-1]}"


def _create(file: h5py.File, name: str, features: int) -> None:
    file.create_dataset(
        name,
        shape=(0, features),
        maxshape=(None, features),
        dtype=np.float32,
        chunks=(_CHUNK // (4 * features), features),
        compression="gzip",
        shuffle=True,
        track_times=False,
    )
