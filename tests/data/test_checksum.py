"""Sums that are kept: as good as computed anew, whatever happened to the file."""

import hashlib
import json
import os
import time
from pathlib import Path

import pytest

from seqmdn.data import checksum
from seqmdn.data.checksum import is_kept, kept_sha256

AGES = 10**9 * 60  # nanoseconds


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "large.h5"
    path.write_bytes(b"first")
    later(monkeypatch)
    return path


def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute goes by, without anyone waiting."""
    now = time.time_ns()
    monkeypatch.setattr(checksum.time, "time_ns", lambda: now + AGES)


def beside(path: Path) -> Path:
    return path.with_name(".large.h5.sha256")


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_sum_is_computed_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept_sha256(path, large=5) == digest(b"first")
    monkeypatch.setattr(checksum, "file_sha256", None)
    assert kept_sha256(path, large=5) == digest(b"first")
    kept = json.loads(beside(path).read_text())
    assert kept["sha256"] == digest(b"first") and kept["size"] == 5


def test_small_files_leave_nothing_beside_them(path: Path) -> None:
    assert kept_sha256(path, large=6) == kept_sha256(path) == digest(b"first")
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("way", ["in place", "with the old time", "another file", "swapped"])
def test_another_content_has_another_sum(
    path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_sha256(path, large=5)
    assert beside(path).exists()
    before = path.stat()
    time.sleep(0.02)  # of what the file system counts in
    if way in ("another file", "swapped"):
        other = path.with_name("other")
        other.write_bytes(b"other")
        if way == "swapped":
            os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
        other.replace(path)
    else:
        path.write_bytes(b"other")
        if way == "with the old time":
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert kept_sha256(path, large=5) == digest(b"other")
    later(monkeypatch)
    assert kept_sha256(path, large=5) == digest(b"other")
    assert json.loads(beside(path).read_text())["sha256"] == digest(b"other")


def test_a_file_that_changes_meanwhile_is_not_remembered(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = checksum.file_sha256

    def slow(path: Path) -> str:
        found = computed(path)
        path.write_bytes(b"a longer one")
        return found

    monkeypatch.setattr(checksum, "file_sha256", slow)
    assert kept_sha256(path, large=5) == digest(b"first")
    assert not beside(path).exists()


@pytest.mark.parametrize(("age", "waits"), [(0, [3.0]), (1, [2.0]), (3, []), (-60, [])])
def test_a_file_is_given_time_to_settle(
    path: Path, age: int, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, slept = path.stat(), []
    now = max(status.st_mtime_ns, status.st_ctime_ns) + age * 10**9
    monkeypatch.setattr(checksum.time, "sleep", slept.append)
    monkeypatch.setattr(checksum.time, "time_ns", lambda: now + int(1e9 * sum(slept)))
    assert kept_sha256(path, large=5) == digest(b"first")
    assert slept == waits
    # A time that is still to come says nothing of what happens until then.
    assert beside(path).exists() == (age >= 0)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b"{}", b'{"sha256": 3}', b"{"])
def test_what_lies_beside_and_is_no_sum_is_replaced(path: Path, content: bytes) -> None:
    beside(path).write_bytes(content)
    assert kept_sha256(path, large=5) == digest(b"first")
    assert json.loads(beside(path).read_text())["sha256"] == digest(b"first")


def test_a_sum_without_digits_does_not_count(path: Path) -> None:
    kept_sha256(path, large=5)
    kept = json.loads(beside(path).read_text())
    beside(path).write_text(json.dumps({**kept, "sha256": None}))
    assert kept_sha256(path, large=5) == digest(b"first")


def test_a_folder_that_cannot_be_written_is_no_reason_to_stop(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("read only")

    monkeypatch.setattr(checksum, "save_json", refuse)
    assert kept_sha256(path, large=5) == digest(b"first")
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("key", ["size", "inode", "modified", "changed"])
def test_a_sum_of_another_state_does_not_count(path: Path, key: str) -> None:
    kept_sha256(path, large=5)
    kept = json.loads(beside(path).read_text())
    beside(path).write_text(json.dumps({**kept, key: kept[key] + 1, "sha256": "0" * 64}))
    assert kept_sha256(path, large=5) == digest(b"first")


def test_a_copy_is_hashed_itself(path: Path, tmp_path: Path) -> None:
    kept_sha256(path, large=5)
    copy = tmp_path / "copies" / "large.h5"
    copy.parent.mkdir()
    copy.write_bytes(b"2nd x")
    beside(copy).write_bytes(beside(path).read_bytes())
    assert kept_sha256(copy, large=5) == digest(b"2nd x")


def test_a_sum_is_known_of_the_file_as_it_is(path: Path) -> None:
    assert not is_kept(path)
    kept_sha256(path, large=5)
    assert is_kept(path)
    path.write_bytes(b"other!")
    assert not is_kept(path)
