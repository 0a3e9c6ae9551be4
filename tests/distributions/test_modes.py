from __future__ import annotations

import pytest
import torch
from torch.distributions import Categorical, Normal

from seqmdn.distributions import FactorisedMixture, LowRankPrecisionNormal, Mixture
from seqmdn.distributions.modes import highest
from tests.contracts import Family
from tests.distributions import test_factorised, test_mixture
from tests.distributions.families import MIXTURES, build, largest, wide


@pytest.mark.parametrize("rank", [0, 1, 2, 9])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_every_place_reached_is_a_mode(rank: int, scale: float) -> None:
    parameters = test_mixture.draw((4,), 2, rank, scale)
    parameters["loc"] = 0.3 * parameters["loc"]  # enough overlap for means to be no modes
    mixture = test_mixture.build(parameters)
    places, log_density = mixture.modes()
    assert places.shape == (4, 3, 2) and log_density.shape == (4, 3)
    means = parameters["loc"].movedim(-2, 0)  # (K, 4, D)
    torch.testing.assert_close(log_density, mixture.log_prob(places.movedim(-2, 0)).T)
    assert (log_density >= mixture.log_prob(means).T).all()
    assert ((places - parameters["loc"]) / scale).abs().max() > 1e-2, "no place has moved"
    point = (places / scale).movedim(-2, 0).requires_grad_()
    (slope,) = torch.autograd.grad(mixture.log_prob(scale * point).sum(), point)
    assert slope.abs().max() < 1e-7
    steps = 1e-3 * scale * torch.randn(200, 1, 4, 2, dtype=torch.float64)
    around = mixture.log_prob(places.movedim(-2, 0) + steps)  # (200, K, 4)
    assert (around < log_density.T).all()


def test_one_component_and_far_ones_have_their_means() -> None:
    one = test_mixture.draw((2,), 3, 1, components=1)
    torch.testing.assert_close(test_mixture.build(one).modes()[0], one["loc"])
    far = test_mixture.draw((), 3, 2)
    far["loc"] = far["loc"] + 100 * torch.arange(3.0).double().unsqueeze(-1)
    torch.testing.assert_close(test_mixture.build(far).modes()[0], far["loc"])


@pytest.mark.parametrize("family", [*MIXTURES, test_factorised.FAMILY], ids=str)
def test_the_highest_is_the_highest_of_a_grid(family: Family) -> None:
    parameters = family.draw((), 1, 1.0)
    mixture = build(family, parameters)
    grid = torch.linspace(-12, 12, 200_001, dtype=torch.float64).unsqueeze(-1)
    density = mixture.log_prob(grid)
    assert mixture.mode.shape == (1,)
    torch.testing.assert_close(mixture.mode, grid[density.argmax()], atol=2e-4, rtol=0)
    assert mixture.log_prob(mixture.mode) >= density.max()
    assert not mixture.mode.requires_grad


def test_two_that_have_merged_share_a_mode() -> None:
    loc = torch.tensor([[-0.9], [0.9], [30.0]])
    mixture = Mixture(Categorical(torch.ones(3)), LowRankPrecisionNormal(loc, torch.ones(3, 1)))
    places, _ = mixture.modes()
    torch.testing.assert_close(places, torch.tensor([[0.0], [0.0], [30.0]]), atol=1e-5, rtol=0)
    assert places.dtype == torch.float32


def test_a_mean_with_no_mode_of_its_own_is_left() -> None:
    # A wide component's mean lies on the flank of a narrow one.
    loc, precision = torch.tensor([[0.0], [0.5]]), torch.tensor([[100.0], [0.01]])
    mixture = Mixture(Categorical(torch.ones(2)), LowRankPrecisionNormal(loc, precision))
    assert mixture.modes()[0].abs().max() < 1e-3


def test_features_of_a_factorised_mixture_have_modes_of_their_own() -> None:
    normal = Normal(torch.tensor([[0.0, 9.0], [5.0, -5.0]]), torch.ones(2, 2))
    mixture = FactorisedMixture(Categorical(torch.tensor([[0.9, 0.1], [0.4, 0.6]])), normal)
    places, log_density = mixture.modes()
    torch.testing.assert_close(places, normal.loc)
    assert log_density.shape == (2, 2)
    torch.testing.assert_close(mixture.mode, torch.tensor([0.0, -5.0]))
    torch.testing.assert_close(log_density.amax(-1).sum(), mixture.log_prob(mixture.mode))


def test_highest_takes_the_first_of_equal_ones() -> None:
    places = torch.arange(6.0).reshape(3, 2)
    assert highest(places, torch.tensor([1.0, 2.0, 2.0])).tolist() == [2, 3]


def test_no_square_matrix_is_formed() -> None:
    assert largest(wide(2, 300, 2).modes) <= 2 * 2 * 300 * 4
