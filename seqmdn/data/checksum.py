"""The SHA-256 of files, which for large ones is computed once and kept beside them."""

from __future__ import annotations

__all__ = ["file_sha256", "is_kept", "kept_sha256"]

import hashlib
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from seqmdn.files import save_json
from seqmdn.reading import read_json

_LARGE = 2**30  # bytes: below it, hashing is quicker than a person notices
# A change this soon after another may bear the same time: file systems count in ticks, some of them
# of two seconds.
_SETTLED = 3 * 10**9


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Gives the SHA-256 of a file, in hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def kept_sha256(path: str | os.PathLike[str], large: int = _LARGE) -> str:
    """Gives the SHA-256 of a file, read from beside it where it was computed before.

    What was computed for ``NAME`` is kept in ``.NAME.sha256`` in the same folder, together with the
    file's inode, its size and the times at which content and inode last changed. It counts for a
    file that agrees in all of them; any other, such as a copy, is hashed anew. Of a file that was
    written just now, the first call waits for three seconds. Where the folder cannot be written, or
    a file bears a time that is still to come, nothing is kept.

    Args:
        path: The file.
        large: Bytes from which on anything is kept.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(f"{folder}/data")
        ...     _ = path.write_text("abc")
        ...     kept_sha256(path) == file_sha256(path), len(list(Path(folder).iterdir()))
        (True, 1)
    """
    path = Path(path)
    before = _state(path)
    if before["size"] < large:
        return file_sha256(path)
    if (known := _known(path, before)) is not None:
        return known
    latest = max(before["modified"], before["changed"])
    waiting = _SETTLED - (time.time_ns() - latest)
    if 0 < waiting <= _SETTLED:  # sooner than hashing once more
        time.sleep(waiting / 1e9)
    settled = time.time_ns() - latest >= _SETTLED
    digest = file_sha256(path)
    # What changed while it was read has no sum that could be trusted later.
    if settled and _state(path) == before:
        _keep(_beside(path), {"sha256": digest, **before})
    return digest


def is_kept(path: str | os.PathLike[str]) -> bool:
    """Says whether the SHA-256 of a file, as it is now, is known without reading it."""
    return _known(Path(path), _state(Path(path))) is not None


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.sha256")


def _known(path: Path, now: Mapping[str, int]) -> str | None:
    kept = _read(_beside(path))
    same = {key: kept.get(key) for key in now} == now
    return str(kept["sha256"]) if same and isinstance(kept.get("sha256"), str) else None


def _state(path: Path) -> dict[str, int]:
    status = path.stat()
    return {
        "size": status.st_size,
        "inode": status.st_ino,
        "modified": status.st_mtime_ns,
        "changed": status.st_ctime_ns,
    }


def _read(path: Path) -> dict[str, object]:
    try:
        kept = read_json(path)
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _keep(path: Path, content: dict[str, object]) -> None:
    with suppress(OSError):  # a folder that is read only, or full, is no reason to stop
        save_json(path, content)
