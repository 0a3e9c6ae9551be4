"""Checks that every thing of one kind must pass; test files run them over each of that kind."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, Normal

from seqmdn.distributions import Flowed, LowRankPrecisionNormal, Mixture

# --------------------------------------------------------------------------------------------------
# Distributions
# --------------------------------------------------------------------------------------------------

Parameters = dict[str, Tensor]

# What float32 may lose against float64 at D = 32: absolute, plus relative to the log-density.
FLOAT32_ABSOLUTE, FLOAT32_RELATIVE = 1e-4, 1e-5


@dataclass(frozen=True)
class Family:
    """One family of distributions, and a dense float64 reference written without seqmdn.

    Every parameter leads with the batch shape, so that one context's are `parameter[index]`.
    """

    name: str
    draw: Callable[[tuple[int, ...], int, float], Parameters]
    """(batch, features, scale) -> random float64 parameters; `scale` multiplies lengths of y."""
    build: Callable[[Parameters], Distribution]
    log_prob: Callable[[Parameters, Tensor], Tensor]
    """(parameters, value) -> the reference log-density."""
    moments: Callable[[Parameters], tuple[Tensor, Tensor]]
    """parameters -> the reference mean (*batch, D) and covariance (*batch, D, D)."""
    shift: Callable[[Parameters, Tensor], Parameters]
    """(parameters, offset (*batch, 1)) -> the parameters of y moved by the offset."""

    def __str__(self) -> str:
        return self.name


def check_distribution(family: Family, check: str | None = None) -> None:
    """Runs one named check of `DISTRIBUTION_CHECKS`, or all of them."""
    for name in [check] if check else DISTRIBUTION_CHECKS:
        torch.manual_seed(0)
        DISTRIBUTION_CHECKS[name](family)


def _integrates_to_one(family: Family) -> None:
    for features, points in ((1, 20_001), (2, 601)):
        for scale in (1e-2, 1.0, 1e2):
            parameters = family.draw((), features, scale)
            mean, covariance = family.moments(parameters)
            reach = 12 * covariance.diagonal().sqrt()
            axes = [
                torch.linspace(float(m - r), float(m + r), points, dtype=torch.float64)
                for m, r in zip(mean, reach, strict=True)
            ]
            grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
            cell = torch.stack([axis[1] - axis[0] for axis in axes]).prod()
            total = family.build(parameters).log_prob(grid).exp().sum() * cell
            assert float(total) == pytest.approx(1, abs=1e-4), f"D = {features}, scale {scale}"


def _equals_the_reference(family: Family) -> None:
    for batch in ((), (3,), (2, 3)):
        for features in (1, 2, 5, 31):
            parameters = family.draw(batch, features, 1.0)
            value = 3 * torch.randn(4, *batch, features, dtype=torch.float64)
            found = family.build(parameters).log_prob(value)
            torch.testing.assert_close(
                found, family.log_prob(parameters, value), rtol=1e-9, atol=1e-9
            )


def _has_its_moments(family: Family) -> None:
    count = 200_000
    parameters = family.draw((2,), 3, 1.0)
    mean, covariance = family.moments(parameters)
    distribution = family.build(parameters)
    draws = distribution.sample((count,))  # (count, 2, D)
    centred = draws - mean
    products = centred.unsqueeze(-1) * centred.unsqueeze(-2)
    _assert_within_errors(draws.mean(0), mean, draws.std(0) / count**0.5)
    _assert_within_errors(products.mean(0), covariance, products.std(0) / count**0.5)
    if distribution.has_rsample:
        _assert_within_errors(
            distribution.rsample((count,)).mean(0), mean, draws.std(0) / count**0.5
        )


def _states_its_moments(family: Family) -> None:
    parameters = family.draw((2, 3), 4, 1.0)
    mean, covariance = family.moments(parameters)
    distribution = family.build(parameters)
    if not hasattr(distribution, "covariance_matrix"):
        with pytest.raises(NotImplementedError):
            _ = distribution.mean
        return
    torch.testing.assert_close(distribution.mean, mean)
    torch.testing.assert_close(distribution.variance, covariance.diagonal(dim1=-2, dim2=-1))
    torch.testing.assert_close(distribution.covariance_matrix, covariance)


def _contexts_never_mix(family: Family) -> None:
    far = torch.tensor([[0.0, 1e3, -1e3], [5e3, -5e3, 2e4]], dtype=torch.float64).unsqueeze(-1)
    parameters = family.shift(family.draw((2, 3), 2, 1.0), far)
    whole = family.build(parameters)
    draws = whole.sample((500,))  # (500, 2, 3, D)
    density = whole.log_prob(draws)
    for i in range(2):
        for j in range(3):
            own = {name: parameter[i, j] for name, parameter in parameters.items()}
            mean, covariance = family.moments(own)
            error = (covariance.diagonal() / 500).sqrt()
            _assert_within_errors(draws[:, i, j].mean(0), mean, error)
            assert (draws[:, i, j] - mean).abs().max() < 100, "a draw from another context"
            alone = family.build(own).log_prob(draws[:, i, j])
            torch.testing.assert_close(density[:, i, j], alone)


def _has_its_shapes(family: Family) -> None:
    for batch in ((), (3,), (2, 3)):
        parameters = family.draw(batch, 4, 1.0)
        distribution = family.build(parameters)
        assert distribution.batch_shape == batch
        assert distribution.event_shape == (4,)
        assert distribution.sample().shape == (*batch, 4)
        value = distribution.sample((5, 2))
        assert value.shape == (5, 2, *batch, 4)
        assert not value.requires_grad
        density = distribution.log_prob(value)
        assert density.shape == (5, 2, *batch)
        expanded = distribution.expand((2, *batch))
        assert type(expanded) is type(distribution)
        assert expanded.batch_shape == (2, *batch)
        assert expanded.sample((5,)).shape == value.shape
        torch.testing.assert_close(expanded.log_prob(value), density)
        torch.manual_seed(1)
        first = distribution.sample((5,))
        torch.manual_seed(1)
        assert torch.equal(first, distribution.sample((5,)))


def _refuses_what_does_not_fit(family: Family) -> None:
    distribution = family.build(family.draw((3,), 4, 1.0))
    # One feature would broadcast to four, and give a number.
    for wrong in (torch.zeros(3, 1), torch.zeros(3, 5), torch.zeros(())):
        with pytest.raises(ValueError, match=r"\(\.\.\., 4\).*found"):
            distribution.log_prob(wrong.double())
    with pytest.raises(ValueError, match="value"):
        distribution.log_prob(torch.full((3, 4), float("nan"), dtype=torch.float64))


def _gradients_reach_every_parameter(family: Family) -> None:
    parameters = _leaves(family.draw((2,), 3, 1.0), torch.float64)
    value = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    family.build(parameters).log_prob(value).sum().backward()
    _assert_finite_gradients(parameters | {"value": value}, nonzero=True)

    # A wrong derivative of a right value passes all the other checks.
    def density(*tensors: Tensor) -> Tensor:
        return family.build(dict(zip(parameters, tensors, strict=True))).log_prob(value.detach())

    assert torch.autograd.gradcheck(density, tuple(parameters.values()))


def _float32_is_close(family: Family) -> None:
    for scale in (1e-2, 1.0, 1e2):
        parameters = _leaves(family.draw((20,), 32, scale), torch.float32)
        exact = {name: parameter.detach().double() for name, parameter in parameters.items()}
        value = family.build(exact).sample((10,)).float()
        found = family.build(parameters).log_prob(value)
        assert found.dtype == torch.float32
        torch.testing.assert_close(
            found.detach().double(),
            family.log_prob(exact, value.double()),
            atol=FLOAT32_ABSOLUTE,
            rtol=FLOAT32_RELATIVE,
        )


def _is_finite_far_out(family: Family) -> None:
    for features in (2, 31, 512):
        exact = family.draw((3,), features, 1.0)
        mean, covariance = family.moments(exact)
        deviations = covariance.diagonal(dim1=-2, dim2=-1).sqrt()
        for sigmas in (0.0, 20.0, -20.0):
            parameters = _leaves(exact, torch.float32)
            value = (mean + sigmas * deviations).float().requires_grad_()
            found = family.build(parameters).log_prob(value)
            assert found.isfinite().all(), f"D = {features}, {sigmas} sigmas"
            reference = family.log_prob(exact, value.detach().double())
            torch.testing.assert_close(found.double(), reference, rtol=1e-4, atol=1e-2)
            found.sum().backward()
            _assert_finite_gradients(parameters | {"value": value}, nonzero=False)


def _autocast_keeps_float32(family: Family) -> None:
    # Enough features for a factor of rank D to go through matrix products, which autocast casts.
    parameters = _leaves(family.draw((3,), 12, 1.0), torch.float32)
    distribution = family.build(parameters)
    value = distribution.sample((5,))
    plain = distribution.log_prob(value)
    torch.manual_seed(1)
    draws = distribution.sample((5,))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rebuilt = family.build(parameters)
        assert torch.equal(rebuilt.log_prob(value), plain)
        torch.manual_seed(1)
        assert torch.equal(rebuilt.sample((5,)), draws)
    half = {name: parameter.detach().bfloat16() for name, parameter in parameters.items()}
    widened = {name: parameter.float() for name, parameter in half.items()}
    found = family.build(half).log_prob(value.bfloat16())
    assert found.dtype == family.build(half).sample().dtype == torch.float32
    # torch's Categorical normalises its logits before seqmdn sees them, in bfloat16 here.
    expected = family.build(widened).log_prob(value.bfloat16().float())
    torch.testing.assert_close(found, expected, atol=0.1, rtol=0.01)


def _assert_within_errors(found: Tensor, expected: Tensor, error: Tensor) -> None:
    """Fails where a statistic is over 5 of its standard errors from what it estimates."""
    worst = ((found - expected).abs() / error).max()
    assert worst < 5, f"{float(worst):.1f} standard errors away"


def _leaves(parameters: Parameters, dtype: torch.dtype) -> Parameters:
    return {
        name: parameter.detach().to(dtype, copy=True).requires_grad_()
        for name, parameter in parameters.items()
    }


def _assert_finite_gradients(tensors: Parameters, nonzero: bool) -> None:
    for name, tensor in tensors.items():
        if tensor.numel() == 0:
            continue
        assert tensor.grad is not None, f"no gradient reaches {name}"
        assert tensor.grad.isfinite().all(), f"the gradient of {name} is not finite"
        assert not nonzero or tensor.grad.abs().sum() > 0, f"the gradient of {name} is zero"


DISTRIBUTION_CHECKS: dict[str, Callable[[Family], None]] = {
    "integrates_to_one": _integrates_to_one,
    "equals_the_reference": _equals_the_reference,
    "has_its_moments": _has_its_moments,
    "states_its_moments": _states_its_moments,
    "contexts_never_mix": _contexts_never_mix,
    "has_its_shapes": _has_its_shapes,
    "refuses_what_does_not_fit": _refuses_what_does_not_fit,
    "gradients_reach_every_parameter": _gradients_reach_every_parameter,
    "float32_is_close": _float32_is_close,
    "is_finite_far_out": _is_finite_far_out,
    "autocast_keeps_float32": _autocast_keeps_float32,
}

# --------------------------------------------------------------------------------------------------
# Flows
# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FlowKind:
    """One kind of invertible map, and what it promises."""

    name: str
    make: Callable[[int, int], nn.Module]
    """(features, context) -> a module whose forward(context or None) returns the map."""
    round_trip: float
    """What float32 may lose there and back within 5 sigmas: 3 times what was measured."""
    ours: bool = True
    """Begins as the identity and says what is wrong with its context, as zuko's own do not."""

    def __str__(self) -> str:
        return self.name


def check_flow(kind: FlowKind, context: int, check: str | None = None) -> None:
    """Runs one named check of `FLOW_CHECKS`, or all of them, with `context` features of context."""
    for name in [check] if check else FLOW_CHECKS:
        torch.manual_seed(0)
        FLOW_CHECKS[name](kind, context)


def _flow_begins_as_identity(kind: FlowKind, context: int) -> None:
    if not kind.ours:
        return
    for features in (2, 3, 8):
        flow = kind.make(features, context)
        y = 3 * torch.randn(100, features)
        transform = flow(_contexts(context, 100))
        z, ladj = transform.call_and_ladj(y)
        torch.testing.assert_close(z, y, atol=5e-6, rtol=0)
        torch.testing.assert_close(ladj, torch.zeros(100), atol=1e-5, rtol=0)
        torch.testing.assert_close(transform.inv(y), y, atol=5e-6, rtol=0)
        # ... and from there it can learn: the gradient is not zero everywhere.
        (0.5 * z.square().sum() - ladj.sum()).backward()
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in flow.parameters())


def _flow_inverts(kind: FlowKind, context: int) -> None:
    for features in (2, 5):
        transform = perturbed(kind.make(features, context))(_contexts(context, 2000))
        y = 10 * torch.rand(2000, features) - 5
        with torch.no_grad():
            z = transform(y)
            assert (z - y).abs().max() > 0.1, "the identity is no test of an inverse"
            torch.testing.assert_close(transform.inv(z), y, atol=kind.round_trip, rtol=0)
            torch.testing.assert_close(transform(transform.inv(y)), y, atol=1e-4, rtol=0)


def _flow_log_det_is_autograds(kind: FlowKind, context: int) -> None:
    for dtype, tolerance in ((torch.float32, 1e-4), (torch.float64, 1e-9)):
        flow = perturbed(kind.make(4, context)).to(dtype)
        given = _contexts(context, 1, dtype)
        transform = flow(None if given is None else given[0])
        for y in 3 * torch.randn(10, 4, dtype=dtype):
            jacobian = torch.autograd.functional.jacobian(transform, y)
            z, ladj = transform.call_and_ladj(y)
            assert ladj.dtype == dtype and ladj.shape == () and ladj.abs() > 1e-3
            torch.testing.assert_close(transform(y), z)
            expected = jacobian.slogdet().logabsdet
            torch.testing.assert_close(ladj, expected, atol=tolerance, rtol=0)


def _flow_density_integrates_to_one(kind: FlowKind, context: int) -> None:
    transform = perturbed(kind.make(2, context))(_contexts(context, 1))
    normal = LowRankPrecisionNormal(torch.zeros(1, 2), torch.ones(1, 2))
    three = LowRankPrecisionNormal(2 * torch.randn(1, 3, 2), torch.full((1, 3, 2), 2.0))
    mixture = Mixture(Categorical(logits=torch.randn(1, 3)), three)
    axis = torch.linspace(-12, 12, 361)
    grid = torch.cartesian_prod(axis, axis).unsqueeze(1)  # (N, 1, 2)
    for base in (normal, mixture):
        with torch.no_grad():
            density = Flowed(base, transform).log_prob(grid).double().exp()
        total = density.sum() * (axis[1] - axis[0]).double().square()
        assert float(total) == pytest.approx(1, abs=1e-3)


def _flow_gradients_reach_every_parameter(kind: FlowKind, context: int) -> None:
    for features in (2, 5):
        flow = perturbed(kind.make(features, context))
        given = _contexts(context, 50)
        z, ladj = flow(given).call_and_ladj(torch.randn(50, features))
        (0.5 * z.square().sum() - ladj.sum()).backward()
        _assert_finite_gradients(dict(flow.named_parameters()), nonzero=True)
        if given is not None:
            _assert_finite_gradients({"context": given}, nonzero=True)


def _flow_is_finite_far_out(kind: FlowKind, context: int) -> None:
    for features in (2, 31, 512):
        flow = perturbed(kind.make(features, context))
        for sigmas in (20.0, -20.0):
            y = torch.full((3, features), sigmas, requires_grad=True)
            z, ladj = flow(_contexts(context, 3)).call_and_ladj(y)
            assert z.isfinite().all() and ladj.isfinite().all()
            (0.5 * z.square().sum() - ladj.sum()).backward()
            _assert_finite_gradients(dict(flow.named_parameters()) | {"y": y}, nonzero=False)


def _flow_saves_and_loads(kind: FlowKind, context: int) -> None:
    flow = perturbed(kind.make(3, context))
    assert_state_is_complete(flow)
    fresh = kind.make(3, context)
    fresh.load_state_dict(flow.state_dict())
    given, y = _contexts(context, 5), torch.randn(5, 3)
    for found, expected in zip(
        fresh(given).call_and_ladj(y), flow(given).call_and_ladj(y), strict=True
    ):
        assert torch.equal(found, expected)


def _flow_contexts_never_mix(kind: FlowKind, context: int) -> None:
    flow = perturbed(kind.make(3, context), 0.1).double()
    given, y = _contexts(context, 6, torch.float64), torch.randn(6, 3, dtype=torch.float64)
    order = torch.randperm(6)

    def both_ways(chosen: Tensor | slice) -> tuple[Tensor, Tensor, Tensor]:
        transform = flow(None if given is None else given[chosen])
        return *transform.call_and_ladj(y[chosen]), transform.inv(y[chosen])

    whole, permuted = both_ways(slice(None)), both_ways(order)
    for all_at_once, shuffled in zip(whole, permuted, strict=True):
        torch.testing.assert_close(shuffled, all_at_once[order], rtol=1e-9, atol=1e-9)
    for i in range(6):
        alone = both_ways(slice(i, i + 1))
        for all_at_once, one in zip(whole, alone, strict=True):
            torch.testing.assert_close(one, all_at_once[i : i + 1], rtol=1e-9, atol=1e-9)
    if given is not None:
        moved = flow(given[:1]).call_and_ladj(y[1:2])
        for own, others in zip(flow(given[1:2]).call_and_ladj(y[1:2]), moved, strict=True):
            assert (own - others).abs().max() > 1e-3, "the context has no effect"


def _flow_has_its_shapes(kind: FlowKind, context: int) -> None:
    flow = perturbed(kind.make(3, context))
    for batch in ((), (5,), (2, 3)):
        given = torch.randn(*batch, context) if context else None
        transform = flow(given)
        for sample in ((), (7,)):  # a draw of several puts dimensions in front of the context's
            y = torch.randn(*sample, *batch, 3)
            z, ladj = transform.call_and_ladj(y)
            assert z.shape == transform.inv(y).shape == y.shape
            assert ladj.shape == (*sample, *batch)


def _flow_refuses_a_wrong_context(kind: FlowKind, context: int) -> None:
    if not kind.ours or not context:
        return
    flow = kind.make(3, context)
    with pytest.raises(ValueError, match=f"context of {context} features, found none"):
        flow()
    with pytest.raises(ValueError, match=rf"context of {context} features, found .*\(2, 9\)"):
        flow(torch.zeros(2, 9))


FLOW_CHECKS: dict[str, Callable[[FlowKind, int], None]] = {
    "begins_as_identity": _flow_begins_as_identity,
    "inverts": _flow_inverts,
    "log_det_is_autograds": _flow_log_det_is_autograds,
    "density_integrates_to_one": _flow_density_integrates_to_one,
    "gradients_reach_every_parameter": _flow_gradients_reach_every_parameter,
    "is_finite_far_out": _flow_is_finite_far_out,
    "saves_and_loads": _flow_saves_and_loads,
    "contexts_never_mix": _flow_contexts_never_mix,
    "has_its_shapes": _flow_has_its_shapes,
    "refuses_a_wrong_context": _flow_refuses_a_wrong_context,
}

# --------------------------------------------------------------------------------------------------
# Heads
# --------------------------------------------------------------------------------------------------


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
    assert distribution.component_distribution.variance.max() <= 1 / floor
    draws = distribution.sample((20_000,)).double().squeeze(1)
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
    _assert_within_errors(draws.mean(0), mean, draws.std(0) / count)
    _assert_within_errors(products.mean(0), covariance, products.std(0) / count)


def _head_gradients_reach_every_parameter(kind: HeadKind) -> None:
    for features in (2, 5):
        head = _lively(kind.make(features, 4))
        h = torch.randn(50, 4, requires_grad=True)
        (-head(h).log_prob(torch.randn(50, features))).mean().backward()
        parameters = dict(head.named_parameters())
        _assert_finite_gradients(parameters | {"h": h}, nonzero=True)
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
        _assert_finite_gradients(dict(head.named_parameters()) | {"y": y}, nonzero=False)


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
        _assert_finite_gradients(dict(heads[0].named_parameters()), nonzero=False)
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
}


def _lively(head: Module) -> Module:
    """Moves a head's parameters, so that each of them depends on h."""
    perturbed(head.projection, 0.5)
    return perturbed(head)


def _mixture_of(head: nn.Module) -> Tensor:
    """Gives the part of the offsets that `initialise` sets."""
    count = head.sizes["logits"] + head.sizes["loc"] + head.sizes["diagonal"]
    return head.projection.bias[:count]


# --------------------------------------------------------------------------------------------------
# Backbones
# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BackboneKind:
    """One kind of backbone, and the shape of its state."""

    name: str
    make: Callable[..., nn.Module]
    """(inputs, dropout=...) -> the backbone."""
    state: tuple[tuple[int, ...], ...]
    """The shape of each part of the state of one sequence."""

    def __str__(self) -> str:
        return self.name


def check_backbone(kind: BackboneKind, check: str | None = None) -> None:
    """Runs one named check of `BACKBONE_CHECKS`, or all of them."""
    for name in [check] if check else BACKBONE_CHECKS:
        torch.manual_seed(0)
        BACKBONE_CHECKS[name](kind)


def _backbone_has_its_shapes(kind: BackboneKind) -> None:
    backbone = kind.make(3)
    for batch, time in ((1, 1), (5, 7)):
        h, state = backbone(torch.randn(batch, time, 3))
        assert h.shape == (batch, time, backbone.features)
        assert isinstance(state, tuple)
        assert [part.shape for part in state] == [(batch, *shape) for shape in kind.state]
        again, after = backbone(torch.randn(batch, 2, 3), state)
        assert again.shape == (batch, 2, backbone.features)
        assert [part.shape for part in after] == [part.shape for part in state]


def _backbone_steps_are_the_whole(kind: BackboneKind) -> None:
    backbone = perturbed(kind.make(3), 0.3).double()
    x = torch.randn(4, 9, 3, dtype=torch.float64)
    whole, last = backbone(x)
    outputs, state = [], None
    for t in range(9):
        h, state = backbone(x[:, t : t + 1], state)
        outputs.append(h)
    _assert_all_close((torch.cat(outputs, dim=1), *state), (whole, *last))
    for split in range(1, 9):
        first, state = backbone(x[:, :split])
        second, state = backbone(x[:, split:], state)
        _assert_all_close((torch.cat((first, second), dim=1), *state), (whole, *last))
        forgotten, _ = backbone(x[:, split:])
        assert (forgotten - second).abs().max() > 1e-3, "the state has no effect"


def _backbone_sequences_never_mix(kind: BackboneKind) -> None:
    backbone = perturbed(kind.make(3), 0.3).double()
    x = torch.randn(4, 6, 3, dtype=torch.float64)
    _, before = backbone(torch.randn(4, 3, 3, dtype=torch.float64))
    whole, last = backbone(x, before)
    order = torch.tensor([2, 0, 3, 1])
    shuffled, after = backbone(x[order], tuple(part[order] for part in before))
    _assert_all_close((shuffled, *after), (whole[order], *(part[order] for part in last)))
    for i in range(4):
        alone, after = backbone(x[i : i + 1], tuple(part[i : i + 1] for part in before))
        _assert_all_close((alone, *after), (whole[i : i + 1], *(p[i : i + 1] for p in last)))


def _backbone_looks_back_only(kind: BackboneKind) -> None:
    backbone = perturbed(kind.make(3), 0.3)
    x = torch.randn(2, 6, 3, requires_grad=True)
    h, _ = backbone(x)
    for t in range(6):
        (gradient,) = torch.autograd.grad(h[:, t].square().sum(), x, retain_graph=True)
        assert (gradient[:, t + 1 :] == 0).all() and (gradient[:, : t + 1] != 0).all()


def _backbone_gradients_reach_every_parameter(kind: BackboneKind) -> None:
    backbone = kind.make(3)
    x = torch.randn(4, 6, 3, requires_grad=True)
    _, state = backbone(torch.randn(4, 2, 3))
    state = tuple(part.detach().requires_grad_() for part in state)
    h, after = backbone(x, state)
    (h.square().sum() + sum(part.sum() for part in after)).backward()
    tensors = dict(backbone.named_parameters()) | {"x": x}
    tensors |= {f"state {i}": part for i, part in enumerate(state)}
    _assert_finite_gradients(tensors, nonzero=True)
    for name, parameter in backbone.named_parameters():
        assert parameter.grad is not None and (parameter.grad != 0).all(), name


def _backbone_saves_and_loads(kind: BackboneKind) -> None:
    backbone = perturbed(kind.make(3))
    assert_state_is_complete(backbone)
    fresh = kind.make(3)
    fresh.load_state_dict(backbone.state_dict())
    x = torch.randn(2, 5, 3)
    assert torch.equal(fresh(x)[0], backbone(x)[0])


def _backbone_drops_outputs_in_training_only(kind: BackboneKind) -> None:
    backbone, plain = kind.make(3, dropout=0.5), kind.make(3)
    plain.load_state_dict(backbone.state_dict())
    x = torch.randn(200, 5, 3)
    assert not torch.equal(backbone(x)[0], backbone(x)[0])
    expected, state = plain(x)
    dropped, _ = backbone(x)
    zeros = (dropped == 0).float().mean(dim=(0, 1))
    assert ((zeros - 0.5).abs() < 0.1).all(), "every output is dropped half of the time"
    # The first layer's memory knows nothing of dropout.
    _, after = backbone(x)
    for found, part in zip(after, state, strict=True):
        torch.testing.assert_close(found[:, 0], part[:, 0])
    backbone.eval()
    assert not backbone.dropout.training
    assert torch.equal(backbone(x)[0], expected)


def _backbone_says_what_does_not_fit(kind: BackboneKind) -> None:
    for name in ("inputs", "hidden", "layers"):
        with pytest.raises(ValueError, match=f"{name} must be at least 1, found 0"):
            kind.make(**({"inputs": 3} | {name: 0}))
    for dropout in (-0.1, 1.0, 1.5):
        with pytest.raises(ValueError, match=rf"dropout must lie in \[0, 1\), found {dropout}"):
            kind.make(3, dropout=dropout)
    backbone = kind.make(3)
    for shape in ((2, 5, 4), (5, 3), (3,)):  # without its batch, a sequence would pass for one
        found = re.escape(str(shape))
        with pytest.raises(ValueError, match=rf"x must have shape \(B, T, 3\), found {found}"):
            backbone(torch.zeros(shape))
    _, state = backbone(torch.zeros(2, 5, 3))
    wrong = (
        state[:-1],
        (*state, state[0]),
        tuple(part[:1] for part in state),
        tuple(torch.cat((part, part), dim=1) for part in state),
        tuple(part[..., :-1] for part in state),
    )
    for other in wrong:
        with pytest.raises(ValueError, match=r"state must .*found"):
            backbone(torch.zeros(2, 5, 3), other)


BACKBONE_CHECKS: dict[str, Callable[[BackboneKind], None]] = {
    "has_its_shapes": _backbone_has_its_shapes,
    "steps_are_the_whole": _backbone_steps_are_the_whole,
    "sequences_never_mix": _backbone_sequences_never_mix,
    "looks_back_only": _backbone_looks_back_only,
    "gradients_reach_every_parameter": _backbone_gradients_reach_every_parameter,
    "saves_and_loads": _backbone_saves_and_loads,
    "drops_outputs_in_training_only": _backbone_drops_outputs_in_training_only,
    "says_what_does_not_fit": _backbone_says_what_does_not_fit,
}


def _assert_all_close(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


# --------------------------------------------------------------------------------------------------
# Shared by the checks of modules
# --------------------------------------------------------------------------------------------------

Module = TypeVar("Module", bound=nn.Module)


def perturbed(module: Module, strength: float = 0.05, seed: int = 0) -> Module:
    """Moves every parameter away from where it began, always in the same way."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(strength * noise.to(parameter))
    return module


def assert_state_is_complete(module: nn.Module) -> None:
    """Fails where a tensor is saved twice, one that matters is not saved, or a mode is shadowed."""
    assert module.eval() is module and not any(part.training for part in module.modules())
    assert module.train() is module and all(part.training for part in module.modules())
    state = module.state_dict()
    names = [name for name, _ in module.named_parameters(remove_duplicate=False)]
    assert len(names) == len(list(module.parameters())), "a parameter is registered twice"
    assert set(names) <= set(state)
    pointers = [tensor.data_ptr() for tensor in state.values() if tensor.numel()]
    assert len(set(pointers)) == len(pointers), "two entries share their memory"
    buffers = {name: b for name, b in module.named_buffers() if name in state}
    assert set(state) == set(names) | set(buffers)
    elements = sum(tensor.numel() for tensor in state.values())
    parameters = sum(parameter.numel() for parameter in module.parameters())
    assert elements == parameters + sum(buffer.numel() for buffer in buffers.values())


def _contexts(
    features: int, count: int, dtype: torch.dtype = torch.float32
) -> Tensor | None:  # (N, H)
    return torch.randn(count, features, dtype=dtype, requires_grad=True) if features else None
