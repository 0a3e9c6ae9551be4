"""Compressed files from elsewhere: unpacked as far as a bound, never onto the disk."""

import io
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LARGEST_ARCHIVE",
    "LARGEST_STREAM",
    "check_members",
    "gunzip",
    "inflate",
    "read_member",
    "read_npz",
]

#: Bytes that all members of a zip archive may take together once they are unpacked.
LARGEST_ARCHIVE = 2**32
#: Bytes that one compressed stream may become.
LARGEST_STREAM = 2**30

_BLOCK = 2**24
_GZIP = 16 + zlib.MAX_WBITS
# Others (bzip2, LZMA) unpack a block to any size before its size can be looked at.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def check_members(archive: zipfile.ZipFile, where: str) -> None:
    """Refuse an archive whose members would take too much, or are compressed in a rare way.

    What the directory says of a member's size binds :func:`read_member`, so that it cannot lie.

    Raises:
        ValueError: If it is such an archive; the message begins with ``where``.
    """
    members = archive.infolist()
    if (total := sum(member.file_size for member in members)) > LARGEST_ARCHIVE:
        raise ValueError(
            f"{where}: expected at most {LARGEST_ARCHIVE} bytes once unpacked, found {total}: give "
            "a part, or download it again"
        )
    for member in members:
        if member.compress_type not in _METHODS:
            raise ValueError(
                f"{where}: expected members that are stored or deflated, found {member.filename!r} "
                f"compressed by method {member.compress_type}: pack it again"
            )


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Read a member of an archive, block by block: no more of it than the directory says."""
    whole = io.BytesIO()
    with archive.open(member) as stream:
        while block := stream.read(_BLOCK):
            whole.write(block)
    return whole.getvalue()


def gunzip(content: bytes, where: str, largest: int = LARGEST_STREAM) -> bytes:
    """Unpack a gzip file of one or more parts.

    Raises:
        ValueError: If it is damaged, cut off, or becomes more than ``largest`` bytes; the message
            begins with ``where``.

    Example:
        >>> import gzip
        >>> gunzip(gzip.compress(b"a" * 5), "a.gz")
        b'aaaaa'
    """
    whole = io.BytesIO()
    rest = content
    try:
        while rest:
            rest = _unpack(rest, _GZIP, where, largest, whole).lstrip(b"\0")
    except (EOFError, zlib.error) as error:
        raise ValueError(
            f"{where}: expected a whole gzip file, found {len(content)} bytes of a damaged one "
            f"({error}): download it again"
        ) from error
    return whole.getvalue()


def inflate(content: bytes, where: str, largest: int = LARGEST_STREAM) -> bytes:
    """Unpack a zlib stream; what lies behind it is left.

    Raises:
        EOFError: If it is cut off.
        ValueError: If there are more than ``largest``; the message begins with ``where``.
        zlib.error: If it is damaged.

    Example:
        >>> inflate(zlib.compress(b"abc"), "a.mat")
        b'abc'
    """
    whole = io.BytesIO()
    _unpack(content, zlib.MAX_WBITS, where, largest, whole)
    return whole.getvalue()


def read_npz(path: str | os.PathLike[str], names: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
    """Read plain arrays from an npz archive; nothing is unpickled.

    Args:
        path: The archive.
        names: Of the arrays; all of them by default.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is no such archive or has none of a name; the message names the file.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/a.npz", x=np.arange(3))
        ...     read_npz(f"{folder}/a.npz")["x"].tolist()
        [0, 1, 2]
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            with zipfile.ZipFile(file) as archive:
                check_members(archive, str(path))
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in names or arrays.files}
    # Damaged bytes lead zipfile and NumPy to errors of any kind, that of a size without bounds
    # among them.
    except Exception as error:
        of_the_file = isinstance(error, OSError) and error.filename is not None
        if of_the_file or str(error).startswith(str(path)):
            raise
        wanted = f"plain arrays {', '.join(names)}" if names else "plain arrays"
        raise ValueError(
            f"{path}: expected an npz archive of {wanted}, found something else "
            f"({str(error)[:200]})"
        ) from error


def _unpack(content: bytes, bits: int, where: str, largest: int, whole: io.BytesIO) -> bytes:
    """Unpack one stream onto what is there of the whole; give what lies behind it."""
    unpacking = zlib.decompressobj(bits)
    rest = content
    while not unpacking.eof:
        block = unpacking.decompress(rest, _BLOCK)
        rest = unpacking.unconsumed_tail
        if not block and not rest and not unpacking.eof:
            raise EOFError("it is cut off")
        if whole.tell() + len(block) > largest:
            raise ValueError(
                f"{where}: expected at most {largest} bytes once unpacked, found more: download it "
                "again"
            )
        whole.write(block)
    return unpacking.unused_data
