"""Flows: the contract of every one of them, and what all share."""

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
import zuko

from seqmdn.flows import ActivationNorm, AffineCoupling, Flow, LULinear
from tests.contracts import FLOW_CHECKS, FlowKind, check_flow, perturbed
from tests.flows.kinds import KINDS, NETWORKS, OURS


@pytest.mark.parametrize("check", FLOW_CHECKS)
@pytest.mark.parametrize("context", [0, 4], ids=["shared", "conditional"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_contract(kind: FlowKind, context: int, check: str) -> None:
    check_flow(kind, context, check)


@pytest.mark.parametrize("importing", ["seqmdn.flows", "zuko, seqmdn.flows.masks"])
def test_zuko_leaves_argument_validation_on(importing: str) -> None:
    script = f"import {importing}\nfrom torch.distributions import Normal\nNormal(0.0, -1.0)"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False
    )
    assert "ValueError: Expected parameter scale" in ran.stderr, ran.stderr


@pytest.mark.parametrize("name", ["features", "transforms", "hidden", "layers"])
@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_sizes_are_at_least_one(make: Callable[..., Flow], name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, found 0"):
        make(**({"features": 2, "context": 3} | {name: 0}))


@pytest.mark.parametrize("make", [LULinear, ActivationNorm])
def test_a_map_without_a_network_has_features(make: Callable[..., Flow]) -> None:
    with pytest.raises(ValueError, match="features must be at least 1, found 0"):
        make(0)


@pytest.mark.parametrize("make", OURS.values(), ids=OURS)
def test_the_context_is_not_negative(make: Callable[..., Flow]) -> None:
    with pytest.raises(ValueError, match="context must be at least 0, found -1"):
        make(2, -1)


def test_maps_are_applied_in_their_order() -> None:
    parts = [perturbed(zuko.flows.MaskedAutoregressiveTransform(2, 0), 0.3, s) for s in (1, 2)]
    flow = Flow(2, 0, parts)
    for seed, part in enumerate(parts):
        perturbed(part, 0.3, seed)
    y = torch.randn(5, 2)
    torch.testing.assert_close(flow()(y), parts[1]()(parts[0]()(y)))


@pytest.mark.parametrize("name", ["affine coupling", "autoregressive affine", "linear"])
def test_autocast_and_half_precision_contexts_leave_the_map_in_float32(name: str) -> None:
    for features in (1, 3):
        if features == 1 and name == "affine coupling":
            continue
        flow = perturbed(OURS[name](features, 4))
        h, y = torch.randn(5, 4).bfloat16(), torch.randn(5, features)
        expected = flow(h.float()).call_and_ladj(y)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            transform = flow(h)
        found = transform.call_and_ladj(y)
        for one, other in zip(found, expected, strict=True):
            assert torch.equal(one, other)


def test_derivatives_of_second_order_are_those_of_differences() -> None:
    for make in NETWORKS.values():
        flow = perturbed(make(2, 0), 0.3).double()

        def score(y: torch.Tensor, flow: Flow = flow) -> torch.Tensor:
            z, ladj = flow().call_and_ladj(y)
            return z.square().sum() + ladj.sum()

        y = torch.tensor([0.3, -0.8], dtype=torch.float64)
        assert torch.autograd.gradgradcheck(score, y.requires_grad_())


def test_what_takes_nothing_from_data_stays_as_it_is() -> None:
    flow = perturbed(AffineCoupling(3, 2))
    before = {name: tensor.clone() for name, tensor in flow.state_dict().items()}
    flow.initialise(torch.randn(10, 3), torch.zeros(10, 2))
    assert all(torch.equal(before[name], tensor) for name, tensor in flow.state_dict().items())
