"""Files from elsewhere: read within stated bounds, and refused in words that name them.

Whoever made a file may have made it to fill the memory, to run for ever or to have something run.
What is read here is held against a bound before it is unpacked, nothing in it is ever executed, and
whatever is wrong with it becomes a ``ValueError`` that begins with its path.
"""

from seqmdn.reading.archives import (
    LARGEST_ARCHIVE,
    LARGEST_STREAM,
    check_members,
    gunzip,
    inflate,
    read_member,
    read_npz,
)
from seqmdn.reading.documents import (
    LARGEST_DOCUMENT,
    parse_json,
    read_json,
    read_json_value,
    read_text,
)
from seqmdn.reading.pickles import NameStandIn, PlainUnpickler
from seqmdn.reading.tensors import read_tensors

__all__ = [
    "LARGEST_ARCHIVE",
    "LARGEST_DOCUMENT",
    "LARGEST_STREAM",
    "NameStandIn",
    "PlainUnpickler",
    "check_members",
    "gunzip",
    "inflate",
    "parse_json",
    "read_json",
    "read_json_value",
    "read_member",
    "read_npz",
    "read_tensors",
    "read_text",
]
