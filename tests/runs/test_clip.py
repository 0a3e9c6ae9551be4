"""Clips that draws go on from: every format, rate and width becomes frames of the store."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy import signal

from seqmdn.data import Store
from seqmdn.data.audio import AudioError
from seqmdn.runs import read_prime
from tests.small import write_store

SIZE, RATE = 4, 8000
SOUND = np.random.default_rng(0).integers(-30_000, 30_000, 1001).astype(np.int16)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    path = tmp_path_factory.mktemp("sound") / "sound.h5"
    look = {"kind": "audio", "full_scale": 32768.0}
    return Store(write_store(path, features=SIZE, sample_rate=RATE, attributes=look))


def written(path: Path, samples: np.ndarray, rate: int = RATE, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.aiff"])
def test_whole_frames_are_those_of_the_file(tmp_path: Path, store: Store, name: str) -> None:
    frames = read_prime(written(tmp_path / name, SOUND), store)
    assert frames.shape == (250, SIZE), "the sample behind the last whole frame is left out"
    np.testing.assert_array_equal(frames.numpy().ravel(), SOUND[:1000])


@pytest.mark.parametrize(
    ("subtype", "step"), [("PCM_U8", 400), ("PCM_24", 0.51), ("FLOAT", 0.51), ("DOUBLE", 0.51)]
)
def test_every_width_becomes_steps_of_16_bits(
    tmp_path: Path, store: Store, subtype: str, step: float
) -> None:
    exact = SOUND / 32768 + 0.3 / 32768
    found = read_prime(written(tmp_path / "a.wav", exact, subtype=subtype), store).numpy().ravel()
    assert (found == np.rint(found)).all()
    np.testing.assert_allclose(found, 32768 * exact[:1000], atol=step)


def test_channels_are_mixed_and_rates_changed(tmp_path: Path, store: Store) -> None:
    time = np.arange(4410) / 44100
    left, right = np.sin(2 * np.pi * 440 * time), np.cos(2 * np.pi * 700 * time)
    path = written(tmp_path / "a.wav", 0.8 * np.stack([left, right], axis=1), 44100, "FLOAT")
    found = read_prime(path, store).numpy().ravel()
    assert len(found) == 800
    expected = signal.resample_poly(0.4 * (left + right), 80, 441) * 32768
    np.testing.assert_allclose(found[80:-80], expected[80:720], atol=150)


def test_what_is_too_loud_is_clipped_and_units_are_the_stores(tmp_path: Path, store: Store) -> None:
    loud = np.array([1.5, -1.5, 0.5, 0.25])
    path = written(tmp_path / "a.wav", loud, subtype="FLOAT")
    assert read_prime(path, store).tolist() == [[32767, -32768, 16384, 8192]]
    look = {"kind": "audio"}
    unit = write_store(tmp_path / "b.h5", features=SIZE, sample_rate=RATE, attributes=look)
    np.testing.assert_allclose(
        read_prime(path, Store(unit)), [[32767 / 32768, -1, 0.5, 0.25]], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (SOUND[:3], r"a\.wav: expected a frame of 4 samples or more \(0\.5 ms at 8000 Hz\), found"),
        (SOUND[:0], r"a\.wav: expected some samples, found 0"),
        (np.zeros(99, np.int16), r"a\.wav: expected sound, found 99 samples of 0: silence"),
        (np.full(99, 1e-7), "expected sound, found 99 samples of 0: silence"),
        (np.array([0.0, np.nan, 1.0, 0.5]), "expected finite samples, found some"),
    ],
)
def test_what_nothing_can_go_on_from(
    tmp_path: Path, store: Store, samples: np.ndarray, message: str
) -> None:
    if samples.dtype == np.float64:
        samples = samples + (np.arange(len(samples)) % 2) * 1e-8  # not silent but for its steps
    subtype = "DOUBLE" if samples.dtype == np.float64 else "PCM_16"
    path = written(tmp_path / "a.wav", samples, subtype=subtype)
    with pytest.raises(AudioError, match=message):
        read_prime(path, store)


def test_files_that_are_no_sound(tmp_path: Path, store: Store) -> None:
    with pytest.raises(FileNotFoundError, match=r"b\.wav: expected a sound file, found none"):
        read_prime(tmp_path / "b.wav", store)
    (tmp_path / "b.wav").write_bytes(b"RIFF but no sound")
    with pytest.raises(AudioError, match=r"b\.wav: expected a sound file, found something else"):
        read_prime(tmp_path / "b.wav", store)
    whole = written(tmp_path / "a.flac", np.tile(SOUND, 20)).read_bytes()
    (tmp_path / "a.flac").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AudioError, match=r"a\.flac: expected"):
        read_prime(tmp_path / "a.flac", store)


def test_other_stores_have_no_sound(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", SOUND)
    with pytest.raises(ValueError, match="walks is not sound: expected a store of kind 'audio'"):
        read_prime(path, Store(write_store(tmp_path / "a.h5")))


def test_without_soundfile_the_extra_is_named(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.wav", SOUND)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'seqmdn\[speech\]'"):
        read_prime(path, store)
