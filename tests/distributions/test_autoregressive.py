"""Products of mixtures, each given the features before it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import scipy.stats
import torch
from torch import Size, Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from seqmdn.distributions import Autoregressive, LowRankPrecisionNormal, Mixture
from tests.contracts import DISTRIBUTION_CHECKS, Family, check_distribution
from tests.distributions import dense

COMPONENTS = 3


@dataclass(frozen=True)
class Linear:
    """Groups whose means are linear in the groups before; all else does not depend on them.

    With z the features in order, z = B z + e, B block lower triangular and e a mixture a group.
    """

    matrix: Tensor  # B, (*batch, D, D)
    logits: Tensor  # (*batch, D, K), of which those of a group's first feature count
    loc: Tensor  # (*batch, D, K)
    scale: Tensor  # (*batch, D, K)
    group: int

    def every(self, frame: Tensor) -> Mixture:
        return self._mixture((self.matrix @ frame.unsqueeze(-1)).squeeze(-1), slice(None))

    def one(self, group: int, before: Tensor) -> Mixture:
        rows = slice(group * self.group, (group + 1) * self.group)
        part = self.matrix[..., rows, : before.shape[-1]]
        mixture = self._mixture((part @ before.unsqueeze(-1)).squeeze(-1), rows)
        return Mixture(
            Categorical(logits=mixture.mixture_distribution.logits.squeeze(-2)),
            LowRankPrecisionNormal(
                mixture.component_distribution.loc.squeeze(-3),
                mixture.component_distribution.diagonal.squeeze(-3),
            ),
        )

    def nothing(self, shape: Size) -> Tensor:
        return self.loc.new_zeros((*shape, 0))

    def _mixture(self, moved: Tensor, rows: slice) -> Mixture:
        def grouped(parameter: Tensor) -> Tensor:  # (*batch, G, K, S)
            return parameter[..., rows, :].unflatten(-2, (-1, self.group)).mT

        loc = grouped(self.loc) + moved.unflatten(-1, (-1, self.group)).unsqueeze(-2)
        weights = Categorical(logits=self.logits[..., rows, :][..., :: self.group, :])
        return Mixture(weights, LowRankPrecisionNormal(loc, grouped(self.scale).square() ** -1))


def order_of(features: int) -> list[int]:
    """Odd features first."""
    return [*range(1, features, 2), *range(0, features, 2)]


def family(pairs: bool) -> Family:
    """In groups of two, where there is an even number of features."""

    def size(parameters: dense.Parameters) -> int:
        return 2 if pairs and parameters["loc"].shape[-2] % 2 == 0 else 1

    def matrix(parameters: dense.Parameters) -> Tensor:
        places = torch.arange(parameters["loc"].shape[-2]) // size(parameters)
        return torch.where(places.unsqueeze(-1) > places, parameters["matrix"], 0)

    def draw(batch: tuple[int, ...], features: int, scale: float) -> dense.Parameters:
        shape = (*batch, features, COMPONENTS)
        free = torch.randn(*batch, features, features, dtype=torch.float64)
        return {
            "matrix": free / features**0.5,
            "logits": torch.randn(shape, dtype=torch.float64),
            "loc": 2 * scale * torch.randn(shape, dtype=torch.float64),
            "scale": scale * (0.3 + torch.rand(shape, dtype=torch.float64)),
        }

    def build(parameters: dense.Parameters) -> Autoregressive:
        own = {
            name: p.float() if p.dtype == torch.bfloat16 else p for name, p in parameters.items()
        }
        conditionals = Linear(**(own | {"matrix": matrix(own)}), group=size(own))
        *batch, features, _ = own["loc"].shape
        return Autoregressive(conditionals, order_of(features), conditionals.group, batch)

    def log_prob(parameters: dense.Parameters, value: Tensor) -> Tensor:
        S, total = size(parameters), torch.zeros(())
        frame = value[..., order_of(value.shape[-1])]
        for first in range(0, value.shape[-1], S):
            rows = slice(first, first + S)
            loc = parameters["loc"][..., rows, :].mT  # (*batch, K, S)
            own = matrix(parameters)[..., rows, :first]
            moved = torch.einsum("...ij,...j->...i", own, frame[..., :first])  # (*batch, S)
            loc = loc + moved.unsqueeze(-2)
            normal = Independent(Normal(loc, parameters["scale"][..., rows, :].mT), 1)
            logits = parameters["logits"][..., first, :].expand(normal.batch_shape)
            mixture = MixtureSameFamily(Categorical(logits=logits), normal)
            total = total + mixture.log_prob(frame[..., rows])
        return total

    def moments(parameters: dense.Parameters) -> tuple[Tensor, Tensor]:
        S = size(parameters)
        means, blocks = [], []
        for first in range(0, parameters["loc"].shape[-2], S):
            rows = slice(first, first + S)
            weights = torch.softmax(parameters["logits"][..., first, :], dim=-1)
            within = torch.diag_embed(parameters["scale"][..., rows, :].mT.square())
            mean, block = dense.mixture_moments(weights, parameters["loc"][..., rows, :].mT, within)
            means.append(mean)
            blocks.append(block)
        noise = torch.zeros_like(parameters["matrix"])
        for g, block in enumerate(blocks):
            noise[..., g * S : (g + 1) * S, g * S : (g + 1) * S] = block
        one = torch.eye(noise.shape[-1], dtype=noise.dtype)
        solved = torch.linalg.inv(one - matrix(parameters))
        mean = (solved @ torch.cat(means, dim=-1).unsqueeze(-1)).squeeze(-1)
        covariance = solved @ noise @ solved.mT
        back = torch.argsort(torch.tensor(order_of(noise.shape[-1])))
        return mean[..., back], covariance[..., back, :][..., back]

    def move(parameters: dense.Parameters, offset: Tensor) -> dense.Parameters:
        moved = offset * (1 - matrix(parameters).sum(-1))
        return parameters | {"loc": parameters["loc"] + moved.unsqueeze(-1)}

    return Family("pairs" if pairs else "singles", draw, build, log_prob, moments, move)


FAMILIES = [family(pairs=False), family(pairs=True)]


def made(
    pairs: bool, batch: tuple[int, ...] = (), features: int = 4, float32: bool = False
) -> Autoregressive:
    parameters = family(pairs).draw(batch, features, 1.0)
    if float32:
        parameters = {name: p.float() for name, p in parameters.items()}
    return family(pairs).build(parameters)


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
# Temperature, and what has no formula
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("mixing", [0.5, torch.tensor([0.3, 1.0, 2.0])])
def test_every_conditional_is_tempered(pairs: bool, mixing: float | Tensor) -> None:
    density = made(pairs, (3,))
    scale = torch.tensor([0.25, 1.0, 4.0]).double()
    found = density.tempered(mixing=mixing, scale=scale)
    frames = torch.randn(7, 3, 4, dtype=torch.float64)
    wide = mixing.unsqueeze(-1) if isinstance(mixing, Tensor) else mixing
    conditionals = density.mixtures(frames).tempered(wide, scale.unsqueeze(-1))
    ordered = frames[..., density.order].unflatten(-1, (-1, density.group))
    torch.testing.assert_close(found.log_prob(frames), conditionals.log_prob(ordered).sum(-1))
    # A draw is of the same density: its transform is uniform.
    u = found.rosenblatt(found.sample((4000,)))
    assert scipy.stats.kstest(u.flatten().numpy(), "uniform").pvalue > 1e-3
    twice = found.tempered(mixing=2.0).log_prob(frames)
    torch.testing.assert_close(twice, density.tempered(wide_of(mixing) * 2, scale).log_prob(frames))


def wide_of(mixing: float | Tensor) -> Tensor:
    return torch.as_tensor(mixing).double()


@pytest.mark.parametrize("wrong", [{"mixing": 0.0}, {"scale": -1.0}, {"mixing": math.nan}])
def test_a_temperature_is_positive(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be positive; found"):
        made(False).tempered(**wrong)


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


@pytest.mark.parametrize(
    ("order", "group", "message"),
    [
        ([0, 0], 1, r"each of the features 0 to 1 once; found \[0, 0\]"),
        ([1, 2], 1, r"each of the features 0 to 1 once; found \[1, 2\]"),
        ([2, 0, 1], 2, "one size that divides the 3 features; found 2"),
        ([1, 0], 0, "one size that divides the 2 features; found 0"),
    ],
)
def test_an_order_that_is_none(order: list[int], group: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Autoregressive(made(False).conditionals, order, group, ())


def test_repr_names_what_it_is() -> None:
    text = "Autoregressive(order=[1, 3, 0, 2], group=2, batch_shape=(3,), event_shape=(4,))"
    assert repr(made(True, (3,))) == text
