"""A folder of chapters, of either kind, and pieces of half a second."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from data_prep.blizzard import main, prepare
from seqmdn.data import SPLITS, SequenceDataModule, Store
from tests.data_prep.sounds import blizzard, sound, write


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return blizzard(tmp_path / "raw")


def test_files_become_sequences_of_16_khz(source: Path, tmp_path: Path) -> None:
    said = prepare(source, tmp_path / "a.h5")
    store = Store(tmp_path / "a.h5")
    assert [len(store.indices(split)) for split in SPLITS] == [18, 1, 1]
    assert store.lengths.tolist() == [27_000 * 2 // 3 // 200] * 20
    assert store.text(0) is None and "text_is" not in store.attributes
    assert said[1] == "20 recordings resampled to 16000 samples a second: 20 from 24000"
    assert store.attributes["resampled"] == "20: 20 from 24000"
    expected = {"mixed_down": 0, "requantised": "0", "clipped_samples": 0, "left_out": 0}
    assert {key: store.attributes[key] for key in expected} == expected
    assert store.attributes["command"].endswith("--frame 200 --seed 0 --ending .wav")
    module = SequenceDataModule(tmp_path / "a.h5", length=40, per="sequence")
    module.setup()
    assert module.describe("train") | {"name": "", "sha256": ""} == {
        "name": "",
        "sha256": "",
        "sequences": 18 * 2,
        "frames": 18 * 80,
        "frames_left_out": 18 * 10,
    }


def test_the_split_follows_from_the_seed(source: Path, tmp_path: Path) -> None:
    splits = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        prepare(source, tmp_path / f"{name}.h5", seed=seed)
        splits.append(Store(tmp_path / f"{name}.h5").splits.tolist())
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert splits[0] == splits[1] != splits[2]


def test_two_kinds_are_not_mixed(source: Path, tmp_path: Path) -> None:
    for place in range(20):
        write(source / "more" / f"{place}.FLAC", sound(place), 16_000, format="FLAC")
        (source / "more" / f"{place}.FLAC").rename(source / "more" / f"{place}.MP3")
    with pytest.raises(ValueError, match="20 .mp3 and 20 .wav, .* name one with --ending"):
        prepare(source, tmp_path / "a.h5")
    main(["--source", str(source), "--out", str(tmp_path / "a.h5"), "--ending", ".mp3"])
    store = Store(tmp_path / "a.h5")
    assert store.lengths.tolist() == [4] * 20
    assert store.attributes["source"][0]["file"] == "**/*.mp3"


@pytest.mark.skipif("MP3" not in soundfile.available_formats(), reason="libsndfile without mp3")
def test_mp3_files_are_read(tmp_path: Path) -> None:
    for place in range(20):
        both = np.stack([sound(place, 30_000)] * 2, axis=1)
        write(tmp_path / "raw" / f"{place}.mp3", both, 44_100, format="MP3")
    said = prepare(tmp_path / "raw", tmp_path / "a.h5")
    assert said[0] == "20 recordings mixed down to one channel"
    assert said[2] == "20 recordings requantised to 16 bits: 20 from MPEG"
    assert Store(tmp_path / "a.h5").lengths.min() >= 54


@pytest.mark.parametrize("make", [False, True])
def test_a_folder_without_recordings_is_one_line(tmp_path: Path, make: bool) -> None:
    if make:
        (tmp_path / "raw").mkdir()
        (tmp_path / "raw" / "licence.txt").write_text("none")
    found = "expected files .wav, .mp3 in .*raw, found none among licence" if make else "found none"
    with pytest.raises(SystemExit, match=f"^data_prep.blizzard: .*{found}"):
        main(["--source", str(tmp_path / "raw"), "--out", str(tmp_path / "a.h5")])
