"""Attacks that are known by name, on what reads raw data; others stand beside what they attack."""

import gzip
import json
import pickle
import re
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from data_prep import idx, matlab
from data_prep.arff import read_arff
from data_prep.object_arrays import read_pickled_arrays
from data_prep.quickdraw import prepare as prepare_quickdraw
from data_prep.sources import read_arrays, read_zip
from data_prep.whiteboard import read_whiteboard
from seqmdn.data import read_pen_file
from seqmdn.data.audio import AudioError, read_recording
from seqmdn.data.conversion import convert_recording

ROOT = Path(__file__).resolve().parents[2]
UPWARD = ["../out.txt", "../../out.txt", "/out.txt", "a/../../out.txt", "C:\\out.txt"]


def listing(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def test_a_member_that_leads_elsewhere_is_a_name(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    with zipfile.ZipFile(inside / "a.zip", "w") as archive:
        for name in UPWARD:
            archive.writestr(name, "text")
        link = zipfile.ZipInfo("link.txt")
        link.external_attr = 0o120777 << 16  # a symbolic link
        archive.writestr(link, "/etc/passwd")
    before = listing(tmp_path)
    found = read_zip(inside / "a.zip", ".txt")
    assert [name for name, _ in found] == [*UPWARD, "link.txt"]
    assert {content for _, content in found} == {b"text", b"/etc/passwd"}
    assert listing(tmp_path) == before


@pytest.mark.parametrize("size", [2**32 - 1, 10 * 2**30])
def test_an_archive_that_says_it_becomes_gigabytes_is_not_unpacked(
    tmp_path: Path, size: int
) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a.txt", "b.txt"):
            archive.writestr(name, bytes(2**20))
    said = struct.pack("<I", 2**20)
    path.write_bytes(path.read_bytes().replace(said, struct.pack("<I", min(size, 2**32 - 2))))
    with pytest.raises(ValueError, match=r"a\.zip: expected at most 4294967296 bytes"):
        read_zip(path, ".txt")
    with pytest.raises(ValueError, match=r"a\.zip: expected at most 4294967296 bytes"):
        read_arrays(path, ["a"])


def test_a_gzip_bomb_is_left_at_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx, "LARGEST_STREAM", 2**24)
    (tmp_path / "a.gz").write_bytes(gzip.compress(bytes(2**25)))
    with pytest.raises(ValueError, match=r"a\.gz: expected at most 16777216 bytes once unpacked"):
        idx.read_bytes(tmp_path / "a.gz")


def test_a_matrix_that_becomes_gigabytes_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"m": np.arange(6.0).reshape(2, 3)}, do_compression=True)
    assert matlab.read_matrix(path, "m").shape == (2, 3)
    monkeypatch.setattr(matlab, "LARGEST_STREAM", 2**20)
    packed = zlib.compress(struct.pack("<II", 14, 2**22) + bytes(2**22))
    head = path.read_bytes()[:128]
    path.write_bytes(head + struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(ValueError, match=r"a\.mat: expected at most 1048576 bytes once unpacked"):
        matlab.read_matrix(path, "m")


def test_a_pickle_that_remembers_by_a_large_number_takes_no_memory(tmp_path: Path) -> None:
    # Python's own unpickler makes a table of 2^31 places of these bytes.
    (tmp_path / "data_batch_1").write_bytes(b"\x80\x02}r" + struct.pack("<I", 2**31 - 1) + b".")
    tracemalloc.start()
    with pytest.raises(ValueError, match="data_batch_1: expected a pickled dictionary"):
        read_pickled_arrays(tmp_path / "data_batch_1", ("data", "labels"))
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()
    content = {b"data": np.zeros((2, 3), np.uint8), b"labels": [1, 2]}
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(content, 2))
    assert read_pickled_arrays(tmp_path / "data_batch_1", ("data",))["data"].shape == (2, 3)


@pytest.mark.parametrize("number", ["1e400", "-1e400", "NaN", "Infinity", "-Infinity", "1" * 5000])
def test_numbers_that_are_none_are_refused(tmp_path: Path, number: str) -> None:
    drawing = {"key_id": "1", "word": "cat", "recognized": True, "drawing": [[[0, 7], [0, 9]]]}
    text = json.dumps(drawing)
    (tmp_path / "a.ndjson").write_text(text.replace("7", number))
    with pytest.raises(ValueError, match=r"a\.ndjson, line 1: expected a drawing"):
        prepare_quickdraw(tmp_path / "a.ndjson", tmp_path / "a.h5")
    (tmp_path / "a.json").write_text(f'{{"strokes": [[[0, {number}], [1, 2]]]}}')
    with pytest.raises(ValueError, match=r"a\.json"):
        read_pen_file(tmp_path / "a.json")
    (tmp_path / "a.csv").write_text(f"stroke,x,y\n1,0,0\n1,{number}0,1\n")
    with pytest.raises(ValueError, match=r"a\.csv, line 3: expected a stroke and finite numbers"):
        read_pen_file(tmp_path / "a.csv")


def test_a_drawing_larger_than_any_canvas_is_refused(tmp_path: Path) -> None:
    stroke = [[1e308, -1e308], [0, 9], [0, 1]]
    drawing = {"key_id": "1", "word": "cat", "recognized": True, "drawing": [stroke]}
    (tmp_path / "a.ndjson").write_text(json.dumps(drawing))
    with pytest.raises(ValueError, match=r"a\.ndjson, line 1: .* of no canvas and no clock"):
        prepare_quickdraw(tmp_path / "a.ndjson", tmp_path / "a.h5")


def test_lists_in_lists_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text("[" * 100_000)
    with pytest.raises(ValueError, match=r"a\.ndjson, line 1: expected a drawing"):
        prepare_quickdraw(tmp_path / "a.ndjson", tmp_path / "a.h5")
    (tmp_path / "a.json").write_text('{"strokes":' * 100_000)
    with pytest.raises(ValueError, match=r"a\.json: expected JSON that Python can hold"):
        read_pen_file(tmp_path / "a.json")


def test_a_cell_without_an_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('stroke,x,y\n1,0,"' + "0" * 200_000)
    with pytest.raises(ValueError, match=r"a\.csv, line 2: expected cells of text"):
        read_pen_file(tmp_path / "a.csv")
    (tmp_path / "a.arff").write_text("@relation a\n@attribute '" + "\\" * 100_000 + "\n@data\n1\n")
    with pytest.raises(ValueError, match=r"a\.arff, line 2"):
        read_arff(tmp_path / "a.arff")


@pytest.mark.parametrize("encoding", ["hex", "rot13", "idna", "nothing", "utf-7"])
def test_xml_in_an_encoding_of_another_kind_is_refused(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.xml").write_text(f'<?xml version="1.0" encoding="{encoding}"?><a/>')
    with pytest.raises(ValueError, match=r"a\.xml"):
        read_whiteboard(tmp_path / "a.xml")


def wav(announced: int) -> bytes:
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16_000, 2, 16)
    data = struct.pack("<4sI", b"data", announced) + bytes(range(200))
    return struct.pack("<4sI4s", b"RIFF", 2**32 - 1, b"WAVE") + form + data


def flac() -> bytes:
    # A block of 16 samples at 8 kHz, one channel of 16 bits, 2^36 - 1 samples in all.
    rest = 8000 << 44 | 15 << 36 | (2**36 - 1)
    info = struct.pack(">HH", 16, 16) + bytes(6) + struct.pack(">Q", rest) + bytes(16)
    return b"fLaC" + bytes([0x80, 0, 0, 34]) + info


def sphere() -> bytes:
    lines = ["NIST_1A", "   1024", "channel_count -i 1", "sample_count -i 2147483648"]
    lines += ["sample_rate -i 8000", "sample_n_bytes -i 2", "sample_byte_format -s2 01"]
    lines += ["sample_sig_bits -i 16", "end_head", ""]
    return "\n".join(lines).encode().ljust(1024) + bytes(range(200))


@pytest.mark.parametrize(
    "content", [wav(2**31 - 2**17), flac(), sphere()], ids=["wav", "flac", "sphere"]
)
def test_a_header_of_2_31_samples_takes_no_memory(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.sound"
    path.write_bytes(content)
    for read in (read_recording, lambda file: convert_recording(file, 4000)):
        tracemalloc.start()
        with pytest.raises(AudioError):
            read(path)
        assert tracemalloc.get_traced_memory()[1] < 2**25
        tracemalloc.stop()


# What opens a door: whoever opens another one adds it to the doors that are tried.
DOORS = {
    r"\btarfile\b": [],
    r"\bextractall\b": [],
    r"allow_pickle=True": [],
    r"\bpickle\.loads?\(": [],
    r"\bjoblib\b": [],
    r"\byaml\.(?!safe_)\w*load": [],
    r"(?<![\w.])(eval|exec)\(": [],
    r"\btorch\.load\(": ["seqmdn/reading/tensors.py"],
    r"\bImage\.open\(": ["seqmdn/plotting/page.py"],  # of what was drawn just now
    r"\bnp\.load\(": ["seqmdn/reading/archives.py"],
    r"\b(gzip|zlib|bz2|lzma)\.(decompress|open)\(": [],
    r"\bjson\.loads?\(": [
        "data_prep/quickdraw.py",
        "seqmdn/compare.py",  # what a process of its own has written
        "seqmdn/reading/documents.py",
    ],
}


@pytest.mark.parametrize("pattern", DOORS)
def test_files_come_in_by_known_doors(pattern: str) -> None:
    found = [
        path.relative_to(ROOT).as_posix()
        for folder in ("seqmdn", "data_prep")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if re.search(pattern, re.sub(r">>>.*", "", path.read_text(encoding="utf-8")))
    ]
    assert sorted(found) == DOORS[pattern]
