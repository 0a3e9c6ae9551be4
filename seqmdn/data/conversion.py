"""Recordings of any width, rate and number of channels as 16-bit mono sound of one rate."""

from __future__ import annotations

__all__ = ["Conversion", "convert_recording"]

import math
import os
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from seqmdn.data.audio import (
    AudioError,
    File,
    Recording,
    Samples,
    check_sound,
    check_whole,
    import_torchaudio,
    open_sound,
    read_blocks,
    read_recording,
)

BITS = 16

# What libsndfile decodes to evenly spaced levels, or to floats.
_WIDTHS = {
    "PCM_S8": 8,
    "PCM_U8": 8,
    "PCM_16": 16,
    "PCM_24": 24,
    "PCM_32": 32,
    "ALAC_16": 16,
    "ALAC_20": 20,
    "ALAC_24": 24,
    "ALAC_32": 32,
}
_FLOATS = {
    "FLOAT": "floats",
    "DOUBLE": "floats",
    "MPEG_LAYER_I": "MPEG",
    "MPEG_LAYER_II": "MPEG",
    "MPEG_LAYER_III": "MPEG",
    "VORBIS": "Vorbis",
    "OPUS": "Opus",
}
_ZEROS = 64  # zero crossings of the filter to either side
_LARGEST = 2**23  # entries of the filter's table: rates with no common divisor need one of GiBs


class Conversion(NamedTuple):
    """What was done to a recording.

    Attributes:
        rate: Samples a second that the file has.
        channels: Channels that the file has.
        width: Of the file's samples, such as ``"24 bits"``, ``"floats"`` or ``"MPEG"``.
        clipped: Samples that lay beyond 16 bits, and were cut to their ends.
    """

    rate: int
    channels: int
    width: str
    clipped: int = 0


def convert_recording(file: File, rate: int) -> tuple[Recording, Conversion]:
    r"""Reads what libsndfile reads (wav, flac, mp3, SPHERE, ...) as 16 bits, mono, of one rate.

    - A file that is so already goes through untouched.
    - Channels are mixed down to their mean.
    - Another rate is resampled by torchaudio's windowed sinc: 64 zero crossings to either side
      under a Hann window, cut off at 0.99 of the lower Nyquist frequency.
    - Samples become whole steps, :math:`\lfloor 2^{15} x + 1/2 \rfloor`: a half always goes up,
      since rounding to even ones would leave the mean of two channels with more even steps than
      odd ones, and a density could tell. Those beyond the range are cut to its ends, and counted.

    Args:
        file: The file, or the stream of its bytes.
        rate: Samples a second to convert to.

    Returns:
        The recording, and what was done to it.

    Raises:
        AudioError: If it is no sound file, cut off, empty, silent or clipped throughout (see
            :func:`seqmdn.data.audio.read_recording`), not finite, of fewer samples a second than
            asked for (nothing fills the upper band, and a density there has no bound), of levels
            that are not evenly spaced (A-law, ADPCM), or of a rate that has hardly a common divisor
            with the asked one.
        FileNotFoundError: If there is no such file.
        ModuleNotFoundError: If soundfile is not installed, or torchaudio where it is needed.

    Example:
        >>> import io, soundfile
        >>> file = io.BytesIO()
        >>> sound = np.array([[0.5, 0.25], [-1.0, -1.0]])
        >>> soundfile.write(file, sound, 8000, subtype="PCM_24", format="WAV")
        >>> convert_recording(io.BytesIO(file.getvalue()), 8000)[0].samples.tolist()
        [12288, -32768]
    """
    with open_sound(file) as sound:
        found = Conversion(sound.samplerate, sound.channels, _width(sound.subtype))
        _check_rate(found.rate, rate)
        plain = found == (rate, 1, f"{BITS} bits", 0)
        if not plain:
            mono = _mix(sound, _WIDTHS.get(sound.subtype, BITS))
            check_whole(file, sound, len(mono))
    if plain:
        if not isinstance(file, str | os.PathLike):
            file.seek(0)
        return read_recording(file), found
    samples, clipped = _steps(_resample(mono, found.rate, rate))
    check_sound(samples, 2 ** (BITS - 1))
    return Recording(samples, rate, BITS), found._replace(clipped=clipped)


def _width(subtype: str) -> str:
    if subtype in _WIDTHS:
        return f"{_WIDTHS[subtype]} bits"
    if subtype not in _FLOATS:
        raise AudioError(
            f"expected samples of evenly spaced levels, floats, mp3 or ogg, found {subtype}: "
            "convert it"
        )
    return _FLOATS[subtype]


def _check_rate(found: int, rate: int) -> None:
    if found < rate:
        raise AudioError(
            f"expected {rate} samples a second or more, found {found}: nothing would fill the band "
            f"above {found / 2:g} Hz; ask for a lower rate"
        )
    common = math.gcd(found, rate)
    if (found // common) * (rate // common) > _LARGEST:
        raise AudioError(
            f"expected a rate with a common divisor with {rate}, found {found}: convert it"
        )


def _mix(sound: Any, bits: int) -> NDArray[np.float32]:  # (N,)
    """Reads the mean of all channels, between -1 and 1 as far as nothing is beyond the range."""
    mixed: list[NDArray[np.float32]] = []
    clipping = True
    for block in read_blocks(sound, "float32", always_2d=True):
        if not np.isfinite(block).all():
            raise AudioError("expected finite samples, found some that are not: mend it")
        clipping = clipping and bool((np.abs(block) >= 1 - 2.0 ** (1 - bits)).all())
        mixed.append(block.mean(axis=1))
    total = sum(map(len, mixed))
    if total and clipping:
        raise AudioError(
            f"expected sound, found {total} samples at the ends of their range: clipping"
        )
    return np.concatenate([*mixed, np.empty(0, np.float32)])


def _resample(mono: NDArray[np.float32], found: int, rate: int) -> NDArray[np.float32]:
    if found == rate:
        return mono
    resample = import_torchaudio().functional.resample
    resampled: NDArray[np.float32] = resample(
        torch.from_numpy(mono), found, rate, lowpass_filter_width=_ZEROS
    ).numpy()
    return resampled


def _steps(mono: NDArray[np.float32]) -> tuple[Samples, int]:
    """Gives whole steps (N,), and how many of them had to be cut to the ends of the range."""
    full = 2 ** (BITS - 1)
    steps = np.floor(np.float64(full) * mono + 0.5)
    inside = steps.clip(-full, full - 1)
    return inside.astype(np.int32), int(np.count_nonzero(steps != inside))
