"""Files that are there whole or not at all."""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["remove_partial", "save_json", "save_text", "written_whole"]


@contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a hidden temporary name beside ``path``, renamed to it when the block ends.

    If the block raises anything, Ctrl-C included, the temporary file is removed and what bore the
    name before is left as it was. Folders that are missing are made.

    Raises:
        OSError: If the folder cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with written_whole(f"{folder}/note.txt") as partial:
        ...         _ = partial.write_text("all of it")
        ...     Path(f"{folder}/note.txt").read_text()
        'all of it'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The ending stays: some writers choose the format by it.
    partial = path.with_name(f".{uuid.uuid4().hex}.partial{path.suffix}")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
        _sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def remove_partial(folder: Path) -> None:
    """Remove what writers left in a folder that were killed; nobody may be writing there."""
    for partial in folder.glob(".*.partial*"):
        partial.unlink(missing_ok=True)


def save_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


def save_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file, whole or not at all."""
    save_text(path, json.dumps(content, indent=2) + "\n")


def _sync(folder: Path) -> None:
    """Let a name outlast a loss of power, where folders can be asked to."""
    if os.name == "posix":
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
