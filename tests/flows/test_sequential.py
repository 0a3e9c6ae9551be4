"""Chains of flows: their order, zuko's among them, and from a configuration."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml
import zuko
from torch import nn

from seqmdn.configuration import model_parser
from seqmdn.flows import AffineCoupling, LULinear, MaskedAutoregressive, Sequential
from seqmdn.heads import FlowMixtureHead
from tests.contracts import perturbed


def test_parts_are_applied_in_their_order() -> None:
    flow = perturbed(Sequential(3, 2, [AffineCoupling, LULinear, MaskedAutoregressive]), 0.2)
    h, y = torch.randn(6, 2), torch.randn(6, 3)
    z, ladj = flow(h).call_and_ladj(y)
    total = torch.zeros(6)
    for part in flow.transforms:
        y, step = part(h).call_and_ladj(y)
        total = total + step
    torch.testing.assert_close(z, y)
    torch.testing.assert_close(ladj, total)


def test_zukos_own_begin_where_zuko_begins_them() -> None:
    torch.manual_seed(1)
    flow = Sequential(3, 2, [AffineCoupling, zuko.flows.GeneralCouplingTransform])
    assert all(p.abs().max() > 0 for p in flow.transforms[1].parameters())
    h, y = torch.randn(6, 2), torch.randn(6, 3)
    torch.testing.assert_close(flow(h)(y), flow.transforms[1](h)(y))


@pytest.mark.parametrize(
    "theirs",
    [
        zuko.flows.MaskedAutoregressiveTransform,
        partial(zuko.flows.gaussianization.ElementWiseTransform, hidden_features=[8]),
    ],
)
def test_any_lazy_transform_drops_in(theirs: Callable[..., nn.Module]) -> None:
    flow = Sequential(2, 3, [LULinear, theirs, AffineCoupling])
    h, y = torch.randn(5, 3), torch.randn(5, 2)
    z, ladj = flow(h).call_and_ladj(y)
    for i in range(5):
        jacobian = torch.autograd.functional.jacobian(flow(h[i]), y[i])
        torch.testing.assert_close(ladj[i], jacobian.slogdet().logabsdet, atol=1e-4, rtol=0)
    torch.testing.assert_close(flow(h).inv(z), y, atol=1e-4, rtol=0)


def test_no_part_is_refused() -> None:
    with pytest.raises(ValueError, match="needs at least one, found none"):
        Sequential(3, 0, [])
