"""Histograms: what they count, their distance, and what chance makes of it."""

import math
import re

import numpy as np
import pytest
import torch
from scipy import stats

from seqmdn.metrics import UniformHistogram, distance_by_chance


def test_counts_equal_numpys() -> None:
    u = torch.rand(200, 4, 3)
    mask = torch.rand(200, 4) < 0.8
    histogram = UniformHistogram(3, bins=7)
    histogram.update(u[:50].masked_fill(~mask[:50].unsqueeze(-1), math.nan), mask[:50])
    histogram.update(u[50:], mask[50:])
    counted = u[mask].double().numpy()
    for d in range(3):
        expected = np.histogram(counted[:, d], bins=7, range=(0, 1))[0]
        assert histogram.compute()[d].tolist() == expected.tolist()
    histogram.reset()
    histogram.update(torch.tensor([[0.0, 0.5, 1.0]]))
    assert histogram.compute().nonzero()[:, 1].tolist() == [0, 3, 6]


def test_the_distance_is_that_of_kolmogorov_and_smirnov_where_bins_end() -> None:
    u = torch.rand(500, 2, dtype=torch.double).square()
    fine, coarse = UniformHistogram(2, bins=100_000), UniformHistogram(2, bins=10)
    fine.update(u)
    coarse.update(u)
    expected = [stats.kstest(u[:, d].numpy(), "uniform").statistic for d in range(2)]
    np.testing.assert_allclose(fine.distance(), expected, atol=3e-3)
    edges = np.arange(1, 11) / 10
    expected = [abs((u[:, d].numpy()[:, None] < edges).mean(0) - edges).max() for d in range(2)]
    np.testing.assert_allclose(coarse.distance(), expected, rtol=1e-5)


def test_chance_makes_the_distance_that_is_documented() -> None:
    histogram = UniformHistogram(2000, bins=500)
    histogram.update(torch.rand(1000, 2000))
    mean, spread = distance_by_chance(1000)
    found = histogram.distance()
    # Of 2000 data sets; the bins and the finite number of frames make it a few per cent smaller.
    assert found.mean().item() == pytest.approx(mean, rel=0.05)
    assert found.std().item() == pytest.approx(spread, rel=0.07)
    assert (mean, spread) == pytest.approx(
        (stats.kstwobign.mean() / 1000**0.5, stats.kstwobign.std() / 1000**0.5)
    )


def test_a_bin_varies_as_documented() -> None:
    histogram = UniformHistogram(2000, bins=10)
    histogram.update(torch.rand(400, 2000))
    counts = histogram.compute().double()
    assert counts.mean() == 40
    assert counts.std().item() == pytest.approx(math.sqrt(400 * 0.1 * 0.9), rel=0.03)


def test_what_is_no_probability_is_refused() -> None:
    histogram = UniformHistogram(2)
    for value in (math.nan, -0.01, 1.01):
        with pytest.raises(ValueError, match=re.escape(f"in [0, 1]; found {value:g} (1 such")):
            histogram.update(torch.tensor([[0.5, value]]))
    assert histogram.compute().sum() == 0
    with pytest.raises(
        ValueError, match=re.escape("u (*batch, 2) and a boolean mask; found (4, 3)")
    ):
        histogram.update(torch.zeros(4, 3))
    with pytest.raises(
        ValueError, match=re.escape("mask (4,), one a frame, or (4, 2), one a feature; found (3,)")
    ):
        histogram.update(torch.zeros(4, 2), torch.ones(3, dtype=torch.bool))
    with pytest.raises(ValueError, match="boolean mask; found"):
        histogram.update(torch.zeros(4, 2), torch.ones(4))
    with pytest.raises(ValueError, match="call update"):
        histogram.distance()
    for features, bins in ((0, 5), (2, 1)):
        with pytest.raises(ValueError, match=f"found {features} and {bins}"):
            UniformHistogram(features, bins)


def test_a_mask_of_features_leaves_out_single_values() -> None:
    u, mask = torch.rand(7, 5, 3), torch.rand(7, 5, 3) < 0.5
    mask[..., 2] = False
    found = UniformHistogram(3, bins=4)
    found.update(u.masked_fill(~mask, math.nan), mask)
    expected = [torch.histc(u[..., d][mask[..., d]], 4, 0, 1).long().tolist() for d in range(3)]
    assert found.compute().tolist() == expected
    distance = found.distance()
    assert distance[2].isnan() and distance[:2].isfinite().all()
