"""Errors of a density's mean, against scikit-learn."""

import math

import pytest
import torch
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from seqmdn.data import Logit
from seqmdn.distributions import Flowed, LowRankPrecisionNormal
from seqmdn.metrics import PointErrors, explained_variance

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


def test_errors_of_draws_are_those_of_their_mean() -> None:
    bent = Flowed(normals(50), Logit(D, 0, 1))
    value, samples = bent.sample(), bent.sample((500,))
    errors = PointErrors(D)
    errors.update(bent, value, samples=samples)
    expected = root_mean_squared_error(value, samples.mean(0), multioutput="raw_values")
    assert errors.compute()["rmse"].tolist() == pytest.approx(expected.tolist(), rel=1e-5)


def test_explained_variance_is_sklearns_of_what_was_observed() -> None:
    value = torch.randn(200, D) * torch.tensor([1.0, 5.0, 0.1]) + 1000
    guess = value + torch.randn(200, D)
    found = explained_variance((guess - value).square(), value)
    expected = r2_score(value, guess, multioutput="raw_values")
    assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-3)
    value[:150, 0] = math.nan
    value[:, 1] = 3.0
    found = explained_variance((guess - value).square(), value)
    assert found[0].item() == pytest.approx(r2_score(value[150:, 0], guess[150:, 0]), rel=1e-3)
    assert math.isnan(found[1])
