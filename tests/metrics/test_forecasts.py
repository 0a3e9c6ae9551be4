"""Means and medians, exact and of draws, and the share of variance that they explain."""

import math

import pytest
import torch
from sklearn.metrics import r2_score
from torch.distributions import Distribution

from seqmdn.metrics import explained_variance, point_forecast
from tests.metrics.known import D, densities

DENSITIES = densities(2)


@pytest.mark.parametrize("name", DENSITIES)
def test_they_are_those_of_many_draws(name: str) -> None:
    density: Distribution = DENSITIES[name]
    many = density.sample(torch.Size([100_000]))
    few = density.sample(torch.Size([50]))
    found = point_forecast(density, few)
    exact = name not in ("logit", "flow")
    error = many.std(0) / math.sqrt(100_000 if exact else 50)
    assert ((found.mean - many.mean(0)).abs() < 5 * error).all()
    assert (found.variance == 0).all() if exact else (found.variance > 0).all()
    below = (many < found.median).double().mean(0)
    assert ((below - 0.5).abs() < (0.3 if name == "flow" else 0.01)).all()


def test_the_variance_makes_the_squared_error_of_draws_right() -> None:
    density = DENSITIES["flow"].expand(torch.Size([4000, 2]))
    value = density.sample()
    few = point_forecast(density, density.sample(torch.Size([4])))
    many = DENSITIES["flow"].sample(torch.Size([100_000]))
    expected = (value - many.mean(0)).square()
    found = (value - few.mean).square()
    # With 4 draws, a fourth too much.
    assert found.mean() / expected.mean() > 1.15
    assert (found - few.variance).mean() / expected.mean() == pytest.approx(1, abs=0.05)


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
