"""What all preparations share: the folder, the archives, and one line for what is wrong."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from data_prep.sources import (
    advance,
    command_line,
    find_files,
    folder_sha256,
    origin,
    read_arrays,
    read_zip,
    require_file,
    run,
)
from seqmdn.data import StoreWriter


def prepare(source: Path, out: Path, scale: int) -> list[str]:
    require_file(source / "numbers.txt", "the numbers", "count again")
    with StoreWriter(
        out,
        features=["x"],
        name="numbers",
        unit="one",
        step="step",
        source=[origin(source / "numbers.txt")],
        licence="CC0",
        command="python -m data_prep.numbers",
    ) as writer:
        numbers = [[scale * float(word)] for word in (source / "numbers.txt").read_text().split()]
        for split in ("train", "valid", "test"):
            writer.append(numbers, split)
    return ["nothing was left away"]


def command(*arguments: object, folder: str | None = None) -> None:
    parser = command_line("numbers", "some numbers", "numbers.txt", folder)
    parser.add_argument("--scale", type=int, default=1)
    run(parser, prepare, [str(word) for word in arguments])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "raw" / "numbers"
    folder.mkdir(parents=True)
    (folder / "numbers.txt").write_text("1 2 3")
    return folder


def test_the_folder_is_the_one_named_or_the_one_of_all_data(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SEQMDN_DATA", str(tmp_path / "elsewhere"))
    command("--source", source, "--out", tmp_path / "a.h5", "--scale", 2)
    said = capsys.readouterr().out
    assert said.startswith("nothing was left away\nwrote ") and "1/1/1 sequences" in said
    monkeypatch.setenv("SEQMDN_DATA", str(source.parent))
    command("--out", tmp_path / "b.h5", "--scale", 2)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    source.rename(source.parent / "counted")
    command("--out", tmp_path / "c.h5", "--scale", 2, folder="counted")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "c.h5").read_bytes()


@pytest.mark.parametrize("value", [None, ""])
def test_no_folder_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv("SEQMDN_DATA", raising=False)
    else:
        monkeypatch.setenv("SEQMDN_DATA", value)
    expected = r"^data_prep.numbers: expected --source FOLDER \(with numbers.txt\) or \$SEQMDN_DATA"
    with pytest.raises(SystemExit, match=expected):
        command("--out", tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_is_one_line_with_what_to_do(source: Path, tmp_path: Path) -> None:
    (source / "numbers.txt").write_text("one")
    with pytest.raises(SystemExit, match="^data_prep.numbers: could not convert .*'one'"):
        command("--source", source, "--out", tmp_path / "a.h5")
    (source / "numbers.txt").unlink()
    message = "^data_prep.numbers: expected the numbers at .*txt, found no such file: count again$"
    with pytest.raises(SystemExit, match=message):
        command("--source", source, "--out", tmp_path / "a.h5")
    with pytest.raises(FileNotFoundError, match="found no such file$"):
        require_file(source, "the numbers")  # a folder is no file


def test_members_come_in_their_order_with_their_ending(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    members = [("b/2.txt", b"two"), ("a/1.txt", b"one"), ("a/1.md", b""), ("__MACOSX/1.txt", b"x")]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content)
    assert read_zip(path, ".txt") == members[:2]


def unknown_compression(content: bytes) -> bytes:
    """Names a way to compress that nobody has, in the member's own header and in the list."""
    found = bytearray(content)
    for header, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        found[content.index(header) + place] = 77
    return bytes(found)


def flipped(content: bytes) -> bytes:
    found = bytearray(content)
    found[40] ^= 0xFF
    return bytes(found)


@pytest.mark.parametrize(
    "damage", [unknown_compression, flipped, lambda content: content[:-30], lambda content: b""]
)
def test_an_archive_that_is_none_is_named(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.txt", b"many words " * 50)
    assert read_zip(path, ".txt") == [("1.txt", b"many words " * 50)]
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"a\.zip: expected (a whole zip|members that)"):
        read_zip(path, ".txt")


def test_a_source_is_named_by_its_digest(tmp_path: Path) -> None:
    for name, text in (("b.wav", "beta"), ("a.wav", "alpha")):
        (tmp_path / name).write_text(text)
    # printf alpha | sha256sum
    alpha = "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8"
    assert origin(tmp_path / "a.wav") == {"file": "a.wav", "sha256": alpha}
    # printf alpha > a.wav; printf beta > b.wav; sha256sum a.wav b.wav | sha256sum
    expected = "b56a1dee662bb39a6839e8d4b106124be6238f5b918b9be6b77ca74ebd4fb1ac"
    assert folder_sha256(tmp_path, ["b.wav", "a.wav"]) == expected


def test_files_are_found_in_all_folders_in_any_case(tmp_path: Path) -> None:
    for name in ("b.wav", "sub/a.WAV", "sub/deep/c.mp3", "._b.wav", "d.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.wav").mkdir()
    assert find_files(tmp_path, (".wav",)) == ["b.wav", "sub/a.WAV"]
    assert find_files(tmp_path, (".wav", ".mp3")) == ["b.wav", "sub/a.WAV", "sub/deep/c.mp3"]
    with pytest.raises(FileNotFoundError, match="files .ogg in .*none among ._b.wav, b.wav"):
        find_files(tmp_path, (".ogg",))
    with pytest.raises(FileNotFoundError, match="expected a folder at .*none, found none"):
        find_files(tmp_path / "none", (".wav",))


@pytest.mark.parametrize("terminal", [True, False])
def test_only_a_terminal_is_shown_how_far_it_is(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert list(advance([3, 1, 2], "recordings")) == [3, 1, 2]
    out, error = capfd.readouterr()
    assert not out and ("recordings" in error) == terminal


def test_arrays_are_read_by_name_and_nothing_is_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, a=np.arange(3), b=np.eye(2))
    b, a = read_arrays(path, ["b", "a"])
    assert a.tolist() == [0, 1, 2] and b.shape == (2, 2)
    with pytest.raises(ValueError, match=r"plain arrays a, c, found something else .*: again"):
        read_arrays(path, ["a", "c"], "again")
    np.savez(path, a=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="expected an npz archive of plain arrays a"):
        read_arrays(path, ["a"])
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match="expected an npz archive"):
        read_arrays(path, ["a"])
