"""Pickles: what is plain comes back, and what would call, fill or delay is refused."""

import io
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from seqmdn.reading import NameStandIn, PlainUnpickler

PLAIN = {"a": [1, 2.5, None, True, b"b"], b"c": {"d": (1, (2, "e"))}, 3: []}


class Named(PlainUnpickler):
    def find_class(self, module: str, name: str) -> Any:
        return NameStandIn()


def load(content: bytes, kind: type[PlainUnpickler] = PlainUnpickler) -> Any:
    return kind(io.BytesIO(content)).load()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_is_plain_comes_back(protocol: int) -> None:
    # Before protocol 3, bytes are kept as a call.
    content = PLAIN if protocol >= 3 else {"a": [1, 2.5, None, True], 3: {"d": (1, (2, "e"))}}
    assert load(pickle.dumps(content, protocol)) == content


def test_no_name_is_reached(tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    content = b"cos\nmkdir\n(V" + str(trace).encode() + b"\ntR."
    with pytest.raises(pickle.UnpicklingError, match="the name os.mkdir"):
        load(content)
    assert load(content, Named) is None
    assert not trace.exists()
    pickle.loads(content)
    assert trace.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x05\x96" + (2**33).to_bytes(8, "little") + b".",
        b"(i__main__\na\n.",
        b"\x80\x04\x8f.",
        b"\x80\x02\x82\x01.",
        b"P1\n.",
    ],
    ids=["room", "instance", "set", "extension", "elsewhere"],
)
def test_what_plain_content_does_not_need_is_refused(content: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError):
        load(content)


def test_remembering_by_a_large_number_takes_no_memory() -> None:
    tracemalloc.start()
    assert load(b"\x80\x02K\x07r" + (2**31 - 1).to_bytes(4, "little") + b".") == 7
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02}" + b"K\x01K\x02\x86" + b"2\x86" * 60 + b"K\x01s.",
        b"\x80\x02}(" + b"K\x01K\x02\x86" + b"2\x86" * 60 + b"K\x01u.",
        b"\x80\x02(" + b"K\x01K\x02\x86" + b"2\x86" * 60 + b"K\x01d.",
    ],
    ids=["item", "items", "dictionary"],
)
def test_a_key_that_would_be_hashed_for_ever_is_refused(content: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError, match="a key of a dictionary that is a tuple"):
        load(content)


def test_a_stand_in_cannot_be_changed() -> None:
    with pytest.raises(pickle.UnpicklingError, match="a state for a name"):
        load(b"ca\nb\n}b.", Named)
