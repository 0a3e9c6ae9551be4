"""The one speaker's store: the list's split and words, and lists that are none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from data_prep.kathleen import main, prepare
from data_prep.sources import folder_sha256
from seqmdn.data import SPLITS, Store, file_sha256

LENGTHS = [1000, 450, 799, 600]


def sound(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(-900, 900, LENGTHS[number]).astype(np.int16)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small tree in the layout of the real one."""
    folder = tmp_path / "kathleen"
    (folder / "flac16k").mkdir(parents=True)
    entries = []
    for number, (length, split) in enumerate(
        zip(LENGTHS, ("train", "test", "valid", "train"), strict=True)
    ):
        name = f"arctic_a{number:04}_159274.flac"
        soundfile.write(folder / "flac16k" / name, sound(number), 16_000)
        words = {"id": f"a{number:04}", "text": f"Sentence {number}, é.", "split": split}
        entries.append({**words, "file": name, "samples": length, "source": "data/x.wav"})
    (folder / "metadata.json").write_text(json.dumps(entries), encoding="utf-8")
    return folder


def test_the_list_says_what_is_where(source: Path, tmp_path: Path) -> None:
    said = prepare(source, tmp_path / "a.h5")
    store = Store(tmp_path / "a.h5")
    assert store.splits.tolist() == [0, 2, 1, 0] and store.lengths.tolist() == [5, 2, 3, 3]
    for number, frames in enumerate(store.lengths):
        expected = sound(number)[: 200 * frames].reshape(-1, 200)
        np.testing.assert_array_equal(store.read(number)[0], expected)
        assert store.text(number) == f"Sentence {number}, é."
    assert said[0] == "249 samples behind the last whole frames dropped"
    names = [path.name for path in (source / "flac16k").iterdir()]
    assert store.attributes["source"] == [
        {"file": "metadata.json", "sha256": file_sha256(source / "metadata.json")},
        {"file": "flac16k/*.flac", "sha256": folder_sha256(source / "flac16k", names)},
    ]
    assert store.attributes["sample_rate"] == 16_000 and store.attributes["licence"] == "CC0"
    assert str(tmp_path).encode() not in (tmp_path / "a.h5").read_bytes()


def test_the_frame_is_an_option(source: Path, tmp_path: Path) -> None:
    main(["--source", str(source), "--frame", "64", "--out", str(tmp_path / "a.h5")])
    store = Store(tmp_path / "a.h5")
    assert store.features == 64 and store.lengths.tolist() == [n // 64 for n in LENGTHS]
    assert store.attributes["step"] == "frame of 64 samples"
    assert "--frame 64" in store.attributes["command"]


def test_strict_stops_where_others_are_left_out(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = source / "flac16k" / "arctic_a0001_159274.flac"
    path.write_bytes(b"no sound")
    words = ["--source", str(source), "--out", str(tmp_path / "a.h5")]
    with pytest.raises(SystemExit, match="^data_prep.kathleen: arctic_a0001.*expected a sound"):
        main([*words, "--strict"])
    path.unlink()
    main(words)
    said = capsys.readouterr().out
    assert "1 of 4 recordings left out\n  arctic_a0001_159274.flac: " in said
    assert "2/1/0 sequences" in said


def rewrite(source: Path, number: int, **changes: Any) -> None:
    path = source / "metadata.json"
    entries = json.loads(path.read_text(encoding="utf-8"))
    entries[number] = {**entries[number], **changes}
    path.write_text(json.dumps(entries), encoding="utf-8")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s: (s / "metadata.json").unlink(), "list of recordings at .*, found no such file"),
        (lambda s: (s / "metadata.json").write_text("{"), "metadata.json, line 1: expected JSON"),
        (lambda s: (s / "metadata.json").write_text("{}"), "expected a list of rec.*found '{}'"),
        (lambda s: (s / "metadata.json").write_text("[]"), r"expected a list of rec.*'\[\]'"),
        (lambda s: (s / "metadata.json").write_text("[1]"), "entry 0: expected a file name"),
        (lambda s: rewrite(s, 2, split="dev"), "entry 2: .*split of train, valid, test.*'dev'"),
        (lambda s: rewrite(s, 1, text=None), "entry 1: expected a file name, a text"),
        (lambda s: rewrite(s, 3, file="../a.flac"), "entry 3: expected a file name"),
        (lambda s: (s / "flac16k").rename(s / "wav"), "recordings in .*flac16k, found no such"),
    ],
)
def test_another_source_is_one_line(
    source: Path, tmp_path: Path, edit: Callable[[Path], object], message: str
) -> None:
    edit(source)
    with pytest.raises(SystemExit, match=f"^data_prep.kathleen: .*{message}") as error:
        main(["--source", str(source), "--out", str(tmp_path / "a.h5")])
    assert "\n" not in str(error.value) and not (tmp_path / "a.h5").exists()


def test_the_command_finds_the_folder(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQMDN_DATA", str(source.parent))
    main(["--out", str(tmp_path / "a.h5")])
    monkeypatch.delenv("SEQMDN_DATA")
    with pytest.raises(SystemExit, match="--source FOLDER .*found neither"):
        main(["--out", str(tmp_path / "b.h5")])


def test_real_recordings_are_all_there(data_root: Path, tmp_path: Path) -> None:
    said = prepare(data_root / "kathleen", tmp_path / "a.h5", strict=True)
    store = Store(tmp_path / "a.h5")
    assert [len(store.indices(split)) for split in SPLITS] == [389, 22, 18]
    assert said[0].startswith("42578 samples") and store.frames == 101_916
    assert store.text(0) == "Author of the danger trail, Philip Steels, etc."
