from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical

from seqmdn.distributions import LowRankPrecisionNormal, Mixture
from tests.contracts import Family
from tests.distributions import dense, test_factorised
from tests.distributions.families import (
    FLOWED,
    MIXTURES,
    build,
    gradients,
    largest,
    leaves,
    wide,
)

DRAWN = [*MIXTURES, test_factorised.FAMILY]


@pytest.mark.parametrize("family", [*DRAWN, *FLOWED[1:]], ids=str)
def test_a_draw_is_that_of_sample(family: Family) -> None:
    plain = build(family, family.draw((2,), 3, 1.0))
    differentiable = build(family, leaves(family.draw((2,), 3, 1.0)))
    for distribution in (plain, differentiable):
        assert distribution.has_rsample
        torch.manual_seed(1)
        sampled = distribution.sample((5,))
        torch.manual_seed(1)
        drawn = distribution.rsample((5,))
        assert torch.equal(drawn.detach(), sampled)
        assert drawn.requires_grad == (distribution is differentiable)


@pytest.mark.parametrize("family", [*DRAWN, *FLOWED[1:]], ids=str)
def test_a_draw_moves_as_the_inverse_of_its_uniforms(family: Family) -> None:
    # What the name says: u stays, and y = F^-1(u) moves with the parameters.
    parameters = leaves(family.draw((2,), 4, 1.0))
    distribution = build(family, parameters)
    drawn = distribution.rsample((6,))
    weights = torch.randn_like(drawn)
    found = gradients((weights * drawn).sum(), parameters)
    again = distribution.inverse_rosenblatt(distribution.rosenblatt(drawn).detach())
    expected = gradients((weights * again).sum(), parameters)
    for name, gradient in found.items():
        assert gradient.abs().sum() > 0, name
        torch.testing.assert_close(gradient, expected[name], rtol=1e-6, atol=1e-8)


def expectations(family: Family, parameters: dense.Parameters) -> Tensor:
    """Returns E[y_1], E[y_1^2] and E[y_1 y_2] from the reference's moments."""
    mean, covariance = family.moments(parameters)
    second = covariance + mean.unsqueeze(-1) * mean.unsqueeze(-2)
    return torch.stack([mean[..., 0], second[..., 0, 0], second[..., 0, 1]], dim=-1)


@pytest.mark.parametrize("family", DRAWN, ids=str)
def test_mean_gradients_are_those_of_the_expectations(family: Family) -> None:
    chunks, count, step = 100, 200, 1e-5
    parameters = {name: p for name, p in family.draw((), 2, 1.0).items() if p.numel()}
    # A copy of the parameters for each of the chunks gives its gradient in one backward pass.
    copies = leaves({name: p.expand(chunks, *p.shape) for name, p in parameters.items()})
    empty = {name: p for name, p in family.draw((chunks,), 2, 1.0).items() if not p.numel()}
    draws = build(family, copies | empty).rsample((count,))  # (count, chunks, 2)
    means = torch.stack(
        [draws[..., 0], draws[..., 0].square(), draws[..., 0] * draws[..., 1]], dim=-1
    ).mean(0)
    single = {name: p for name, p in family.draw((), 2, 1.0).items() if not p.numel()}
    for i in range(3):
        found = gradients(means[:, i].sum(), copies)
        for name, parameter in parameters.items():
            mean = found[name].mean(0).flatten()
            error = found[name].std(0).flatten() / chunks**0.5
            for place in range(parameter.numel()):
                sides = []
                for sign in (1, -1):
                    moved = parameter.flatten().clone()
                    moved[place] += sign * step
                    one = parameters | single | {name: moved.reshape(parameter.shape)}
                    sides.append(expectations(family, one)[i])
                expected = (sides[0] - sides[1]) / (2 * step)
                distance = (mean[place] - expected).abs()
                assert distance < 5 * error[place] + 1e-6, f"{name}[{place}] of expectation {i}"


def test_float32_gradients_are_close() -> None:
    family = MIXTURES[2]
    parameters = {name: p.float() for name, p in family.draw((3,), 16, 1.0).items()}
    single, exact = leaves(parameters), leaves({k: p.double() for k, p in parameters.items()})
    drawn = build(family, single).rsample((20,))
    assert drawn.dtype == torch.float32
    found = gradients(drawn.sum(), single)
    mixture = build(family, exact)
    u = mixture.rosenblatt(drawn.detach().double()).detach()
    expected = gradients(mixture.inverse_rosenblatt(u).sum(), exact)
    for name, gradient in found.items():
        assert gradient.dtype == torch.float32
        torch.testing.assert_close(gradient.double(), expected[name], rtol=1e-3, atol=1e-3)


def test_weights_learn_from_draws_alone() -> None:
    # The mean of the draws is to be 1: of two fixed components, only the weights can do it.
    loc = torch.tensor([[-1.0], [3.0]])
    logits = torch.zeros(2, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.05)
    for _ in range(120):
        mixture = Mixture(Categorical(logits=logits), LowRankPrecisionNormal(loc, 1 + 0 * loc))
        loss = (mixture.rsample((400,)).mean() - 2).square()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert torch.softmax(logits, -1)[1].item() == pytest.approx(0.75, abs=0.05)


def test_a_weight_of_zero_moves_nothing() -> None:
    logits = torch.tensor([0.0, -torch.inf]).requires_grad_()
    loc = torch.tensor([[0.0], [50.0]]).requires_grad_()
    mixture = Mixture(Categorical(logits=logits), LowRankPrecisionNormal(loc, torch.ones(2, 1)))
    (gradient,) = torch.autograd.grad(mixture.rsample((10,)).sum(), loc)
    torch.testing.assert_close(gradient, torch.tensor([[10.0], [0.0]]))


@pytest.mark.parametrize("family", DRAWN[1:], ids=str)
def test_a_second_derivative_is_refused(family: Family) -> None:
    parameters = leaves(family.draw((), 3, 1.0))
    drawn = build(family, parameters).rsample((2,))
    plain = gradients(drawn.square().sum(), parameters)
    for kind in (torch.sum, lambda t: t.square().sum()):  # linear in the draw, and not
        slopes = torch.autograd.grad(kind(drawn), list(parameters.values()), create_graph=True)
        for slope in slopes:
            with pytest.raises(RuntimeError, match="first derivatives only.*inverse_rosenblatt"):
                slope.sum().backward(retain_graph=True)
    for name, slope in zip(parameters, slopes, strict=True):
        torch.testing.assert_close(slope.detach(), plain[name])


def test_no_square_matrix_is_formed() -> None:
    mixture = wide(2, 300, 2)
    assert largest(lambda: mixture.rsample().sum().backward()) <= 2 * 300 * 2 * 2
