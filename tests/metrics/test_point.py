"""Errors of a density's mean, against scikit-learn."""

import math

import pytest
import torch
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from seqmdn.data import Logit, Standardise
from seqmdn.distributions import Flowed, LowRankPrecisionNormal
from seqmdn.metrics import PointErrors, point_of

D = 3


def normals(*batch: int) -> LowRankPrecisionNormal:
    return LowRankPrecisionNormal(torch.randn(*batch, D), torch.ones(*batch, D))


def test_errors_are_those_of_the_mean_of_frames_that_count() -> None:
    density, value = normals(20, 4), 2 * torch.randn(20, 4, D)
    mask = torch.rand(20, 4) < 0.7
    errors = PointErrors(D)
    poisoned = value.where(mask.unsqueeze(-1), torch.nan)
    for part in (slice(0, 5), slice(5, 20)):
        own = LowRankPrecisionNormal(density.loc[part], density.diagonal[part])
        errors.update(own, poisoned[part], mask[part])
    truth, guess = (each[mask].double().numpy() for each in (value, density.loc))
    found = errors.compute()
    for name, score in {
        "mae": mean_absolute_error,
        "rmse": root_mean_squared_error,
        "r2": r2_score,
    }.items():
        expected = score(truth, guess, multioutput="raw_values")
        assert found[name].tolist() == pytest.approx(expected.tolist(), rel=1e-6), name
    overall = errors.overall()
    assert overall["mae"] == pytest.approx(abs(truth - guess).mean(), rel=1e-6)
    assert overall["rmse"] == pytest.approx(((truth - guess) ** 2).mean() ** 0.5, rel=1e-6)
    assert overall["r2"] == pytest.approx(r2_score(truth, guess), rel=1e-6)


def test_every_observed_value_counts_once() -> None:
    density, value = normals(30, 1), torch.randn(30, 1, D)
    seen = torch.rand(30, 1, D) < 0.5
    seen[..., 2] = False
    errors = PointErrors(D)
    errors.update(density, value.where(seen, torch.nan), observed=seen)
    found = errors.compute()
    for d in range(2):
        own = seen[:, 0, d]
        gap = (value - density.loc)[:, 0, d][own].double()
        assert found["mae"][d].item() == pytest.approx(gap.abs().mean().item(), rel=1e-6)
    assert all(math.isnan(found[name][2]) for name in found), "one that nobody has seen"
    gaps = (value - density.loc)[seen].double()
    assert errors.overall()["mae"] == pytest.approx(gaps.abs().mean().item(), rel=1e-6)


def test_of_equal_values_nothing_can_be_explained() -> None:
    errors = PointErrors(1)
    normal = LowRankPrecisionNormal(torch.zeros(9, 1), torch.ones(9, 1))
    errors.update(normal, torch.full((9, 1), 0.1))
    assert math.isnan(errors.compute()["r2"]) and errors.compute()["mae"] == pytest.approx(0.1)


def test_means_are_in_the_datas_unit() -> None:
    density = normals(50)
    scale = Standardise(D).fit(5 + 3 * torch.randn(100, D))
    expected = scale.inverse(density.loc)
    torch.testing.assert_close(point_of(Flowed(density, scale)), expected)
    bent = Flowed(density, Logit(D, 0, 1))
    with pytest.raises(ValueError, match="mean has no closed form; found none: pass samples"):
        point_of(bent)
    samples = bent.sample((500,))
    torch.testing.assert_close(point_of(bent, samples), samples.mean(0))
    errors = PointErrors(D)
    errors.update(bent, samples[0], samples=samples)
    assert errors.compute()["rmse"].max() < 1
