"""Couplings: their masks in use, their networks, and the same map by zuko."""

from collections.abc import Callable

import pytest
import torch
import zuko
from torch import nn

from seqmdn.flows import AffineCoupling, Flow, LULinear, SplineCoupling
from tests.contracts import perturbed
from tests.flows.kinds import COUPLINGS


@pytest.mark.parametrize("make", COUPLINGS)
def test_a_coupling_needs_two_features(make: Callable[..., Flow]) -> None:
    with pytest.raises(ValueError, match="at least 2 features, found 1: use MaskedAutoregressive"):
        make(1, 3)


@pytest.mark.parametrize("mask", ["alternating", "half", "random"])
@pytest.mark.parametrize("make", COUPLINGS)
@pytest.mark.parametrize("features", [2, 3, 5])
def test_two_couplings_move_every_feature_and_mix_both_halves(
    make: Callable[..., Flow], features: int, mask: str
) -> None:
    flow = perturbed(make(features, mask=mask), 0.1)
    jacobian = torch.autograd.functional.jacobian(flow(), torch.randn(features))
    kept = flow.transforms[0].mask
    assert ((jacobian.diagonal() - 1).abs() > 1e-4).all()
    assert (jacobian[kept][:, ~kept].abs() > 1e-5).all()
    assert (jacobian[~kept][:, kept].abs() > 1e-5).all()


def test_a_coupling_alone_moves_what_its_mask_says_and_nothing_else() -> None:
    flow = perturbed(AffineCoupling(5, transforms=1, mask=[[1, 4]]), 0.3)
    y = torch.randn(20, 5)
    moved = (flow()(y) != y).all(dim=0)
    assert moved.tolist() == [False, True, False, False, True]
    assert torch.equal(flow()(y)[:, ~moved], y[:, ~moved])


def test_networks_have_the_depth_and_the_width_that_were_asked_for() -> None:
    flow = AffineCoupling(6, 3, transforms=3, hidden=10, layers=4)
    assert len(flow.transforms) == 3
    linear = [m for m in flow.transforms[0].modules() if isinstance(m, zuko.nn.Linear)]
    found = [(m.in_features, m.out_features) for m in linear]
    assert found == [(6, 10), (10, 10), (10, 10), (10, 6)]
    assert sum(isinstance(m, nn.LeakyReLU) for m in flow.transforms[0].modules()) == 3


@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize("make", COUPLINGS)
def test_it_is_zukos_coupling(make: Callable[..., Flow], context: int) -> None:
    flow = perturbed(make(5, context, transforms=1), 0.3).double()
    ours = flow.transforms[0]
    theirs = zuko.flows.GeneralCouplingTransform(
        5,
        context,
        mask=ours.mask,
        univariate=ours.univariate,
        shapes=ours.shapes,
        hidden_features=[64] * (3 if make is AffineCoupling else 2),
        activation=nn.LeakyReLU,
    ).double()
    theirs.load_state_dict(ours.state_dict())
    h = torch.randn(4, context, dtype=torch.float64) if context else None
    y = 3 * torch.randn(400, 4, 5, dtype=torch.float64)  # more than one block of frames
    y[0] = 20.0
    one, other = ours(h), theirs(h)
    torch.testing.assert_close(one(y), other(y))
    torch.testing.assert_close(one.inv(y), other.inv(y))
    torch.testing.assert_close(one.call_and_ladj(y)[1], other.call_and_ladj(y)[1])


def test_a_random_mask_goes_with_the_checkpoint() -> None:
    saved = perturbed(AffineCoupling(8, mask="random", seed=1))
    fresh = AffineCoupling(8, mask="random", seed=2)
    assert not torch.equal(saved.transforms[0].mask, fresh.transforms[0].mask)
    fresh.load_state_dict(saved.state_dict())
    y = torch.randn(5, 8)
    assert torch.equal(fresh()(y), saved()(y))
    assert torch.equal(fresh().inv(y), saved().inv(y))


def test_names_in_a_checkpoint_are_zukos() -> None:
    names = list(SplineCoupling(4, transforms=1, layers=2).state_dict())
    assert names == [
        "transforms.0.mask",
        *(f"transforms.0.hyper.{i}.{n}" for i in (0, 2) for n in ("weight", "bias")),
    ]


def test_mixing_stands_between_couplings_without_context() -> None:
    flow = AffineCoupling(4, 3, transforms=3, mixing=True)
    linear = [isinstance(part, LULinear) for part in flow.transforms]
    assert linear == [False, True, False, True, False]
    assert flow.transforms[1].context == 0
