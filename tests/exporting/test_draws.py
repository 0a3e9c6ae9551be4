"""Draws of given random numbers: the density's moments, and its own formulas."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Normal

from seqmdn.distributions import Bits, Classes, DiscretisedMixture, Joint, Mixture
from seqmdn.exporting.draws import choose, draw, noise
from seqmdn.flows import MaskedAutoregressive, SplineCoupling
from seqmdn.heads import AutoregressiveHead, FlowMixtureHead, MixtureHead, ProductHead
from tests.contracts.modules import perturbed

MANY = 200_000


def drawn(density: Any, seed: int = 0) -> Tensor:
    """A frame of each of many contexts."""
    wanted, generator = noise(density), torch.Generator().manual_seed(seed)
    batch = density.batch_shape[0]
    uniform = torch.rand(batch, wanted.uniform, generator=generator)
    return draw(density, uniform, torch.randn(batch, wanted.normal, generator=generator))


def of_one_context(head: Any, features: int = 3) -> Any:
    torch.manual_seed(0)
    module = perturbed(head(features, 4), 0.3)
    with torch.no_grad():
        return module(torch.ones(1, 4).expand(MANY, 4))


@pytest.mark.parametrize(
    "head",
    [
        MixtureHead,
        partial(MixtureHead, covariance="lowrank", rank=1),
        partial(MixtureHead, covariance="lowrank", rank=2),
        partial(MixtureHead, covariance="full"),
        partial(MixtureHead, factorised=True),
    ],
    ids=["diagonal", "rank 1", "rank 2", "full", "factorised"],
)
def test_moments(head: Any) -> None:
    density = of_one_context(head)
    found = drawn(density)
    covariance = density.covariance_matrix[0]
    deviation = covariance.diagonal().sqrt()
    assert ((found.mean(0) - density.mean[0]).abs() < 5 * deviation / MANY**0.5).all()
    scale = deviation.unsqueeze(-1) * deviation
    assert ((found.T.cov() - covariance).abs() / scale < 0.02).all()


@pytest.mark.parametrize(
    "head",
    [
        partial(FlowMixtureHead, flow=SplineCoupling, conditional=True, components=2),
        partial(FlowMixtureHead, flow=MaskedAutoregressive, components=2),
        partial(AutoregressiveHead, order=[2, 0, 1], hidden=4),
        partial(ProductHead, parts=[(1, MixtureHead), (2, partial(MixtureHead, factorised=True))]),
    ],
    ids=["spline", "masked", "in turn", "product"],
)
def test_draws_are_those_of_the_distribution_itself(head: Any) -> None:
    density = of_one_context(head)
    found, other = drawn(density), density.sample()
    for power in (1, 2):
        a, b = found**power, other**power
        error = ((a.var(0) + b.var(0)) / MANY).sqrt()
        assert ((a.mean(0) - b.mean(0)).abs() < 5 * error).all()
    # And together: products of features.
    a, b = found.roll(1, 1) * found, other.roll(1, 1) * other
    assert ((a.mean(0) - b.mean(0)).abs() < 5 * ((a.var(0) + b.var(0)) / MANY).sqrt()).all()


def test_one_component_is_chosen_and_coloured() -> None:
    density = of_one_context(partial(MixtureHead, components=2))
    first: Mixture = density.expand((MANY,))
    loc, diagonal = first.component_distribution.loc[0], first.component_distribution.diagonal[0]
    normal = torch.randn(MANY, 3)
    for k, uniform in enumerate((0.0, 1 - 1e-7)):
        found = draw(density, torch.full((MANY, 1), uniform), normal)
        torch.testing.assert_close(found, loc[k] + normal / diagonal[k].sqrt())


def test_a_choice_is_the_first_component_that_reaches() -> None:
    logits = torch.tensor([0.0, 0.2, 0.5, 0.3]).log().expand(6, 4)
    uniform = torch.tensor([1e-6, 0.19, 0.21, 0.69, 0.71, 1.0])
    assert choose(logits, uniform).tolist() == [1, 1, 2, 2, 3, 3]


def test_bits_are_as_often_together_as_they_say() -> None:
    logits, couplings = torch.tensor([0.3, -0.5, 0.1]), torch.tensor([1.0, -2.0, 0.5])
    bits = Bits(logits.expand(MANY, 3), couplings.expand(MANY, 3))
    found = drawn(bits)
    for number in range(8):
        value = torch.tensor([float(number >> e & 1) for e in range(3)])
        expected = Bits(logits, couplings).log_prob(value).exp()
        share = (found == value).all(1).float().mean()
        assert abs(share - expected) < 5 * (expected * (1 - expected) / MANY) ** 0.5


def test_numbers_come_before_bits() -> None:
    numbers = of_one_context(MixtureHead)
    joint = Joint(numbers, Bits(torch.tensor([[0.0, 100.0]]).expand(MANY, 2)))
    assert noise(joint) == (3, 3)
    found = drawn(joint)
    assert found.shape == (MANY, 5) and (found[:, 4] == 1).all()
    assert abs(found[:, 3].mean() - 0.5) < 0.01
    assert (found[:, :3] != found[:, :3].round()).any()


def test_levels_are_as_often_as_they_say() -> None:
    weights = Categorical(logits=torch.tensor([0.0, 1.0])).expand((MANY,))
    loc, inverse = torch.tensor([-0.5, 0.4]), torch.tensor([4.0, 2.0])
    density = DiscretisedMixture(weights, loc.expand(MANY, 2), inverse.expand(MANY, 2), levels=5)
    found = drawn(density)
    shares = torch.stack([(found == place).float().mean() for place in torch.linspace(-1, 1, 5)])
    torch.testing.assert_close(shares, density.level_log_prob()[0].exp(), rtol=0, atol=0.01)


def test_classes_are_as_often_as_they_say() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.0, 0.0]])
    found = drawn(Classes(logits.expand(MANY, 2, 3)))
    shares = torch.nn.functional.one_hot(found.long(), 3).float().mean(0)
    torch.testing.assert_close(shares, logits.softmax(-1), rtol=0, atol=0.01)


def test_another_density_is_refused() -> None:
    density = Normal(torch.zeros(5, 2), 1.0)
    for refuse in (noise, partial(draw, uniform=torch.rand(5, 1), normal=torch.randn(5, 2))):
        with pytest.raises(NotImplementedError, match="draws of a Normal cannot be exported"):
            refuse(density)
