"""What a place is where bytes from elsewhere come in, and the words that formats share."""

import gzip
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

DOORS: dict[str, "Door"] = {}

TEXT = (b"NaN", b"Infinity", b"1e400", b"-1e308", b"9" * 5000, b"null", b"\xff\xfe", b"\0", b'"')
JSON = (*TEXT, b"[" * 3000, b'{"a":' * 3000, b"[]", b"{}", b'"\\ud800"', b"true")
TABLE = (*TEXT, b"," * 300, b'"' + b"a" * 140_000, b"\r", b"\n\n", b"?")
ZIP = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"../../a", b"__MACOSX/")
PICKLE = (
    *(b"c__builtin__\nbytearray\n", b"cos\nsystem\n", b"\x8e\0\0\0\0\1\0\0\0", b"\x85R"),
    *(
        b"r\xff\xff\xff\x7f",
        b"ctorch._utils\n_rebuild_sparse_tensor\n",
        b"\x8d",
        b"J\xff\xff\xff\x7f",
    ),
    *(b"ctorch\nDoubleStorage\n", b"}", b"]", b"(", b"t", b"\x86", b"2", b"0", b"s", b"u", b"."),
)


class Layer(NamedTuple):
    """A part of a file that can be changed under the checksums of the whole."""

    content: bytes
    pack: Callable[[bytes], bytes]


@dataclass(frozen=True)
class Door:
    """A reader of files from elsewhere.

    Attributes:
        name: What it reads.
        file: The name of the file that is changed.
        build: Writes a file that is right into a folder, and what belongs to it.
        read: Reads it, given its path.
        layers: Gives the parts below the whole.
        words: What means something in the format.
        named: Whether an error must name the file; where several are read together, that of a
            configuration names the key, and that of a whole data set the set.
    """

    name: str
    file: str
    build: Callable[[Path], None]
    read: Callable[[Path], Any]
    layers: Callable[[bytes], list[Layer]] = lambda content: []
    words: tuple[bytes, ...] = ()
    named: bool = True

    def warm(self) -> None:
        """Have everything imported that reading imports, before anything is forbidden."""
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            self.build(Path(folder))
            self.read(Path(folder) / self.file)


def add(door: Door) -> None:
    DOORS[door.name] = door


def of_zip(content: bytes) -> list[Layer]:
    """Give the members of a zip archive, each to be packed again with a right checksum."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(member, archive.read(member)) for member in archive.infolist()]

    def pack(changed: zipfile.ZipInfo, into: bytes) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for member, own in members:
                archive.writestr(member, into if member is changed else own)
        return stream.getvalue()

    def packer(member: zipfile.ZipInfo) -> Callable[[bytes], bytes]:
        return lambda into: pack(member, into)

    # Those that say what the others are come first; a hundred members of numbers are one kind.
    members.sort(key=lambda each: each[0].filename.endswith("data.pkl"), reverse=True)
    return [Layer(own, packer(member)) for member, own in members[:4]]


def of_gzip(content: bytes) -> list[Layer]:
    return [Layer(gzip.decompress(content), lambda into: gzip.compress(into, mtime=0))]
