"""Products of mixtures, each given the features before it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import scipy.stats
import torch
from torch import Tensor

from seqmdn.distributions import Autoregressive
from tests.contracts import DISTRIBUTION_CHECKS, Family, check_distribution
from tests.distributions.linear import family, made

FAMILIES = [family(pairs=False), family(pairs=True)]


@pytest.mark.parametrize("check", DISTRIBUTION_CHECKS)
@pytest.mark.parametrize("kind", FAMILIES, ids=str)
def test_contract(kind: Family, check: str) -> None:
    check_distribution(kind, check)


# --------------------------------------------------------------------------------------------------
# Parts of a frame: the order of four features is 1, 3, 0, 2
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pairs", "observed"),
    [
        (False, [1]),
        (False, [1, 3]),
        (False, [1, 3, 0]),
        (True, [1, 3]),
        (False, []),
        (True, []),
    ],
)
def test_what_is_known_at_the_front_conditions_the_rest(pairs: bool, observed: list[int]) -> None:
    whole = made(pairs, (3,))
    frames = torch.randn(5, 3, 4, dtype=torch.float64)
    seen = torch.tensor([i in observed for i in range(4)])
    hidden = frames.masked_fill(~seen, math.nan)
    rest = whole.condition(hidden, seen)
    assert rest.batch_shape == (5, 3) and rest.event_shape == (4 - len(observed),)
    evidence = whole.log_prob(hidden, seen)
    found = rest.log_prob(frames[..., ~seen])
    torch.testing.assert_close(found, whole.log_prob(frames) - evidence)
    assert bool((evidence != 0).all()) is bool(observed)
    u, u_rest = whole.rosenblatt(frames), rest.rosenblatt(frames[..., ~seen])
    torch.testing.assert_close(u_rest, u[..., ~seen])
    torch.testing.assert_close(rest.inverse_rosenblatt(u_rest), frames[..., ~seen])
    draws = rest.sample((2,))
    filled = frames.expand(2, -1, -1, -1).clone()
    filled[..., ~seen] = draws
    torch.testing.assert_close(rest.log_prob(draws), whole.log_prob(filled) - evidence)
    if len(observed) == 1:  # and once more
        more = rest.condition(frames[..., ~seen], torch.tensor([False, False, True]))
        expected = whole.condition(frames, torch.tensor([False, True, False, True]))
        value = frames[..., [0, 2]]
        torch.testing.assert_close(more.log_prob(value), expected.log_prob(value))


@pytest.mark.parametrize(
    ("pairs", "observed"),
    [(False, [0]), (False, [3]), (False, [1, 0]), (True, [1]), (True, [0, 2])],
)
def test_what_is_not_at_the_front_conditions_nothing(pairs: bool, observed: list[int]) -> None:
    seen = torch.tensor([i in observed for i in range(4)])
    with pytest.raises(NotImplementedError, match=r"front of its order \[1, 3, 0, 2\] only"):
        made(pairs).condition(torch.zeros(4), seen)


def test_a_condition_that_does_not_fit() -> None:
    density, mask = made(False), torch.tensor([False, True, False, False])
    with pytest.raises(ValueError, match="values must not be NaN where observed"):
        density.condition(torch.full((4,), math.nan), mask)
    with pytest.raises(ValueError, match="marks all 4 features"):
        density.condition(torch.zeros(4), torch.ones(4, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"values must have the shape \(\.\.\., 4\)"):
        density.condition(torch.zeros(3), mask)


def test_frames_may_end_at_different_places() -> None:
    # The conditionals do not change where their features are marginalised: an integral on a grid.
    density = made(True)
    frames = torch.randn(4, 4, dtype=torch.float64)
    masks = torch.tensor([[0, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 1], [1, 1, 0, 1]]).bool()
    found = density.log_prob(frames.masked_fill(~masks, math.nan), masks)
    assert found[0] == 0
    line = torch.linspace(-40, 40, 8001, dtype=torch.float64)
    step = float(line[1] - line[0])

    def summed(frame: Tensor, missing: int) -> Tensor:
        grid = frame.expand(len(line), 4).clone()
        grid[:, missing] = line
        return grid

    last = torch.tensor([1, 1, 1, 1]).bool()
    one = density.log_prob(summed(frames[3], 2), last).logsumexp(0) + math.log(step)
    torch.testing.assert_close(found[3], one)
    first = torch.tensor([0, 1, 0, 1]).bool()
    one = density.log_prob(summed(frames[1], 3), first).logsumexp(0) + math.log(step)
    torch.testing.assert_close(found[1], one)
    torch.testing.assert_close(found[2], density.log_prob(frames[2], first))


@pytest.mark.parametrize(
    ("pairs", "mask"),
    [(False, [1, 0, 0, 0]), (False, [1, 1, 0, 0]), (False, [1, 0, 1, 1]), (True, [1, 1, 0, 0])],
)
def test_a_gap_cannot_be_integrated_out(pairs: bool, mask: list[int]) -> None:
    whole = [1, 1, 1, 1]
    with pytest.raises(NotImplementedError, match=r"log_prob of some features .* \[1, 3, 0, 2\]"):
        made(pairs).log_prob(torch.zeros(2, 4), torch.tensor([whole, mask]).bool())


def test_what_was_observed_must_be_a_number() -> None:
    mask = torch.tensor([False, True, False, False])
    with pytest.raises(ValueError, match="must not be NaN where mask is True; found 1 NaN"):
        made(False).log_prob(torch.full((4,), math.nan), mask)


# --------------------------------------------------------------------------------------------------
# Draws
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pairs", [False, True])
def test_the_transform_of_draws_is_uniform_and_goes_back(pairs: bool) -> None:
    density = made(pairs, float32=True)
    draws = density.sample((5_000,))
    u = density.rosenblatt(draws)
    assert u.shape == draws.shape and u.dtype == torch.float32
    for column in u.double().T:
        assert scipy.stats.kstest(column.numpy(), "uniform").pvalue > 1e-3
    correlation = torch.corrcoef(torch.special.ndtri(u.double().clamp(1e-6, 1 - 1e-6)).T)
    assert (correlation - torch.eye(4)).abs().max() < 5 / len(draws) ** 0.5
    inside = (u > 1e-3).all(-1) & (u < 1 - 1e-3).all(-1)
    back = density.inverse_rosenblatt(u[inside])
    torch.testing.assert_close(back, draws[inside], atol=1e-3, rtol=1e-3)


def test_u_stands_in_the_place_of_its_feature() -> None:
    density = made(False)
    frame = torch.randn(4, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(density.rosenblatt, frame)
    inside = jacobian[density.order][:, density.order]
    assert (inside.triu(1) == 0).all() and (inside.diagonal() > 0).all()
    torch.testing.assert_close(inside.slogdet().logabsdet, density.log_prob(frame))


def test_draws_have_the_gradient_of_what_they_depend_on() -> None:
    parameters = family(True).draw((), 4, 1.0)
    leaves = {name: p.clone().requires_grad_() for name, p in parameters.items()}
    torch.manual_seed(3)
    drawn = family(True).build(leaves).rsample((100,))
    torch.manual_seed(3)
    assert torch.equal(drawn.detach(), family(True).build(leaves).sample((100,)))
    drawn.sum().backward()
    # The numbers that make a draw stand still: the transform of the same draw.
    u = family(True).build(parameters).rosenblatt(drawn.detach())
    others = {name: p.clone().requires_grad_() for name, p in parameters.items()}
    family(True).build(others).inverse_rosenblatt(u).sum().backward()
    for name, leaf in leaves.items():
        torch.testing.assert_close(leaf.grad, others[name].grad, rtol=1e-4, atol=1e-4)
        assert leaf.grad is not None and leaf.grad.abs().sum() > 0


@pytest.mark.parametrize("u", [torch.tensor([0.1, 0.5, 0.5, 1.0]), torch.zeros(4)])
def test_levels_lie_inside(u: Tensor) -> None:
    with pytest.raises(ValueError, match=r"inside \(0, 1\)"):
        made(False).inverse_rosenblatt(u.double())


# --------------------------------------------------------------------------------------------------
# What has no formula
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ask",
    [
        lambda density: density.mean,
        lambda density: density.variance,
        lambda density: density.mode,
        lambda density: density.modes(),
        lambda density: density.entropy_bounds(),
        lambda density: density.cdf(torch.zeros(4)),
        lambda density: density.icdf(torch.tensor(0.5)),
        lambda density: density.marginal([0]),
    ],
)
def test_what_has_no_formula_says_what_to_do(ask: Callable[[Autoregressive], Any]) -> None:
    with pytest.raises(NotImplementedError, match="has no formula: .* use a MixtureHead where"):
        ask(made(False))


def test_it_stays_where_its_module_is() -> None:
    with pytest.raises(NotImplementedError, match="Move that module"):
        made(False).to(torch.float64)


def test_an_order_that_is_none() -> None:
    with pytest.raises(ValueError, match=r"each of the features 0 to 1 once; found \[0, 0\]"):
        Autoregressive(made(False).conditionals, [0, 0], 1, ())


def test_repr_names_what_it_is() -> None:
    text = "Autoregressive(order=[1, 3, 0, 2], group=2, batch_shape=(3,), event_shape=(4,))"
    assert repr(made(True, (3,))) == text
