"""The test of uniformity and the bands, against scipy and by simulation."""

import math
import re

import pytest
import torch
from scipy import stats

from seqmdn.metrics import critical_distance, histogram_band, kolmogorov_smirnov, pit
from tests.metrics.known import mixture


def test_a_calibrated_density_is_rejected_in_five_of_a_hundred_runs() -> None:
    runs, frames = 200, 400
    density = mixture(features=1)
    u = pit(density.expand((frames, runs)), density.sample((frames, runs)))[..., 0]
    rejected = (kolmogorov_smirnov(u)[1] < 0.05).double().mean().item()
    assert 0.01 <= rejected <= 0.09


@pytest.mark.parametrize("scale", [0.8, 1.25])
def test_a_wrong_scale_is_rejected(scale: float) -> None:
    density = mixture(features=1)
    u = pit(density.tempered(scale=scale**2).expand((20_000,)), density.sample((20_000,)))
    distance, p = kolmogorov_smirnov(u[:, 0])
    assert p < 1e-4 and distance > critical_distance(20_000, 0.999)


@pytest.mark.parametrize("count", [10, 100, 3000])
def test_p_values_are_those_of_scipy(count: int) -> None:
    u = torch.rand(count, 30, dtype=torch.double) ** torch.linspace(0.8, 1.25, 30)
    distance, p = kolmogorov_smirnov(u)
    for i in range(30):
        expected = stats.kstest(u[:, i].numpy(), "uniform", method="exact")
        assert distance[i].item() == pytest.approx(expected.statistic, abs=1e-12)
        # Stephens' formula is closest where tests decide.
        close = 0.002 if expected.pvalue < 0.1 else 0.03
        assert p[i].item() == pytest.approx(expected.pvalue, abs=close)


def test_the_critical_distance_is_where_the_test_rejects() -> None:
    for count in (20, 500, 100_000):
        distance = critical_distance(count, 0.95)
        # Numbers of which all lie so far too low, and no further.
        u = (torch.arange(count, dtype=torch.double) + 0.5) / count
        shift = distance - 0.5 / count
        found, p = kolmogorov_smirnov((u - shift).clamp(min=0))
        assert found.item() == pytest.approx(distance, abs=1e-9)
        assert p.item() == pytest.approx(0.05, abs=1e-6)


def test_the_band_of_a_histogram_is_binomial_and_holds_all_bins_at_once() -> None:
    for count, bins in ((30, 5), (1000, 20), (50_000, 20)):
        low, high = histogram_band(count, bins)
        binomial = stats.binom(count, 1 / bins)
        tail = 0.05 / (2 * bins)
        assert low == binomial.ppf(tail) and high == binomial.isf(tail)
    low, high = histogram_band(400, 10)
    counts = torch.distributions.Multinomial(400, torch.full((10,), 0.1)).sample((4000,))
    outside = ((counts < low) | (counts > high)).any(-1).double().mean().item()
    assert 0.02 < outside < 0.05 + 3 * math.sqrt(0.05 / 4000)


def test_what_is_no_number_of_a_probability_is_refused() -> None:
    for wrong, found in ((torch.tensor([0.5, math.nan]), "nan (1"), (torch.tensor([1.5]), "1.5")):
        with pytest.raises(ValueError, match=re.escape(f"in [0, 1]; found {found}")):
            kolmogorov_smirnov(wrong)
    with pytest.raises(ValueError, match="n >= 1"):
        kolmogorov_smirnov(torch.zeros(0))
    with pytest.raises(ValueError, match="found 0 and 20"):
        histogram_band(0, 20)
