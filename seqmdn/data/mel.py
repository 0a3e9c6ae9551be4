"""How loud sound is at each moment and pitch, on the scale that ears have."""

from __future__ import annotations

__all__ = ["LogMel", "log_mel"]

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from seqmdn.data.audio import import_torchaudio

_WINDOW = 0.032  # seconds, in which the pitch of a voice has its harmonics apart
_HOP = 0.008
_BANDS = 64
_SILENCE = 1e-10  # power at -100 dB, below the noise of 16 bits


class LogMel(NamedTuple):
    """A log-mel spectrogram.

    Attributes:
        decibels: (M, T), from the lowest band to the highest; 0 is a sine at full scale.
        hop: Seconds from one column to the next; the first is around the first sample.
        edges: (M + 1,) Hz, where one band goes over into the next.
    """

    decibels: NDArray[np.float64]
    hop: float
    edges: NDArray[np.float64]


def log_mel(samples: NDArray[np.floating[Any]], rate: int) -> LogMel:
    r"""Give the log-mel spectrogram of a waveform, in decibels relative to full scale.

    A Hann window of 32 ms goes on by 8 ms; each of at most 64 triangular bands, of equal width in
    mel, sums the power of several frequencies. Band m and column t hold :math:`10 \log_{10} \sum_f
    w_{mf} |X_{tf}|^2`, where a sine of amplitude 1 has a peak of :math:`|X|^2 = 1`. The bands are
    as few as it takes for none to lie between two frequencies.

    Args:
        samples: (N,), full scale is 1.
        rate: Samples a second.

    Raises:
        ModuleNotFoundError: If torchaudio is not installed.

    Example:
        >>> time = np.arange(8000) / 8000
        >>> sound = log_mel(0.1 * np.sin(2 * np.pi * 1000 * time), 8000)
        >>> sound.decibels.shape, float(sound.decibels.max().round())
        ((64, 126), -20.0)
    """
    # Of an odd window, torchaudio would place the frequencies of the bands beside those it has.
    window, hop = 2 * max(1, round(_WINDOW * rate / 2)), max(1, round(_HOP * rate))
    bands = _bands(rate, window)
    transform = (
        import_torchaudio()
        .transforms.MelSpectrogram(
            sample_rate=rate,
            n_fft=window,
            hop_length=hop,
            n_mels=bands,
            power=2.0,
            # Sound may be shorter than what a reflection would need.
            pad_mode="constant",
            mel_scale="htk",
        )
        .double()
    )
    scale = 2 / transform.spectrogram.window.sum()
    power = transform(torch.from_numpy(np.asarray(samples, np.float64)) * scale).numpy()
    edges = _hertz(_mel(rate / 2) * (np.arange(bands + 1) + 0.5) / (bands + 1))
    return LogMel(10 * np.log10(np.maximum(power, _SILENCE)), hop / rate, edges)


def _bands(rate: int, window: int) -> int:
    """Give the most bands of which the narrowest, the lowest, is wider than a frequency's step."""
    return max(1, min(_BANDS, math.ceil(2 * _mel(rate / 2) / _mel(rate / window)) - 2))


def _mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return 700 * (10 ** (mel / 2595) - 1)
