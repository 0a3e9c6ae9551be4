"""Means and medians, exact and of draws."""

import math

import pytest
import torch
from torch.distributions import Distribution

from seqmdn.data import Logit, Standardise
from seqmdn.distributions import Flowed, LowRankPrecisionNormal
from seqmdn.metrics import point_forecast, point_of
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


def test_means_are_in_the_datas_unit() -> None:
    density = LowRankPrecisionNormal(torch.randn(50, D), torch.ones(50, D))
    scale = Standardise(D).fit(5 + 3 * torch.randn(100, D))
    torch.testing.assert_close(point_of(Flowed(density, scale)), scale.inverse(density.loc))
    bent = Flowed(density, Logit(D, 0, 1))
    with pytest.raises(ValueError, match="mean has no closed form; found none: pass samples"):
        point_of(bent)
    samples = bent.sample((500,))
    torch.testing.assert_close(point_of(bent, samples), samples.mean(0))
