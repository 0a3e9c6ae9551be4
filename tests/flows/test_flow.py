"""Flows: the contract of every one of them, and what is special about each."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial

import pytest
import torch
import zuko
from torch import nn
from torch.distributions import Normal

from seqmdn.flows import AffineCoupling, Flow, MaskedAutoregressive, SplineCoupling
from tests.contracts import FLOW_CHECKS, FlowKind, check_flow, perturbed

KINDS = [
    FlowKind("affine coupling", AffineCoupling, 3e-6),
    FlowKind("spline coupling", SplineCoupling, 3e-5),
    FlowKind("autoregressive affine", MaskedAutoregressive, 3e-6),
    FlowKind("autoregressive spline", partial(MaskedAutoregressive, univariate="spline"), 2e-5),
    FlowKind("zuko coupling", zuko.flows.GeneralCouplingTransform, 3e-6, ours=False),
    FlowKind("zuko autoregressive", zuko.flows.MaskedAutoregressiveTransform, 3e-6, ours=False),
]
OURS: dict[str, Callable[..., Flow]] = {kind.name: kind.make for kind in KINDS if kind.ours}
COUPLINGS = (AffineCoupling, SplineCoupling)


@pytest.mark.parametrize("check", FLOW_CHECKS)
@pytest.mark.parametrize("context", [0, 4], ids=["shared", "conditional"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_contract(kind: FlowKind, context: int, check: str) -> None:
    check_flow(kind, context, check)


@pytest.mark.parametrize("importing", ["seqmdn.flows", "zuko, seqmdn.flows"])
def test_zuko_leaves_argument_validation_on(importing: str) -> None:
    script = f"import {importing}\nfrom torch.distributions import Normal\nNormal(0.0, -1.0)"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False
    )
    assert "ValueError: Expected parameter scale" in ran.stderr, ran.stderr


@pytest.mark.parametrize("make", COUPLINGS)
def test_a_coupling_needs_two_features(make: Callable[..., Flow]) -> None:
    with pytest.raises(ValueError, match="at least 2 features, found 1: use MaskedAutoregressive"):
        make(1, 3)


@pytest.mark.parametrize("name", ["features", "transforms", "hidden", "layers"])
@pytest.mark.parametrize("make", OURS.values(), ids=OURS)
def test_sizes_are_at_least_one(make: Callable[..., Flow], name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, found 0"):
        make(**({"features": 2, "context": 3} | {name: 0}))


@pytest.mark.parametrize("make", OURS.values(), ids=OURS)
def test_the_context_is_not_negative(make: Callable[..., Flow]) -> None:
    with pytest.raises(ValueError, match="context must be at least 0, found -1"):
        make(2, -1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bins": 1}, "at least 2 bins, found 1"),
        ({"bound": 0.0}, "bound must be positive, found 0.0"),
        ({"bound": float("nan")}, "bound must be positive, found nan"),
    ],
)
@pytest.mark.parametrize("make", [OURS["spline coupling"], OURS["autoregressive spline"]])
def test_splines_say_what_does_not_fit(
    make: Callable[..., Flow], arguments: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(2, **arguments)


def test_an_unknown_univariate_map_is_refused() -> None:
    with pytest.raises(ValueError, match="'affine' or 'spline', found 'cubic'"):
        MaskedAutoregressive(2, univariate="cubic")


@pytest.mark.parametrize("context", [0, 4], ids=["shared", "conditional"])
@pytest.mark.parametrize("univariate", ["affine", "spline"])
def test_one_feature_has_a_flow(univariate: str, context: int) -> None:
    flow = MaskedAutoregressive(1, context, univariate=univariate)
    h = torch.randn(context) if context else None
    y = torch.linspace(-4, 4, 50).unsqueeze(-1)
    z, ladj = flow(h).call_and_ladj(y)
    torch.testing.assert_close(z, y, atol=5e-6, rtol=0)
    transform = perturbed(flow, 0.1 if context else 0.3)(h)
    z, ladj = transform.call_and_ladj(y)
    torch.testing.assert_close(transform.inv(z), y, atol=2e-5, rtol=0)
    slope = torch.autograd.functional.jacobian(lambda y: transform(y).sum(0), y)[0, :, 0]
    torch.testing.assert_close(ladj, slope.log(), atol=1e-4, rtol=0)
    assert ladj.abs().max() > 0.05
    axis = torch.linspace(-40, 40, 20_001).unsqueeze(-1)
    z, ladj = transform.call_and_ladj(axis)
    density = (Normal(0.0, 1.0).log_prob(z.squeeze(-1)) + ladj).exp()
    assert float(density.detach().sum() * 0.004) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("make", COUPLINGS)
@pytest.mark.parametrize("features", [2, 3, 5])
def test_two_couplings_move_every_feature_and_mix_both_halves(
    make: Callable[..., Flow], features: int
) -> None:
    transform = perturbed(make(features), 0.1)()
    jacobian = torch.autograd.functional.jacobian(transform, torch.randn(features))
    even = torch.arange(features) % 2 == 0
    assert ((jacobian.diagonal() - 1).abs() > 1e-4).all()
    assert (jacobian[even][:, ~even].abs() > 1e-5).all()
    assert (jacobian[~even][:, even].abs() > 1e-5).all()


@pytest.mark.parametrize("univariate", ["affine", "spline"])
def test_autoregressive_maps_take_the_features_in_turn(univariate: str) -> None:
    first = perturbed(MaskedAutoregressive(4, transforms=1, univariate=univariate), 0.2)
    jacobian = torch.autograd.functional.jacobian(first(), torch.randn(4))
    assert torch.equal(jacobian, jacobian.tril())
    assert (jacobian[torch.ones(4, 4).tril().bool()].abs() > 0).all()
    both = perturbed(MaskedAutoregressive(4, transforms=2, univariate=univariate), 0.2)
    second = both.transforms[1]()
    jacobian = torch.autograd.functional.jacobian(second, torch.randn(4))
    assert torch.equal(jacobian, jacobian.triu()), "the second map must reverse the order"


@pytest.mark.parametrize("make", [OURS["spline coupling"], OURS["autoregressive spline"]])
def test_splines_leave_the_tails_alone(make: Callable[..., Flow]) -> None:
    transform = perturbed(make(2, bound=3.0), 0.1)()
    y = torch.tensor([[3.1, -20.0], [-4.0, 3.5], [1e4, -1e4]])
    z, ladj = transform.call_and_ladj(y)
    assert torch.equal(z, y) and torch.equal(ladj, torch.zeros(3))
    inside = transform(torch.rand(50, 2) * 6 - 3)
    assert inside.abs().max() <= 3.0


def test_networks_have_the_depth_and_the_width_that_were_asked_for() -> None:
    flow = AffineCoupling(6, 3, transforms=3, hidden=10, layers=4)
    assert len(flow.transforms) == 3
    linear = [m for m in flow.transforms[0].modules() if isinstance(m, zuko.nn.Linear)]
    found = [(m.in_features, m.out_features) for m in linear]
    assert found == [(6, 10), (10, 10), (10, 10), (10, 6)]
    assert sum(isinstance(m, nn.LeakyReLU) for m in flow.transforms[0].modules()) == 3


def test_maps_are_applied_in_their_order() -> None:
    parts = [perturbed(zuko.flows.MaskedAutoregressiveTransform(2, 0), 0.3, s) for s in (1, 2)]
    flow = Flow(2, 0, parts)
    for seed, part in enumerate(parts):
        perturbed(part, 0.3, seed)
    y = torch.randn(5, 2)
    torch.testing.assert_close(flow()(y), parts[1]()(parts[0]()(y)))


def test_autocast_and_half_precision_contexts_leave_the_map_in_float32() -> None:
    for features in (1, 3):
        flow = perturbed(MaskedAutoregressive(features, 4))
        h, y = torch.randn(5, 4).bfloat16(), torch.randn(5, features)
        expected = flow(h.float()).call_and_ladj(y)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            transform = flow(h)
        found = transform.call_and_ladj(y)
        for one, other in zip(found, expected, strict=True):
            assert torch.equal(one, other)
