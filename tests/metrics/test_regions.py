"""Sizes of highest-density regions against those found on a grid, and their coverage."""

import math

import pytest
import torch
from torch.distributions import Categorical

from seqmdn.distributions import LowRankPrecisionNormal, Mixture
from seqmdn.metrics import region_side
from seqmdn.metrics.coverage import highest_density_level, log_prob_of_draws
from tests.metrics.known import normal

LEVELS = (0.5, 0.8, 0.9, 0.95)


def two_modes() -> Mixture:
    """A high narrow mode and a low wide one, with next to nothing between them."""
    components = LowRankPrecisionNormal(
        torch.tensor([[-3.0], [4.0]]).double(), torch.tensor([[16.0], [1.0]]).double()
    )
    return Mixture(Categorical(logits=torch.tensor([0.4, 0.6]).double().log()), components)


def test_regions_of_two_modes_are_as_long_as_on_a_grid() -> None:
    density = two_modes()
    grid = torch.linspace(-8, 12, 200_001, dtype=torch.double)
    p = density.log_prob(grid.unsqueeze(-1)).exp().sort(descending=True).values
    step = 20 / 200_000
    expected = [((p.cumsum(0) * step) < level).sum().item() * step for level in LEVELS]
    draws = density.sample((40_000,))
    found = region_side(log_prob_of_draws(density, draws), 1, LEVELS)
    assert found.tolist() == pytest.approx(expected, rel=0.03)
    # A central interval has to reach across the gap.
    central = density.icdf(torch.tensor(0.95).double()) - density.icdf(torch.tensor(0.05).double())
    assert found[2] < 0.6 * central.item()


def test_regions_hold_their_share_of_two_modes_and_not_of_a_wrong_scale() -> None:
    density = two_modes()
    frames = 20_000
    value = density.sample((frames,))
    many = density.expand((frames,))
    level = highest_density_level(many, value, many.sample((99,)))
    wrong = density.tempered(scale=0.5).expand((frames,))
    sure = highest_density_level(wrong, value, wrong.sample((99,)))
    for nominal in LEVELS:
        error = math.sqrt(nominal * (1 - nominal) / frames)
        assert (level <= nominal).double().mean().item() == pytest.approx(nominal, abs=4 * error)
        assert (sure <= nominal).double().mean().item() < nominal - 8 * error


def test_of_several_features_it_is_the_root_of_the_volume() -> None:
    density = normal(features=3, scale=2.0)
    draws = density.log_prob(density.sample((50_000,)))
    radius = 2.0 * math.sqrt(6.2514)  # P(chi^2_3 < 6.2514) = 0.9
    expected = (4 / 3 * math.pi * radius**3) ** (1 / 3)
    assert region_side(draws, 3, [0.9]).item() == pytest.approx(expected, rel=0.01)


def test_few_draws_are_no_grid_of_levels() -> None:
    found = region_side(torch.randn(5, 7), 2, [0.5, 0.51, 0.95])
    assert found.shape == (7, 3) and (found.diff(dim=-1) > 0).all()
    with pytest.raises(ValueError, match=r"2 draws or more.*found \(1, 3\) and 1"):
        region_side(torch.zeros(1, 3), 1, [0.5])
