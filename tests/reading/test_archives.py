"""Archives that become large, and members with names that lead elsewhere."""

import gzip
import io
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from seqmdn.reading import archives, gunzip, inflate, read_member, read_npz

MEBIBYTE = 2**20


def test_gzip_of_several_parts_comes_back() -> None:
    parts = [b"abc", bytes(3 * MEBIBYTE)]
    packed = b"".join(gzip.compress(part) for part in parts)
    assert gunzip(packed, "a.gz") == gunzip(packed + bytes(9), "a.gz") == b"".join(parts)
    assert inflate(zlib.compress(parts[1]) + b"more", "a") == parts[1]


def test_a_gzip_bomb_is_left_at_the_bound() -> None:
    packing = zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS)
    packed = b"".join(packing.compress(bytes(2**24)) for _ in range(20)) + packing.flush()
    assert len(packed) < 2**19
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"a\.gz: expected at most 1048576 bytes once unpacked"):
        gunzip(packed, "a.gz", largest=MEBIBYTE)
    with pytest.raises(ValueError, match=r"a: expected at most 1048576 bytes once unpacked"):
        inflate(zlib.compress(bytes(2**25)), "a", largest=MEBIBYTE)
    assert tracemalloc.get_traced_memory()[1] < 2**27
    tracemalloc.stop()


@pytest.mark.parametrize("cut", [3, 15, -5])
def test_a_damaged_gzip_file_is_refused(cut: int) -> None:
    packed = gzip.compress(b"what it says" * 20)
    with pytest.raises(ValueError, match=r"a\.gz: expected a whole gzip file"):
        gunzip(packed[:cut], "a.gz")
    with pytest.raises(ValueError, match=r"a\.gz: expected a whole gzip file"):
        gunzip(packed + b"more", "a.gz")


def test_a_member_is_no_larger_than_the_directory_says(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(64 * MEBIBYTE))
    content = path.read_bytes()
    # The directory's number of bytes, which the member is unpacked to.
    path.write_bytes(content.replace(struct.pack("<I", 64 * MEBIBYTE), struct.pack("<I", 10)))
    tracemalloc.start()
    with zipfile.ZipFile(path) as archive, pytest.raises(zipfile.BadZipFile, match="CRC"):
        read_member(archive, archive.infolist()[0])
    assert tracemalloc.get_traced_memory()[1] < 48 * MEBIBYTE
    tracemalloc.stop()


def test_an_npz_archive_comes_back(tmp_path: Path) -> None:
    arrays = {"x": np.arange(6.0).reshape(2, 3), "y": np.array(["a", "b"])}
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    found = read_npz(tmp_path / "a.npz")
    assert list(found) == ["x", "y"] and all((found[k] == arrays[k]).all() for k in arrays)
    assert list(read_npz(tmp_path / "a.npz", ["y"])) == ["y"]


def npz(path: Path, header: str, numbers: bytes, method: int = zipfile.ZIP_DEFLATED) -> Path:
    text = header.encode().ljust(117) + b"\n"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x.npy", b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + numbers)
    return path


@pytest.mark.parametrize(
    ("header", "method", "words"),
    [
        (
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,)}",
            8,
            "expected an npz",
        ),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", 8, "allow_pickle=False"),
        ("{'descr': __import__('os').system('true'), 'shape': ()}", 8, "expected an npz"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}", 14, "compressed by method 14"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}", 12, "compressed by method 12"),
    ],
    ids=["size", "pickle", "code", "lzma", "bzip2"],
)
def test_a_hostile_npz_archive_is_refused(
    tmp_path: Path, header: str, method: int, words: str
) -> None:
    path = npz(tmp_path / "a.npz", header, bytes(8), method)
    with pytest.raises(ValueError, match=words) as caught:
        read_npz(path, ["x"])
    assert str(caught.value).startswith(str(path))


def test_an_archive_of_gigabytes_in_kilobytes_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = npz(tmp_path / "a.npz", "{'descr': '|u1', 'fortran_order': False, 'shape': (9,)}", b"9")
    monkeypatch.setattr(archives, "LARGEST_ARCHIVE", 100)
    with pytest.raises(ValueError, match="expected at most 100 bytes once unpacked, found 129"):
        read_npz(path)
    stream = io.BytesIO()
    np.savez(stream, x=np.zeros(1))
    path.write_bytes(stream.getvalue()[:-30])
    with pytest.raises(ValueError, match=r"a\.npz: expected an npz archive of plain arrays x"):
        read_npz(path, ["x"])


def test_a_missing_archive_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_npz(tmp_path / "a.npz")
