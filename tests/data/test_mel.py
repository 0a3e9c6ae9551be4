"""Log-mel spectrograms: their scale, their bands, their times."""

import numpy as np
import pytest
import torch

from seqmdn.data.audio import import_torchaudio
from seqmdn.data.mel import log_mel

RATES = [400, 4000, 8000, 11025, 16000, 22050, 44100, 48000]


def sine(hertz: float, rate: int, amplitude: float = 1.0, seconds: float = 1.0) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize("rate", RATES)
def test_no_band_is_empty_and_there_are_no_more_than_64(rate: int) -> None:
    found = log_mel(sine(100, rate), rate)
    bands, count = len(found.decibels), round(0.016 * rate) + 1
    assert 8 < bands <= 64 and (bands == 64) == (rate >= 8000)
    filters = import_torchaudio().functional.melscale_fbanks(count, 0.0, rate / 2, bands, rate)
    assert (filters.max(dim=0).values > 0).all()
    assert found.edges.shape == (bands + 1,)


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("hertz", [300, 1000, 3000])
def test_a_sine_is_loudest_in_the_band_of_its_frequency(rate: int, hertz: float) -> None:
    found = log_mel(sine(hertz, rate), rate)
    middle = found.decibels[:, found.decibels.shape[1] // 2]
    band = int(middle.argmax())
    # A step of the frequencies is wider than the lowest bands.
    assert found.edges[band] - 40 < hertz < found.edges[band + 1] + 40
    assert middle.max() == pytest.approx(0, abs=3), "0 dB is a sine at full scale"
    quieter = log_mel(sine(hertz, rate, amplitude=0.01), rate)
    np.testing.assert_allclose(
        quieter.decibels[band], np.maximum(found.decibels[band] - 40, -100), atol=1e-6
    )


def test_edges_are_where_one_band_goes_over_into_the_next() -> None:
    for hertz in range(2000, 7800, 90):
        found = log_mel(sine(hertz, 16000, seconds=0.1), 16000)
        band = int(found.decibels[:, 6].argmax())
        assert found.edges[band] - 5 < hertz < found.edges[band + 1] + 5


def test_times_are_those_of_the_samples() -> None:
    sound = np.zeros(16000)
    sound[8000:] = sine(1000, 16000, seconds=0.5)
    found = log_mel(sound, 16000)
    assert found.hop == pytest.approx(0.008)
    assert found.decibels.shape[1] == 16000 // 128 + 1
    loud = np.flatnonzero(found.decibels.max(axis=0) > -20) * found.hop
    assert loud.min() == pytest.approx(0.5, abs=0.016)


def test_silence_and_the_shortest_sound_have_one() -> None:
    assert (log_mel(np.zeros(200), 16000).decibels == -100).all()
    assert log_mel(np.ones(1), 16000).decibels.shape == (64, 1)


def test_it_is_the_formula() -> None:
    sound = np.random.default_rng(0).normal(size=2000)
    found = log_mel(sound, 8000)
    window = np.hanning(257)[:256]
    frame = sound[640 - 128 : 640 + 128]  # column 10, of 64 samples each
    power = np.abs(np.fft.rfft(frame * window * 2 / window.sum())) ** 2
    filters = import_torchaudio().functional.melscale_fbanks(129, 0.0, 4000.0, 64, 8000)
    expected = 10 * np.log10(power @ filters.to(torch.float64).numpy())
    np.testing.assert_allclose(found.decibels[:, 10], expected, atol=1e-3)
