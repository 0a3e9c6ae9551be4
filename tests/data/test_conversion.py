"""Recordings of any kind as 16-bit mono sound of one rate."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from seqmdn.data.audio import AudioError, read_recording
from seqmdn.data.conversion import Conversion, convert_recording

SOUND = np.random.default_rng(0).integers(-30_000, 30_000, 4321).astype(np.int16)


def stream(
    samples: np.ndarray, rate: int = 8000, subtype: str | None = "PCM_16", format: str = "WAV"
) -> io.BytesIO:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype=subtype, format=format)
    file.seek(0)
    return file


@pytest.mark.parametrize("format", ["WAV", "FLAC", "AIFF", "NIST"])
def test_what_is_right_goes_through_bit_by_bit(format: str, tmp_path: Path) -> None:
    recording, done = convert_recording(stream(SOUND, format=format), 8000)
    assert done == Conversion(8000, 1, "16 bits", 0) and (recording.rate, recording.bits) == (
        8000,
        16,
    )
    np.testing.assert_array_equal(recording.samples, SOUND)
    path = tmp_path / "a.wav"
    path.write_bytes(stream(SOUND, format=format).getvalue())
    np.testing.assert_array_equal(convert_recording(path, 8000)[0].samples, SOUND)


@pytest.mark.parametrize(
    ("subtype", "format", "width"),
    [
        ("PCM_U8", "WAV", "8 bits"),
        ("PCM_S8", "FLAC", "8 bits"),
        ("PCM_24", "WAV", "24 bits"),
        ("PCM_24", "FLAC", "24 bits"),
        ("PCM_32", "AIFF", "32 bits"),
        ("FLOAT", "WAV", "floats"),
        ("DOUBLE", "WAV", "floats"),
    ],
)
def test_levels_of_another_width_are_the_same_levels(subtype: str, format: str, width: str) -> None:
    levels = SOUND // 256 * 256  # which all of these widths can say
    written = levels / 32768 if width == "floats" else levels
    recording, done = convert_recording(stream(written, subtype=subtype, format=format), 8000)
    assert done == Conversion(8000, 1, width, 0) and recording.bits == 16
    np.testing.assert_array_equal(recording.samples, levels)


def test_halves_go_up_so_that_no_parity_is_preferred() -> None:
    rng = np.random.default_rng(1)
    both = rng.integers(-20_000, 20_000, (40_000, 2)).astype(np.int16)
    samples = convert_recording(stream(both), 8000)[0].samples
    np.testing.assert_array_equal(samples, (both.sum(1, dtype=np.int32) + 1) // 2)
    assert (samples % 2).mean() == pytest.approx(0.5, abs=0.01)


def test_finer_levels_are_rounded_to_the_nearest() -> None:
    fine = np.random.default_rng(2).integers(-(2**22), 2**22, 5000).astype(np.int32) * 256
    samples = convert_recording(stream(fine, subtype="PCM_24"), 8000)[0].samples
    away = samples - fine / 65536
    assert np.abs(away).max() <= 0.5 and away.std() == pytest.approx(12**-0.5, rel=0.03)


def test_channels_are_mixed_to_their_mean() -> None:
    three = np.stack([SOUND, SOUND[::-1], np.zeros_like(SOUND)], axis=1)
    recording, done = convert_recording(stream(three), 8000)
    assert done == Conversion(8000, 3, "16 bits", 0)
    expected = three.astype(float).mean(1)
    assert np.abs(recording.samples - expected).max() <= 0.51


def test_what_leaves_the_range_is_counted() -> None:
    loud = np.array([0.5, 1.5, -0.25, -1.0, -2.0, 1.0, 0.0])
    recording, done = convert_recording(stream(loud, subtype="FLOAT"), 8000)
    assert recording.samples.tolist() == [16384, 32767, -8192, -32768, -32768, 32767, 0]
    assert done.clipped == 3


@pytest.mark.parametrize("found", [48_000, 44_100, 22_050])
def test_a_tone_stays_a_tone_and_what_lies_above_the_band_goes(found: int) -> None:
    time = np.arange(found) / found
    tone, above = (0.4 * np.sin(2 * np.pi * hertz * time) for hertz in (440, 9000))
    file = stream(tone + above, found, "PCM_24")
    recording, done = convert_recording(file, 16_000)
    assert done == Conversion(found, 1, "24 bits", 0) and recording.rate == 16_000
    assert len(recording.samples) == 16_000
    expected = 0.4 * 32768 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    middle = slice(500, -500)
    assert np.abs(recording.samples[middle] - expected[middle]).max() < 3  # of 13,107 steps
    # A tone of 7.5 kHz lies inside the band: it stays, too.
    high = 0.4 * np.sin(2 * np.pi * 7500 * time)
    kept = convert_recording(stream(high, found, "PCM_24"), 16_000)[0].samples[middle]
    assert kept.std() == pytest.approx(0.4 * 32768 / np.sqrt(2), rel=0.01)


@pytest.mark.parametrize(
    ("format", "width"), [("MP3", "MPEG"), ("OGG", "Vorbis")], ids=["mp3", "ogg"]
)
def test_compressed_sound_is_read(format: str, width: str) -> None:
    if format not in soundfile.available_formats():
        pytest.skip(f"needs a libsndfile that writes {format}")
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(24_000) / 24_000)
    file = stream(np.stack([tone, tone], axis=1), 24_000, None, format)
    recording, done = convert_recording(file, 16_000)
    assert done == Conversion(24_000, 2, width, 0)
    assert len(recording.samples) == pytest.approx(16_000, abs=1600)
    spectrum = np.abs(np.fft.rfft(recording.samples[4000:12_000]))
    assert np.argmax(spectrum) == 220  # of 8,000 samples: 440 Hz


def cut_off(file: io.BytesIO, left: int = 2) -> io.BytesIO:
    return io.BytesIO(file.getvalue()[: len(file.getvalue()) // left])


SILENCE = np.zeros(99)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (io.BytesIO(b""), "expected a sound file, found something else"),
        (stream(SOUND[:0], subtype="PCM_24"), "expected some samples, found 0"),
        (stream(SILENCE, subtype="FLOAT"), "found 99 samples of 0: silence"),
        (stream(np.full(99, 1e-6), subtype="FLOAT"), "found 99 samples of 0: silence"),
        (stream(np.stack([SOUND, -SOUND], 1).astype(np.int16)), "samples of 0: silence"),
        (stream(np.array([1, -1, -1] * 9) * 2.0, subtype="PCM_24"), "27 samples .*: clipping"),
        (stream(np.array([1, -1, -1] * 900) * 1.5, 44100, "FLOAT"), "2700 samples .*: clipping"),
        (stream(np.array([0.1, np.nan]), subtype="FLOAT"), "expected finite samples"),
        (stream(SOUND, 7999), "8000 samples a second or more, found 7999: .* above 3999.5 Hz"),
        (stream(SOUND, 8000, "ULAW"), "evenly spaced levels, .* found ULAW: convert"),
        (stream(SOUND, 8000, "IMA_ADPCM"), "evenly spaced levels, .* found IMA_ADPCM"),
        (stream(SOUND, 44_101), "a common divisor with 8000, found 44101"),
        (cut_off(stream(SOUND)), "expected 8642 bytes of samples, found 4299: it was cut off"),
        (cut_off(stream(SOUND, 16_000, "PCM_24")), "bytes of samples, found .*: it was cut off"),
        (cut_off(stream(SOUND, format="AIFF")), "expected .* bytes of samples.*cut off|found"),
        (cut_off(stream(SOUND, format="NIST")), "expected 4321 samples, found"),
        (cut_off(stream(SOUND, 16_000, format="NIST")), "expected 4321 samples, found"),
    ],
)
def test_what_cannot_be_used_is_refused(file: io.BytesIO, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        convert_recording(file, 8000)


def test_whole_files_are_not_called_cut_off() -> None:
    for format in ("WAV", "AIFF", "NIST", "AU", "FLAC", "CAF", "W64"):
        assert len(read_recording(stream(SOUND, format=format)).samples) == len(SOUND)
    content = bytearray(stream(SOUND).getvalue())
    content[4:8] = content[40:44] = b"\xff" * 4  # as written to a pipe, whose end nobody knew
    assert len(read_recording(io.BytesIO(content)).samples) == len(SOUND)


def test_long_files_are_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = convert_recording(stream(np.stack([SOUND, SOUND // 2], 1)), 8000)[0].samples
    monkeypatch.setattr("seqmdn.data.audio._BLOCK", 1000)
    parts = convert_recording(stream(np.stack([SOUND, SOUND // 2], 1)), 8000)[0].samples
    np.testing.assert_array_equal(whole, parts)
