"""Checks that every kind of head must pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Normal

from seqmdn.distributions import Flowed
from tests.contracts.distributions import (
    assert_finite_gradients,
    assert_within_errors,
)
from tests.contracts.modules import Module, assert_state_is_complete, perturbed


@dataclass(frozen=True)
class HeadKind:
    """One kind of head, and its density written by hand from what its projection gives."""

    name: str
    make: Callable[..., nn.Module]
    """(features, context, floor=...) -> the head."""
    log_prob: Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor]
    """(head, h (*batch, H), its projection, y (*batch, D)) -> the reference (*batch,)."""

    def __str__(self) -> str:
        return self.name


def check_head(kind: HeadKind, check: str | None = None) -> None:
    """Runs one named check of `HEAD_CHECKS`, or all of them."""
    for name in [check] if check else HEAD_CHECKS:
        torch.manual_seed(0)
        HEAD_CHECKS[name](kind)


def _head_has_its_shapes(kind: HeadKind) -> None:
    head = kind.make(3, 4)
    for batch in ((), (4,), (4, 10), (2, 3, 4)):
        distribution = head(torch.randn(*batch, 4))
        assert isinstance(distribution, Distribution)
        assert distribution.batch_shape == batch and distribution.event_shape == (3,)
        assert distribution.sample().shape == (*batch, 3)
        draws = distribution.sample((5,))
        assert draws.shape == (5, *batch, 3) and not draws.requires_grad
        assert distribution.log_prob(draws).shape == (5, *batch)
        assert distribution.log_prob(torch.zeros(*batch, 3)).shape == batch


def _head_equals_the_reference(kind: HeadKind) -> None:
    for features in (2, 5):
        for floor in (1e-3, 0.5):
            head = _lively(kind.make(features, 4, floor=floor)).double()
            h = torch.randn(3, 6, 4, dtype=torch.float64)
            for scale in (2, 40):
                y = scale * torch.randn(3, 6, features, dtype=torch.float64)
                found = head(h).log_prob(y)
                assert found.std() > 0.1
                expected = kind.log_prob(head, h, head.projection(h), y)
                torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)


def _head_floor_enters_every_term(kind: HeadKind) -> None:
    floor = 4.0
    head = _lively(kind.make(2, 4, floor=floor))
    distribution = head(torch.randn(1, 4))
    draws = distribution.sample((20_000,))  # (20_000, 1, D)
    # Where the components depend on the features before, there are others for every frame.
    mixtures = distribution.mixtures(draws) if hasattr(distribution, "mixtures") else distribution
    assert mixtures.component_distribution.variance.max() <= 1 / floor
    draws = draws.double().squeeze(1)
    centre, reach = draws.mean(0), 2 * (draws - draws.mean(0)).abs().amax(0)
    axes = [
        torch.linspace(-1, 1, 401, dtype=torch.float64) * r + c
        for c, r in zip(centre, reach, strict=True)
    ]
    grid = torch.cartesian_prod(*axes)  # (N, 2)
    with torch.no_grad():
        density = distribution.log_prob(grid.float().unsqueeze(1)).double().exp().squeeze(1)
    mass = density * torch.stack([axis[1] - axis[0] for axis in axes]).prod()
    assert float(mass.sum()) == pytest.approx(1, abs=1e-3)
    mean = mass @ grid
    covariance = (mass.unsqueeze(-1) * (grid - mean)).T @ (grid - mean)
    centred = draws - mean
    products = centred.unsqueeze(-1) * centred.unsqueeze(-2)
    count = len(draws) ** 0.5
    assert_within_errors(draws.mean(0), mean, draws.std(0) / count)
    assert_within_errors(products.mean(0), covariance, products.std(0) / count)


def _head_gradients_reach_every_parameter(kind: HeadKind) -> None:
    for features in (2, 5):
        head = _lively(kind.make(features, 4))
        h = torch.randn(50, 4, requires_grad=True)
        (-head(h).log_prob(torch.randn(50, features))).mean().backward()
        parameters = dict(head.named_parameters())
        assert_finite_gradients(parameters | {"h": h}, nonzero=True)
        for name, parameter in parameters.items():
            # A flow masks some of its weights; a head has none to waste.
            if not name.startswith("flow.") and parameter.grad is not None:
                assert (parameter.grad != 0).all(), f"some of {name} does nothing"


def _head_saves_and_loads(kind: HeadKind) -> None:
    head = _lively(kind.make(3, 4))
    assert_state_is_complete(head)
    fresh = kind.make(3, 4)
    fresh.load_state_dict(head.state_dict())
    h, y = torch.randn(5, 4), torch.randn(5, 3)
    assert torch.equal(fresh(h).log_prob(y), head(h).log_prob(y))


def _head_autocast_keeps_the_density_in_float32(kind: HeadKind) -> None:
    head = _lively(kind.make(8, 4))
    h, y = torch.randn(20, 4).bfloat16(), torch.randn(20, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        projected = head.projection(h)
        distribution = head(h)
        found = distribution.log_prob(y)
        draws = distribution.sample()
    assert projected.dtype == torch.bfloat16, "autocast is not on"
    assert found.dtype == draws.dtype == torch.float32
    # Given what the projection has rounded, nothing else is.
    head = head.double()
    expected = kind.log_prob(head, h.double(), projected.double(), y.double())
    torch.testing.assert_close(found.double(), expected, atol=1e-3, rtol=1e-5)


def _head_float32_is_close(kind: HeadKind) -> None:
    single = _lively(kind.make(16, 4))
    double = kind.make(16, 4).double()
    double.load_state_dict(single.state_dict())
    h, y = torch.randn(200, 4), 2 * torch.randn(200, 16)
    found = single(h).log_prob(y)
    assert found.dtype == torch.float32
    expected = double(h.double()).log_prob(y.double())
    torch.testing.assert_close(found.double(), expected, atol=1e-3, rtol=1e-5)


def _head_is_finite_far_out(kind: HeadKind) -> None:
    for features in (2, 31, 256):
        head = _lively(kind.make(features, 4))
        y = torch.stack([torch.full((features,), s) for s in (20.0, -20.0)]).requires_grad_()
        found = head(torch.randn(2, 4)).log_prob(y)
        assert found.isfinite().all()
        found.sum().backward()
        assert_finite_gradients(dict(head.named_parameters()) | {"y": y}, nonzero=False)


def _head_contexts_never_mix(kind: HeadKind) -> None:
    head = _lively(kind.make(3, 4)).double()
    with torch.no_grad():  # contexts that lie far apart
        rows = slice(head.sizes["logits"], head.sizes["logits"] + head.sizes["loc"])
        head.projection.weight[rows] *= 100
    h, y = torch.randn(6, 4).double(), torch.randn(6, 3).double()
    order = torch.randperm(6)
    whole = head(h)
    density = whole.log_prob(y)
    torch.testing.assert_close(head(h[order]).log_prob(y[order]), density[order])
    for i in range(6):
        torch.testing.assert_close(head(h[i]).log_prob(y[i]), density[i])
    torch.testing.assert_close(head(h.view(2, 3, 4)).log_prob(y.view(2, 3, 3)).flatten(), density)
    draws = whole.sample((100,))  # (100, 6, 3)
    under = head(h).log_prob(draws.unsqueeze(2).expand(100, 6, 6, 3))  # (100, 6, 6)
    likeliest = under.argmax(-1)
    assert (likeliest == torch.arange(6)).all(), "a draw from another context"


def _head_refuses_a_wrong_width(kind: HeadKind) -> None:
    head = kind.make(3, 4)
    with pytest.raises(ValueError, match=r"h must have 4 features, found shape \(2, 5\)"):
        head(torch.zeros(2, 5))


def _head_initialises(kind: HeadKind) -> None:
    K = kind.make(3, 4).components
    varied = torch.randn(200, 3) * torch.tensor([0.1, 1.0, 5.0]) + torch.tensor([3.0, 0.0, -9.0])
    constant = torch.cat((torch.full((200, 1), 7.0), varied[:, 1:]), dim=1)
    repeated = varied[:2].repeat(30, 1)
    for values in (varied, constant, repeated, varied[:1].repeat(50, 1), varied[:K]):
        heads = [kind.make(3, 4), kind.make(3, 4)]
        if hasattr(heads[0], "flow"):
            heads[1].flow.load_state_dict(heads[0].flow.state_dict())
        before = torch.get_rng_state()
        given = values.clone()
        for head in heads:
            head.initialise(values)
        assert torch.equal(before, torch.get_rng_state()), "the global generator was used"
        assert torch.equal(given, values), "the frames were changed"
        parts = [_mixture_of(head) for head in heads]
        assert torch.equal(*parts), "the data alone must decide"
        distribution = heads[0](torch.zeros(4))
        density = distribution.log_prob(values)
        assert density.isfinite().all()
        (-density.mean()).backward()
        assert_finite_gradients(dict(heads[0].named_parameters()), nonzero=False)
        # Under a flow, the mixture is one of f(y).
        base, z = distribution, values
        if isinstance(distribution, Flowed):
            base, z = distribution.base, distribution.transform(values).detach()
        # No worse than what every head can express, one round Gaussian.
        deviation = z.var(0, correction=0).mean().sqrt().clamp(min=1e-2)
        single = Normal(z.mean(0), deviation).log_prob(z).sum(-1).mean()
        assert base.log_prob(z).mean() > single - 0.1
    head = kind.make(3, 4)
    with pytest.raises(
        ValueError, match=rf"{K} components need at least {K} frames, found {K - 1}"
    ):
        head.initialise(varied[: K - 1])
    with pytest.raises(ValueError, match=r"shape \(N, 3\), found \(200, 2\)"):
        head.initialise(varied[:, :2])


def _head_draws_as_its_density(kind: HeadKind) -> None:
    head = _lively(kind.make(3, 4))
    if not hasattr(head, "draw"):
        return
    h = torch.randn(2, 4)
    many = h.unsqueeze(1).expand(-1, 20_000, -1)  # (2, N, H)
    for tempering in ({}, {"mixing": 0.4, "scale": 0.3}):
        with torch.no_grad():
            expected = head(h).tempered(**tempering).sample((20_000,)).transpose(0, 1)
        found = head.draw(many, **tempering)
        assert found.shape == expected.shape == (2, 20_000, 3) and not found.requires_grad
        for statistic in (lambda y: y, torch.tanh, lambda y: y.unsqueeze(-1) * y.unsqueeze(-2)):
            one, other = (statistic(y.double()).flatten(2) for y in (found, expected))
            error = (one.var(1) + other.var(1)).div(20_000).sqrt()
            assert_within_errors(one.mean(1), other.mean(1), error)


HEAD_CHECKS: dict[str, Callable[[HeadKind], None]] = {
    "has_its_shapes": _head_has_its_shapes,
    "equals_the_reference": _head_equals_the_reference,
    "floor_enters_every_term": _head_floor_enters_every_term,
    "gradients_reach_every_parameter": _head_gradients_reach_every_parameter,
    "saves_and_loads": _head_saves_and_loads,
    "autocast_keeps_the_density_in_float32": _head_autocast_keeps_the_density_in_float32,
    "float32_is_close": _head_float32_is_close,
    "is_finite_far_out": _head_is_finite_far_out,
    "contexts_never_mix": _head_contexts_never_mix,
    "refuses_a_wrong_width": _head_refuses_a_wrong_width,
    "initialises": _head_initialises,
    "draws_as_its_density": _head_draws_as_its_density,
}


def _lively(head: Module) -> Module:
    """Moves a head's parameters, so that each of them depends on h."""
    perturbed(head.projection, 0.5)
    return perturbed(head)


def _mixture_of(head: nn.Module) -> Tensor:
    """Gives the part of the offsets that `initialise` sets."""
    count = head.sizes["logits"] + head.sizes["loc"] + head.sizes["diagonal"]
    return head.projection.bias[:count]
