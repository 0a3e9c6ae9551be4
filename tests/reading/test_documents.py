"""Text and JSON that are none, or that Python cannot hold."""

import json
from pathlib import Path

import pytest

from seqmdn.reading import documents, parse_json, read_json, read_json_value, read_text


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    content = {"a": [1, 2.5, None, "é"]}
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert read_json(tmp_path / "a.json") == content
    (tmp_path / "a.txt").write_bytes("é".encode("latin-1"))
    assert read_text(tmp_path / "a.txt", "latin-1") == "é"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "expected JSON, found none"),
        (b'{"a": 1,\n "b": }', r"line 2: expected JSON, found none"),
        (b"[" * 100_000, "expected JSON that Python can hold"),
        (b'{"a":' * 100_000, "expected JSON that Python can hold"),
        (b"1" * 5000, "expected JSON that Python can hold"),
        (b"\xff{}", "expected text in UTF-8"),
        (b"[]", "expected a JSON object, found '\\[\\]'"),
    ],
    ids=["empty", "no value", "lists", "objects", "digits", "bytes", "another kind"],
)
def test_what_is_no_json_is_refused(tmp_path: Path, text: bytes, words: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=words) as caught:
        read_json(path, dict)
    assert str(caught.value).startswith(str(path))


def test_a_text_beyond_the_bound_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("abc")
    monkeypatch.setattr(documents, "LARGEST_DOCUMENT", 2)
    with pytest.raises(ValueError, match=r"a\.txt: expected at most 2 bytes of text, found 3"):
        read_text(path)


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "a.json")


def test_a_value_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"a": {"b": 3}, "c": []}')
    assert read_json_value(path, "a", "b") == 3
    for keys in (("b",), ("a", "c"), ("c", "d"), ("a", "b", "c")):
        with pytest.raises(ValueError, match=rf"a\.json: expected a value of {'.'.join(keys)}"):
            read_json_value(path, *keys)


def test_a_line_is_named_by_its_place() -> None:
    with pytest.raises(ValueError, match="a.ndjson, line 7, line 1: expected JSON"):
        parse_json(b"{", "a.ndjson, line 7")
