"""Checks that every kind of invertible map must pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from seqmdn.distributions import Flowed, LowRankPrecisionNormal, Mixture
from tests.contracts.distributions import (
    assert_finite_gradients,
)
from tests.contracts.modules import assert_state_is_complete, contexts, perturbed


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
    widest: int = 512
    """Features of the widest frame far out; one pass a feature takes its time."""

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
        transform = flow(contexts(context, 100))
        z, ladj = transform.call_and_ladj(y)
        torch.testing.assert_close(z, y, atol=5e-6, rtol=0)
        torch.testing.assert_close(ladj, torch.zeros(100), atol=1e-5, rtol=0)
        torch.testing.assert_close(transform.inv(y), y, atol=5e-6, rtol=0)
        # ... and from there it can learn: the gradient is not zero everywhere.
        (0.5 * z.square().sum() - ladj.sum()).backward()
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in flow.parameters())


def _flow_inverts(kind: FlowKind, context: int) -> None:
    for features in (2, 5):
        transform = perturbed(kind.make(features, context))(contexts(context, 2000))
        y = 10 * torch.rand(2000, features) - 5
        with torch.no_grad():
            z = transform(y)
            assert (z - y).abs().max() > 0.1, "the identity is no test of an inverse"
            assert kind.round_trip <= 1e-5, "the most that any flow may lose"
            torch.testing.assert_close(transform.inv(z), y, atol=kind.round_trip, rtol=0)
            torch.testing.assert_close(transform(transform.inv(y)), y, atol=1e-4, rtol=0)


def _flow_log_det_is_autograds(kind: FlowKind, context: int) -> None:
    for dtype, tolerance in ((torch.float32, 1e-4), (torch.float64, 1e-9)):
        flow = perturbed(kind.make(4, context)).to(dtype)
        given = contexts(context, 1, dtype)
        transform = flow(None if given is None else given[0])
        found = []
        for y in 3 * torch.randn(10, 4, dtype=dtype):
            jacobian = torch.autograd.functional.jacobian(transform, y)
            z, ladj = transform.call_and_ladj(y)
            assert ladj.dtype == dtype and ladj.shape == ()
            found.append(ladj.abs())
            torch.testing.assert_close(transform(y), z)
            expected = jacobian.slogdet().logabsdet
            torch.testing.assert_close(ladj, expected, atol=tolerance, rtol=0)
        assert max(found) > 1e-2, "a volume that stays is no test of a determinant"


def _flow_density_integrates_to_one(kind: FlowKind, context: int) -> None:
    transform = perturbed(kind.make(2, context))(contexts(context, 1))
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
        given = contexts(context, 50)
        z, ladj = flow(given).call_and_ladj(torch.randn(50, features))
        (0.5 * z.square().sum() - ladj.sum()).backward()
        assert_finite_gradients(dict(flow.named_parameters()), nonzero=True)
        if given is not None:
            assert_finite_gradients({"context": given}, nonzero=True)


def _flow_is_finite_far_out(kind: FlowKind, context: int) -> None:
    for features in (2, 31, kind.widest):
        flow = perturbed(kind.make(features, context))
        for sigmas in (20.0, -20.0):
            y = torch.full((3, features), sigmas, requires_grad=True)
            transform = flow(contexts(context, 3))
            z, ladj = transform.call_and_ladj(y)
            assert z.isfinite().all() and ladj.isfinite().all()
            if features < 512:
                assert transform.inv(y.detach()).isfinite().all()
            (0.5 * z.square().sum() - ladj.sum()).backward()
            assert_finite_gradients(dict(flow.named_parameters()) | {"y": y}, nonzero=False)


def _flow_saves_and_loads(kind: FlowKind, context: int) -> None:
    flow = perturbed(kind.make(3, context))
    assert_state_is_complete(flow)
    fresh = kind.make(3, context)
    fresh.load_state_dict(flow.state_dict())
    given, y = contexts(context, 5), torch.randn(5, 3)
    for found, expected in zip(
        fresh(given).call_and_ladj(y), flow(given).call_and_ladj(y), strict=True
    ):
        assert torch.equal(found, expected)


def _flow_contexts_never_mix(kind: FlowKind, context: int) -> None:
    flow = perturbed(kind.make(3, context), 0.1).double()
    given, y = contexts(context, 6, torch.float64), torch.randn(6, 3, dtype=torch.float64)
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
