"""Raw files as their owners ship them: where they lie, what they are, and the command around them.

A preparation reads a folder, ``--source`` or the one of its name in the folder that
``$SEQMDN_DATA`` names. What is missing, cut off or something else ends the command with one line
that says what was expected, what was found and what to do; a store names its sources by their
SHA-256.
"""

from __future__ import annotations

__all__ = [
    "advance",
    "command_line",
    "find_files",
    "folder_sha256",
    "origin",
    "read_arrays",
    "read_zip",
    "require_file",
    "run",
]

import argparse
import hashlib
import os
import sys
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from rich.console import Console
from rich.progress import track

from seqmdn.data import Store, file_sha256
from seqmdn.reading import check_members, read_member, read_npz

Item = TypeVar("Item")


def command_line(
    name: str, what: str, layout: str, folder: str | None = None
) -> argparse.ArgumentParser:
    """Gives the options that every preparation has, for more to be added.

    Args:
        name: Of the module in ``data_prep``, of the store, and of the folder by default.
        what: What the store will hold, in a sentence after "Write".
        layout: What the folder has in it, such as the archives' names.
        folder: Name of the folder in the one that ``$SEQMDN_DATA`` names.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m data_prep.{name}", description=f"Write {what} as one HDF5 store."
    )
    parser.add_argument(
        "--source",
        type=Path,
        help=f"folder with {layout}, default: {folder or name} in the folder that $SEQMDN_DATA "
        "names",
    )
    parser.add_argument(
        "--out", type=Path, default=Path(f"data/{name}.h5"), help="default: %(default)s"
    )
    parser.set_defaults(layout=layout, folder=folder or name)
    return parser


def run(
    parser: argparse.ArgumentParser,
    prepare: Callable[..., Sequence[str] | None],
    arguments: list[str] | None,
) -> None:
    """Runs a preparation as a command; what is wrong with its files ends it with one line.

    Args:
        parser: Of :func:`command_line`.
        prepare: Takes the source, then every option by its name; says what was left away, if
            anything can be.
        arguments: Of the command; those of the process by default.
    """
    options = vars(parser.parse_args(arguments))
    source, layout, folder = (options.pop(key) for key in ("source", "layout", "folder"))
    try:
        said = prepare(_default(layout, folder) if source is None else source, **options)
    except (OSError, ValueError, ImportError) as error:
        sys.exit(f"{parser.prog.removeprefix('python -m ')}: {error}")
    print("\n".join([*(said or ()), f"wrote {Store(options['out'])}"]))


def require_file(path: Path, what: str, remedy: str = "") -> None:
    """Refuses a path without a file.

    Raises:
        FileNotFoundError: If there is none; with the remedy, what to do.
    """
    if not path.is_file():
        more = f": {remedy}" if remedy else ""
        raise FileNotFoundError(f"expected {what} at {path}, found no such file{more}")


def read_zip(path: Path, ending: str) -> list[tuple[str, bytes]]:
    """Reads the members of an archive with this ending, in its order, by their names in it.

    Nothing is written: a name that leads elsewhere is a name, and no more.

    Raises:
        ValueError: If it is no whole zip archive, or its members would take more than
            ``seqmdn.reading.LARGEST_ARCHIVE`` bytes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_members(archive, str(path))
            return [
                (member.filename, read_member(archive, member))
                for member in archive.infolist()
                # macOS put what it knows of each file beside it.
                if member.filename.endswith(ending) and not member.filename.startswith("__MACOSX")
            ]
    # Damaged bytes lead zipfile to errors of many kinds, a seek to a place before the file's
    # beginning, a way to compress or a password that there is not among them.
    except Exception as error:
        of_the_file = isinstance(error, OSError) and error.filename is not None
        if of_the_file or str(error).startswith(str(path)):
            raise
        raise ValueError(
            f"{path}: expected a whole zip archive, found something else ({error}): download it "
            "again"
        ) from error


def read_arrays(
    path: Path, names: Sequence[str], remedy: str = "download it again"
) -> list[np.ndarray]:
    """Reads arrays of these names from an npz archive; nothing is unpickled.

    Raises:
        ValueError: If it is no such archive, or has none of a name.
    """
    try:
        found = read_npz(path, names)
    except ValueError as error:
        raise ValueError(f"{error}: {remedy}") from error
    return [found[name] for name in names]


def origin(path: Path) -> dict[str, str]:
    """Gives a file as a store names its source."""
    return {"file": path.name, "sha256": file_sha256(path)}


def folder_sha256(folder: Path, names: Iterable[str]) -> str:
    """Gives one SHA-256 for many files: that of the lines that ``sha256sum`` prints of them."""
    lines = [f"{file_sha256(folder / name)}  {name}\n" for name in sorted(names)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def find_files(folder: Path, endings: Sequence[str]) -> list[str]:
    """Names the files in a folder and all below it with one of these endings, in any letter case.

    Hidden ones are left out: macOS puts what it knows of each file beside it as ``._NAME``.

    Raises:
        FileNotFoundError: If there is no such folder, or no such file in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"expected a folder at {folder}, found none: give it as --source")
    found = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in endings and not path.name.startswith(".") and path.is_file()
    )
    if not found:
        inside = sorted(path.name for path in folder.iterdir())[:5]
        raise FileNotFoundError(
            f"expected files {', '.join(endings)} in {folder}, found none among "
            f"{', '.join(inside) or 'nothing'}: give the folder that holds them as --source"
        )
    return found


def advance(items: Sequence[Item], what: str) -> Iterable[Item]:
    """Gives the items, and shows how far they are where the error stream is a terminal."""
    if not sys.stderr.isatty():
        return items
    return track(items, description=what, console=Console(stderr=True), transient=True)


def _default(layout: str, folder: str) -> Path:
    """Names the folder in that of all data."""
    root = os.environ.get("SEQMDN_DATA")
    if not root:
        raise ValueError(f"expected --source FOLDER (with {layout}) or $SEQMDN_DATA, found neither")
    return Path(root) / folder
