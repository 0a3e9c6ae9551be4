"""idx files: what is written by hand is read, and what is damaged is named with its sizes."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from data_prep.idx import find_idx, read_idx
from tests.data_prep.pictures import digits, idx

IMAGES, LABELS = digits(5, 0)


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_what_is_written_is_read(tmp_path: Path, pack: type[bytes]) -> None:
    found = read_idx(put(tmp_path / "a", pack(idx(IMAGES))), (28, 28))
    np.testing.assert_array_equal(found.records, IMAGES)
    assert found.count == 5
    np.testing.assert_array_equal(read_idx(put(tmp_path / "b", pack(idx(LABELS)))).records, LABELS)


def test_a_cut_between_records_leaves_those_before_it(tmp_path: Path) -> None:
    found = read_idx(put(tmp_path / "a", idx(IMAGES[:2], count=5)), (28, 28))
    np.testing.assert_array_equal(found.records, IMAGES[:2])
    assert found.count == 5


@pytest.mark.parametrize("name", ["a-idx1-ubyte", "a-idx1-ubyte.gz", "a.idx1-ubyte"])
def test_a_file_is_found_under_each_of_its_names(tmp_path: Path, name: str) -> None:
    path = put(tmp_path / name, b"")
    assert find_idx(tmp_path, "a-idx1-ubyte") == path
    with pytest.raises(FileNotFoundError, match=r"expected b-idx1-ubyte or b-idx1-ubyte.gz in"):
        find_idx(tmp_path, "b-idx1-ubyte")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx(IMAGES)[:-1], "expected 3920 bytes .5 records of 784.* or whole .*, found 3919: down"),
        (idx(IMAGES) + b"\0", "expected 3920 bytes .*found 3921"),
        (idx(IMAGES, count=4), "expected 3136 bytes .*found 3920"),
        (idx(IMAGES)[:11], "expected a header of 16 bytes, found a file of 11"),
        (idx(LABELS), "expected the magic number 00000803 .*, found 00000801: give"),
        (idx(IMAGES, magic=0x0D03), "found 00000d03, which is of float32"),
        (b"", "found an empty file"),
        (b"<html>", "found 3c68746d"),
        (idx(IMAGES[:, :27]), "expected records of 28 x 28, found 27 x 28: give"),
        (gzip.compress(idx(IMAGES))[:-9], "expected a whole gzip file, found .*download it again"),
        (b"\x1f\x8b\x08\0 no such thing", "expected a whole gzip file"),
    ],
)
def test_another_file_is_named_with_what_it_holds(
    tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read_idx(put(tmp_path / "a", content), (28, 28))
