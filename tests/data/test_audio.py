"""Recordings in steps of their own width, and those that are refused."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy import signal, stats

from seqmdn.data import UniformDequantise, audio
from seqmdn.data.audio import (
    AudioError,
    cut_frames,
    import_torchaudio,
    read_recording,
    spread_coarse,
)

SOUND = np.random.default_rng(0).integers(-30_000, 30_000, 1234).astype(np.int16)


def stream(samples: np.ndarray, subtype: str = "PCM_16", format: str = "WAV") -> io.BytesIO:
    file = io.BytesIO()
    soundfile.write(file, samples, 8000, subtype=subtype, format=format)
    file.seek(0)
    return file


@pytest.mark.parametrize("format", ["WAV", "FLAC", "AIFF", "NIST"])
def test_samples_are_the_written_ones(format: str) -> None:
    recording = read_recording(stream(SOUND, format=format))
    assert (recording.rate, recording.bits) == (8000, 16)
    assert recording.samples.dtype == np.int32
    np.testing.assert_array_equal(recording.samples, SOUND)


@pytest.mark.parametrize(("subtype", "format"), [("PCM_U8", "WAV"), ("PCM_S8", "FLAC")])
def test_eight_bits_are_steps_of_eight_bits(subtype: str, format: str) -> None:
    levels = np.arange(-128, 128)
    recording = read_recording(stream((levels * 256).astype(np.int16), subtype, format))
    assert recording.bits == 8
    np.testing.assert_array_equal(recording.samples, levels)


def test_a_path_is_read_as_a_stream_is(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(stream(SOUND).getvalue())
    np.testing.assert_array_equal(read_recording(path).samples, SOUND)
    with pytest.raises(FileNotFoundError, match=r"b\.wav: expected a sound file, found none"):
        read_recording(tmp_path / "b.wav")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (io.BytesIO(b""), "expected a sound file, found something else"),
        (io.BytesIO(b"RIFF but no sound"), "expected a sound file, found something else"),
        (stream(SOUND[:0]), "expected some samples, found 0"),
        (stream(np.zeros(99, np.int16)), "found 99 samples of 0: silence"),
        (stream(np.full(99, 7, np.int16)), "found 99 samples of 7: silence"),
        (stream(np.array([32767, -32768, -32767] * 9, np.int16)), "27 samples .*: clipping"),
        (stream(np.stack([SOUND, SOUND], axis=1)), "one channel .* found 2 of PCM_16"),
        (stream(SOUND, "PCM_24"), "8 or 16 bit integers, found 1 of PCM_24"),
        (stream(SOUND, "FLOAT"), "8 or 16 bit integers, found 1 of FLOAT"),
    ],
)
def test_what_is_no_sound_is_refused(file: io.BytesIO, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        read_recording(file)


def test_a_flac_that_was_cut_off_is_refused() -> None:
    whole = stream(np.tile(SOUND, 20), format="FLAC").getvalue()
    with pytest.raises(AudioError):
        read_recording(io.BytesIO(whole[: len(whole) // 2]))


@pytest.mark.parametrize("format", ["WAV", "NIST"])
def test_a_file_that_was_cut_off_is_refused(format: str, tmp_path: Path) -> None:
    whole = stream(SOUND, format=format).getvalue()
    path = tmp_path / "a.wav"
    path.write_bytes(whole[:-300])
    for file in (path, str(path), io.BytesIO(whole[:-300])):
        with pytest.raises(AudioError, match="expected (2468 bytes of|1234) samples, found"):
            read_recording(file)


def test_without_soundfile_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'seqmdn\[speech\]'"):
        read_recording(io.BytesIO())


def test_frames_are_whole_ones() -> None:
    frames, dropped = cut_frames(SOUND.astype(np.int32), 200)
    assert frames.shape == (6, 200) and dropped == 34
    np.testing.assert_array_equal(frames.ravel(), SOUND[:1200])
    assert cut_frames(frames[0], 200)[1] == 0
    assert cut_frames(frames[0], 201)[0].shape == (0, 201)
    with pytest.raises(ValueError, match="1 sample or more, found 0"):
        cut_frames(frames[0], 0)


@pytest.mark.parametrize("step", [2, 16, 256])
def test_coarse_samples_become_uniform_over_their_step(step: int) -> None:
    rng = np.random.default_rng(step)
    levels = (step * rng.integers(-100, 100, 20_000)).astype(np.int32)
    samples, found = spread_coarse(levels, rng)
    assert found == step and samples.dtype == np.int32
    y = UniformDequantise(centred=True).draw(samples[:, None].astype(np.float32), rng)[:, 0]
    away = (y + 0.5 - levels) / step + 0.5  # uniform on (0, 1)
    assert stats.kstest(away, "uniform").pvalue > 0.01
    assert np.corrcoef(away, levels)[0, 1] == pytest.approx(0, abs=0.03)


def test_fine_samples_stay() -> None:
    samples = 256 * np.arange(-50, 50, dtype=np.int32)
    samples[7] += 1
    spread, step = spread_coarse(samples, np.random.default_rng(0))
    assert step == 1 and spread is samples


def test_torchaudio_resamples_whether_or_not_its_compiled_part_can_be_loaded() -> None:
    torchaudio = import_torchaudio()
    assert import_torchaudio() is torchaudio
    time = np.arange(4800)
    sine = np.sin(2 * np.pi * 440 * time / 48_000)
    found = torchaudio.functional.resample(torch.from_numpy(sine), 48_000, 16_000).numpy()
    expected = signal.resample_poly(sine, 1, 3)
    np.testing.assert_allclose(found[100:-100], expected[100:-100], atol=2e-3)


def test_a_compiled_part_that_cannot_be_loaded_is_done_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bool] = []
    monkeypatch.delitem(sys.modules, "torchaudio._extension", raising=False)

    def load(name: str) -> str:
        asked.append("torchaudio._extension" in sys.modules)
        if len(asked) == 1:
            raise OSError("libc10_cuda.so: cannot open shared object file")
        return name

    monkeypatch.setattr(audio, "import_module", load)
    assert import_torchaudio() == "torchaudio"
    assert asked == [False, True]


@pytest.mark.parametrize(("name", "words"), [("torchaudio", "seqmdn.speech"), ("av", "av")])
def test_what_is_not_installed_is_named(
    name: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(audio, "import_module", load)
    with pytest.raises(ModuleNotFoundError, match=words):
        import_torchaudio()
