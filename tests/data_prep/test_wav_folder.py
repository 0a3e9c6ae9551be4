"""One's own recordings: rates, widths, texts, folders of parts."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep.wav_folder import main, prepare
from seqmdn.data import SPLITS, Store
from tests.data_prep.sounds import sound, write


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for place in range(10):
        write(tmp_path / "mine" / f"{place // 5}" / f"{place}.wav", sound(place), 11_025)
    return tmp_path / "mine"


def test_one_rate_is_kept_bit_by_bit(source: Path, tmp_path: Path) -> None:
    prepare(source, tmp_path / "a.h5", frame=100)
    store = Store(tmp_path / "a.h5")
    assert [len(store.indices(split)) for split in SPLITS] == [8, 1, 1]
    assert store.attributes["sample_rate"] == 11_025 and store.name == "mine"
    for place in range(10):
        np.testing.assert_array_equal(store.read(place)[0].ravel(), sound(place))
    assert "--rate 11025 --split 80,10,10" in store.attributes["command"]
    assert store.text(0) is None and str(tmp_path).encode() not in (tmp_path / "a.h5").read_bytes()


def test_mixed_rates_and_kinds_are_converted_where_a_rate_is_said(
    source: Path, tmp_path: Path
) -> None:
    both = np.stack([sound(20, 3000), sound(21, 3000)], axis=1)
    write(source / "b.flac", both, 22_050, subtype="PCM_24")
    write(source / "c.wav", np.array([0.5, 1.5, -0.5] * 300), 11_025, subtype="FLOAT")
    write(source / "d.wav", sound(22), 11_025, subtype="PCM_U8")
    write(source / "e.wav", sound(23), 8000)
    (source / "f.wav").write_bytes(b"")
    write(source / "g.wav", np.zeros(900), 11_025)
    with pytest.raises(ValueError, match="one rate, found 1 of 8000, 13 of 11025, 1 of 22050: say"):
        prepare(source, tmp_path / "a.h5")
    said = prepare(source, tmp_path / "a.h5", rate=11_025)
    assert said[:4] == [
        "1 recordings mixed down to one channel",
        "1 recordings resampled to 11025 samples a second: 1 from 22050",
        "3 recordings requantised to 16 bits: 1 from 24 bits, 1 from 8 bits, 1 from floats",
        "300 samples beyond 16 bits cut to the ends of their range, in 1 recordings",
    ]
    assert said[5].startswith("1 recordings use fewer levels than 16 bits have")
    left = said[-1].split("\n")
    assert left[0] == "3 of 16 recordings left out"
    for line, why in zip(left[1:], ("e.wav: expected 11025", "f.wav: exp", "g.wav: "), strict=True):
        assert line.startswith(f"  {why}")
    attributes = Store(tmp_path / "a.h5").attributes
    assert attributes["clipped_samples"] == 300 and attributes["left_out"] == 3
    with pytest.raises(SystemExit, match="^data_prep.wav_folder: e.wav: expected 11025"):
        words = ["--source", str(source), "--out", str(tmp_path / "b.h5"), "--strict"]
        main([*words, "--rate", "11025"])
    assert not (tmp_path / "b.h5").exists()


def test_texts_lie_beside_all_or_none(source: Path, tmp_path: Path) -> None:
    paths = sorted(source.rglob("*.wav"))
    for path in paths[1:]:
        path.with_suffix(".txt").write_text(f"says {path.stem}\n")
    with pytest.raises(ValueError, match="found one of 0/1.wav and none of 0/0.wav: add or remove"):
        prepare(source, tmp_path / "a.h5")
    paths[0].with_suffix(".txt").write_text("says 0")
    main(["--source", str(source), "--out", str(tmp_path / "a.h5"), "--text-is", "name"])
    store = Store(tmp_path / "a.h5")
    assert [store.text(place) for place in range(10)] == [f"says {place}" for place in range(10)]
    assert store.attributes["text_is"] == "name"


def test_folders_may_say_the_part(source: Path, tmp_path: Path) -> None:
    (source / "0").rename(source / "train")
    (source / "1").rename(source / "valid")
    with pytest.raises(ValueError, match="in each of the folders .*, found none in test: move"):
        prepare(source, tmp_path / "a.h5")
    write(source / "test" / "t.wav", sound(30), 11_025)
    prepare(source, tmp_path / "a.h5")
    store = Store(tmp_path / "a.h5")
    assert [len(store.indices(split)) for split in SPLITS] == [5, 5, 1]
    assert "--split" not in store.attributes["command"]
    write(source / "lost.wav", sound(31), 11_025)
    with pytest.raises(ValueError, match="all recordings in the folders .*found lost.wav: move it"):
        prepare(source, tmp_path / "a.h5")


def test_shares_are_an_option(source: Path, tmp_path: Path) -> None:
    words = ["--source", str(source), "--out", str(tmp_path / "a.h5"), "--split", "50,30,20"]
    main(words)
    store = Store(tmp_path / "a.h5")
    assert [len(store.indices(split)) for split in SPLITS] == [5, 3, 2]
    first = store.splits.tolist()
    main([*words, "--seed", "1"])
    assert Store(tmp_path / "a.h5").splits.tolist() != first


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s: s.rename(s.with_name("gone")), "a folder at .*mine, found none: give it as"),
        (
            lambda s: [p.rename(p.with_suffix(".wma")) for p in s.rglob("*.wav")],
            "expected files .wav, .flac, .* in .*, found none among 0, 1: give",
        ),
        (
            lambda s: [p.write_bytes(b"no") for p in s.rglob("*.wav")],
            "recordings of one rate, found none that can be read",
        ),
    ],
)
def test_another_source_is_one_line(
    source: Path, tmp_path: Path, edit: Callable[[Path], object], message: str
) -> None:
    edit(source)
    with pytest.raises(SystemExit, match=f"^data_prep.wav_folder: .*{message}") as error:
        main(["--source", str(source), "--out", str(tmp_path / "a.h5")])
    assert "\n" not in str(error.value) and not (tmp_path / "a.h5").exists()
