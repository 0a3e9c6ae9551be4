from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Categorical

from seqmdn.distributions import LowRankPrecisionNormal, Mixture
from tests.contracts import Family
from tests.distributions import dense, test_factorised, test_mixture
from tests.distributions.families import MIXTURES, build, gradients, largest, leaves, wide


@pytest.mark.parametrize("family", [*MIXTURES, test_factorised.FAMILY], ids=str)
@pytest.mark.parametrize("scale", [1e-2, 1.0])
def test_the_entropy_lies_between_the_bounds(family: Family, scale: float) -> None:
    mixture = build(family, family.draw((4,), 2, scale))
    lower, upper = mixture.entropy_bounds()
    assert lower.shape == upper.shape == (4,)
    scores = -mixture.log_prob(mixture.sample((20_000,)))
    entropy, error = scores.mean(0), scores.std(0) / 20_000**0.5
    assert (lower < entropy + 5 * error).all() and (entropy - 5 * error < upper).all()
    # They say something: less apart than the entropy of the weights is large.
    weights = mixture.mixture_distribution.entropy().reshape(4, -1).sum(-1)
    assert (upper - lower < weights).all()


@pytest.mark.parametrize("rank", [0, 2])
def test_one_component_has_its_own_entropy(rank: int) -> None:
    parameters = test_mixture.draw((2,), 3, rank, components=1)
    dense_entropy = 0.5 * (
        3 * (1 + math.log(2 * math.pi)) + dense.covariance(parameters).logdet().squeeze(-1)
    )
    for bound in test_mixture.build(parameters).entropy_bounds():
        torch.testing.assert_close(bound, dense_entropy)


@pytest.mark.parametrize("distance", [0.0, 1e3])
def test_components_that_agree_or_never_meet_are_exact(distance: float) -> None:
    one = dense.draw_gaussian((), 3, 1)
    shift = distance * torch.arange(4, dtype=torch.float64).unsqueeze(-1)
    components = LowRankPrecisionNormal(one["loc"] + shift, one["diagonal"], one["factor"])
    weights = Categorical(logits=torch.randn(4, dtype=torch.float64))
    expected = LowRankPrecisionNormal(**one).entropy()
    if distance:
        expected = expected + weights.entropy()
    for bound in Mixture(weights, components).entropy_bounds():
        torch.testing.assert_close(bound, expected)


def test_bounds_lie_between_the_simple_ones() -> None:
    mixture = test_mixture.build(test_mixture.draw((50,), 2, 1))
    lower, upper = mixture.entropy_bounds()
    inside = (mixture.mixture_distribution.probs * mixture.component_distribution.entropy()).sum(-1)
    assert (inside <= lower).all() and (lower <= upper).all()
    assert (upper <= inside + mixture.mixture_distribution.entropy()).all()


def test_gradients_reach_every_parameter_with_a_weight_of_zero_too() -> None:
    parameters = leaves(test_mixture.draw((2,), 3, 1))
    mixture = test_mixture.build(parameters)
    for bound in mixture.entropy_bounds():
        for name, gradient in gradients(bound.sum(), parameters).items():
            # Only distances between means enter.
            assert gradient.isfinite().all() and gradient.abs().sum() > 0, name
    logits = torch.tensor([0.0, -math.inf]).requires_grad_()
    loc = torch.tensor([[0.0], [50.0]]).requires_grad_()
    mixture = Mixture(Categorical(logits=logits), LowRankPrecisionNormal(loc, torch.ones(2, 1)))
    for bound in mixture.entropy_bounds():
        torch.testing.assert_close(bound, torch.tensor(0.5 * (1 + math.log(2 * math.pi))))
        assert torch.autograd.grad(bound, loc, retain_graph=True)[0].isfinite().all()


def test_no_square_matrix_is_formed() -> None:
    assert largest(wide(2, 300, 2).entropy_bounds) <= 2 * 2 * 300 * 4
