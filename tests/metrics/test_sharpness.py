"""Central intervals and their widths."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Independent, Normal

from seqmdn.metrics import Sharpness, central_interval
from tests.metrics.known import D, densities, mixture, normal


@pytest.mark.parametrize("name", ["mixture", "factorised", "standardised", "logit"])
def test_intervals_hold_their_share_of_draws(name: str) -> None:
    density = densities()[name]
    low, high = central_interval(density, 0.8)
    drawn = density.sample((4000,))
    for outside in (drawn < low, drawn > high):
        assert ((outside.double().mean(0) - 0.1).abs() < 4 * math.sqrt(0.09 / 4000)).all()


def test_the_width_of_a_gaussian() -> None:
    metric = Sharpness(2, level=0.5)
    metric.update(normal(3, 4, features=2, scale=7.0), torch.zeros(3, 4, 2))
    expected = 14 * stats.norm.ppf(0.75)
    np.testing.assert_allclose(metric.compute(), [expected, expected], rtol=1e-6)


def test_intervals_between_draws_hold_the_level_exactly() -> None:
    # Of 9 draws, the second and the eighth: 60 % of what is drawn next lies between them.
    order = torch.randn(9, 40_000, 1)
    density = Independent(Normal(torch.zeros(40_000, 1), 1.0), 1)
    low, high = central_interval(density, 0.6, order)
    torch.testing.assert_close(low, order.sort(0).values[1])
    torch.testing.assert_close(high, order.sort(0).values[7])
    value = torch.randn(40_000, 1)
    held = ((value >= low) & (value <= high)).double().mean()
    assert abs(held - 0.6) < 4 * math.sqrt(0.24 / 40_000)
    between = central_interval(density, 0.7, order)
    torch.testing.assert_close(between[0], 0.5 * (order.sort(0).values[0] + low))


def test_widths_by_draws_are_close_to_those_by_quantiles() -> None:
    density = mixture(200, 2)
    exact, drawn = Sharpness(D), Sharpness(D, draws=400)
    exact.update(density, torch.zeros(200, 2, D).double())
    hidden = Independent(Normal(torch.zeros(200, 2, D).double(), 1.0), 1)
    drawn.update(hidden, torch.zeros(200, 2, D).double(), samples=density.sample((400,)))
    torch.testing.assert_close(exact.compute(), drawn.compute(), rtol=0.02, atol=0)
    own = Sharpness(D, draws=400)
    own.update(hidden, torch.zeros(200, 2, D).double())
    assert own.compute()[0].item() == pytest.approx(2 * stats.norm.ppf(0.95), rel=0.02)


def test_levels_and_draws_that_do_not_do_are_refused() -> None:
    for level in (0.0, 1.0, 95):
        with pytest.raises(ValueError, match="strictly between 0 and 1"):
            Sharpness(2, level)
        with pytest.raises(ValueError, match="strictly between 0 and 1"):
            central_interval(normal(), level)
    density = Independent(Normal(torch.zeros(4, D), 1.0), 1)
    with pytest.raises(ValueError, match="expected at least 19 draws.*found 0"):
        central_interval(density, 0.9)
    with pytest.raises(ValueError, match="expected at least 19 draws.*found 18"):
        central_interval(density, 0.9, torch.zeros(18, 4, D))
    low, high = central_interval(density, 0.9, torch.arange(19.0).view(19, 1, 1).expand(19, 4, D))
    assert (low < 1e-5).all() and (high > 18 - 1e-5).all()
