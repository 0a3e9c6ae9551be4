"""Bytes that were right, changed: cut, flipped, repeated, spliced, and numbers made extreme."""

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hypothesis import strategies as st

# What formats keep as lengths, counts, offsets and indices.
NUMBERS = [0, 1, 2, 127, 128, 255, 2**15 - 1, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1]
NUMBERS += [2**40, 2**63 - 1, 2**64 - 1]
KINDS = ["bit", "byte", "number", "cut", "remove", "repeat", "splice", "word"]
FULL = 2**16
FORM = struct.Struct("<BHHBBQ")  # of an edit: one draw of bytes is much faster than seven


class Edit(NamedTuple):
    """One change, at a share of the content's length, so that it fits any content."""

    kind: str
    at: int  # of FULL
    other: int  # of FULL
    size: int
    value: int
    width: int
    big: bool


def edits() -> st.SearchStrategy[bytes]:
    """Draw one to six changes, for :func:`change`."""
    return st.binary(min_size=FORM.size, max_size=6 * FORM.size)


def decode(drawn: bytes) -> Iterator[Edit]:
    for kind, at, other, size, how, value in FORM.iter_unpack(
        drawn[: len(drawn) // FORM.size * FORM.size]
    ):
        number = NUMBERS[value % len(NUMBERS)] if how & 8 else value
        yield Edit(
            KINDS[kind % len(KINDS)], at, other, size % 65, number, 1 << how % 4, bool(how & 4)
        )


def change(content: bytes, drawn: bytes, words: Sequence[bytes] = ()) -> bytes:
    """Carry out the changes; ``words`` are those of the format."""
    for edit in decode(drawn):
        content = _one(content, edit, words)
    return content


def _one(content: bytes, edit: Edit, words: Sequence[bytes]) -> bytes:
    at = edit.at * len(content) // FULL
    before, after = content[:at], content[at:]
    if edit.kind == "bit" and after:
        return before + bytes([after[0] ^ (1 << edit.value % 8)]) + after[1:]
    if edit.kind == "byte" and after:
        return before + bytes([edit.value % 256]) + after[1:]
    if edit.kind == "number":
        number = edit.value % 2 ** (8 * edit.width)
        return (
            before
            + number.to_bytes(edit.width, "big" if edit.big else "little")
            + (after[edit.width :])
        )
    if edit.kind == "cut":
        return before
    if edit.kind == "remove":
        return before + after[edit.size :]
    if edit.kind == "repeat":
        return before + after[: edit.size] * (edit.value % 300) + after
    if edit.kind == "splice":
        other = edit.other * len(content) // FULL
        piece = content[other : other + edit.size]
        return before + piece + after[edit.size if edit.big else 0 :]
    if edit.kind == "word" and words:
        return before + words[edit.value % len(words)] + after[edit.size if edit.big else 0 :]
    return content
