"""Sound in files: its levels, its order, and memory that does not grow with it."""

import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from seqmdn.data import Store
from seqmdn.data.sound import PAUSE, SoundForm, Written, save_sound, sound_form
from tests.small import write_store

FORM = SoundForm(rate=8000, size=4, full_scale=32768.0)
RNG = np.random.default_rng(0)


def pieces(values: np.ndarray, lengths: list[int]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Hand out sequences (B, T, D) step by step."""
    for t in range(max(lengths)):
        yield values[:, t], np.array([t < length for length in lengths])


def read(path: Path) -> np.ndarray:
    found, rate = soundfile.read(path, dtype="int16")
    assert rate == FORM.rate and soundfile.info(path).subtype == "PCM_16"
    return found


@pytest.mark.parametrize("ending", ["wav", "flac"])
@pytest.mark.parametrize("full_scale", [32768.0, 1.0])
def test_samples_are_rounded_to_steps(tmp_path: Path, ending: str, full_scale: float) -> None:
    values = RNG.uniform(-30_000, 30_000, (1, 5, 4))
    path = tmp_path / "new" / f"a.{ending}"
    form = FORM._replace(full_scale=full_scale)
    written = save_sound(path, pieces(values * full_scale / 32768, [5]), form)
    assert written == Written(frames=5, samples=20, clipped=0)
    np.testing.assert_array_equal(read(path), np.rint(values[0]).ravel())
    assert list(path.parent.iterdir()) == [path]


def test_sequences_follow_one_another_with_silence_between(tmp_path: Path) -> None:
    values = np.rint(RNG.uniform(-30_000, 30_000, (3, 5, 4)))
    lengths = [3, 5, 1]
    values[0, 3:] = np.nan  # what stands behind an end is nothing
    written = save_sound(tmp_path / "a.wav", pieces(values, lengths), FORM)
    assert written == Written(frames=5, samples=36, clipped=0)
    silence = np.zeros(round(PAUSE * 8000))
    rows = [row[:length].ravel() for row, length in zip(values, lengths, strict=True)]
    expected = np.concatenate([rows[0], silence, rows[1], silence, rows[2]])
    np.testing.assert_array_equal(read(tmp_path / "a.wav"), expected)


def test_what_is_too_loud_is_clipped_and_counted(tmp_path: Path) -> None:
    values = np.array([[[32767.4, 32767.6, -32768.4, -32768.6], [9e9, -9e9, 0, 1]]])
    written = save_sound(tmp_path / "a.wav", pieces(values, [2]), FORM)
    assert written.clipped == 4
    high, low = 32767, -32768
    assert read(tmp_path / "a.wav").tolist() == [high, high, low, low, high, low, 0, 1]


def test_memory_does_not_grow_with_the_sound(tmp_path: Path) -> None:
    form = FORM._replace(size=200)

    def silence(seconds: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for _ in range(form.frames(seconds)):
            yield np.zeros((3, 200), np.float32), np.ones(3, np.bool_)

    def peak(seconds: float) -> int:
        tracemalloc.start()
        written = save_sound(tmp_path / "a.wav", silence(seconds), form)
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert written.samples == 3 * seconds * 8000
        return highest

    peak(5)
    grown = peak(60) - peak(5)
    assert grown < 2**18, "60 s of three sequences are 2.9 MB"


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("old")

    def broken() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield np.zeros((2, 4)), np.ones(2, np.bool_)
        assert len(list(tmp_path.iterdir())) == 2, "written as it comes"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_sound(tmp_path / "a.wav", broken(), FORM)
    assert (tmp_path / "a.wav").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_without_soundfile_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'seqmdn\[speech\]'"):
        save_sound(tmp_path / "a.wav", [], FORM)


@pytest.mark.parametrize(
    ("seconds", "frames"), [(2, 80), (2.0001, 81), (1.1, 44), (0.001, 1), (1e-9, 1), (3600, 144000)]
)
def test_seconds_are_whole_frames_rounded_up(seconds: float, frames: int) -> None:
    form = SoundForm(rate=8000, size=200, full_scale=1.0)
    assert form.frames(seconds) == frames
    assert form.seconds(frames) == pytest.approx(frames / 40)
    # 0.07 * 400 is a hair above 28.
    assert SoundForm(rate=400, size=4, full_scale=1.0).frames(0.07) == 7


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_no_time_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="expected a positive number of seconds"):
        FORM.frames(seconds)


def test_the_form_is_that_of_the_store(tmp_path: Path) -> None:
    look = {"kind": "audio", "full_scale": 32768}
    sound = Store(write_store(tmp_path / "a.h5", sample_rate=16000.0, attributes=look))
    assert sound_form(sound) == SoundForm(16000, 2, 32768.0)
    for name, options, found in [
        ("b", {"sample_rate": 9.0}, "kind 'series'"),
        ("c", {"attributes": {"kind": "audio"}}, "no sample_rate"),
    ]:
        with pytest.raises(ValueError, match=f"walks is not sound: .*, found {found}"):
            sound_form(Store(write_store(tmp_path / f"{name}.h5", **options)))
