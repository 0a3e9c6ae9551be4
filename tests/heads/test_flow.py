"""Mixtures behind a flow: their contract, and what the flow changes."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from seqmdn.distributions import Flowed
from seqmdn.flows import (
    ActivationNorm,
    AffineCoupling,
    InverseAutoregressive,
    LULinear,
    MaskedAutoregressive,
    Sequential,
    SplineCoupling,
)
from seqmdn.heads import FlowMixtureHead, MixtureHead
from tests.contracts import HEAD_CHECKS, HeadKind, check_head, perturbed
from tests.heads.kinds import FLOWS, MIXTURES, SPLINES


@pytest.mark.parametrize("check", HEAD_CHECKS)
@pytest.mark.parametrize("kind", FLOWS, ids=str)
def test_contract(kind: HeadKind, check: str) -> None:
    check_head(kind, check)


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("flow", [AffineCoupling, SplineCoupling, MaskedAutoregressive, SPLINES])
@pytest.mark.parametrize("kind", [k for k in MIXTURES if k.make.func is MixtureHead], ids=str)
def test_a_flow_head_begins_as_the_mixture(
    kind: HeadKind, flow: type[nn.Module], conditional: bool
) -> None:
    plain = perturbed(kind.make(4, 3), 0.3)
    options = kind.make.keywords
    flowed = FlowMixtureHead(4, 3, flow=flow, conditional=conditional, **options)
    missing = flowed.load_state_dict(plain.state_dict(), strict=False)
    assert not missing.unexpected_keys and all(k.startswith("flow.") for k in missing.missing_keys)
    h, y = torch.randn(20, 3), 2 * torch.randn(20, 4)
    assert isinstance(flowed(h), Flowed)
    torch.testing.assert_close(flowed(h).log_prob(y), plain(h).log_prob(y), rtol=1e-5, atol=1e-4)
    one, other = (_draws(head, h) for head in (flowed, plain))
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-4)


CHAIN = partial(
    Sequential,
    flows=[partial(AffineCoupling, mask="random", mixing=True), LULinear, MaskedAutoregressive],
)


@pytest.mark.parametrize("conditional", [False, True, [1, 2], range(1, 3)], ids=str)
@pytest.mark.parametrize("flow", [InverseAutoregressive, LULinear, CHAIN])
def test_every_flow_begins_as_the_mixture(
    flow: Callable[[int, int], nn.Module], conditional: bool | list[int] | range
) -> None:
    frames, h = torch.randn(200, 4), torch.randn(20, 3)
    plain = MixtureHead(4, 3)
    flowed = FlowMixtureHead(4, 3, flow=flow, conditional=conditional)
    plain.load_state_dict(
        {name: flowed.state_dict()[name] for name in ("projection.weight", "projection.bias")}
    )
    for head in (plain, flowed):
        head.initialise(frames)
    found, expected = flowed(h).log_prob(frames[:20]), plain(h).log_prob(frames[:20])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(_draws(flowed, h), _draws(plain, h), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("conditional", [False, True], ids=["shared", "conditional"])
def test_a_head_with_a_normalisation_begins_as_the_mixture_of_normalised_frames(
    conditional: bool,
) -> None:
    frames = torch.randn(400, 3) * torch.tensor([0.1, 1.0, 20.0]) + torch.tensor([5.0, 0.0, -70.0])
    mean, deviation = frames.mean(0), frames.std(0, correction=0)
    flow = partial(Sequential, flows=[ActivationNorm, AffineCoupling])
    flowed = FlowMixtureHead(3, 4, flow=flow, conditional=conditional)
    plain = MixtureHead(3, 4)
    plain.projection.load_state_dict(flowed.projection.state_dict())
    flowed.eval().initialise(frames)  # in training mode, meeting the frames would set it as well
    plain.initialise((frames - mean) / deviation)
    h = torch.randn(400, 4)
    expected = plain(h).log_prob((frames - mean) / deviation) - deviation.log().sum()
    torch.testing.assert_close(flowed(h).log_prob(frames), expected, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(
        _draws(flowed, h), _draws(plain, h) * deviation + mean, rtol=1e-4, atol=1e-3
    )
    # Training goes on from there: the first batch does not set it again.
    before = flowed.flow.transforms[0].loc.clone()
    flowed.train()(h).log_prob(frames + 9)
    assert torch.equal(flowed.flow.transforms[0].loc, before)


@pytest.mark.parametrize("columns", [[0, 3], range(1, 3)])
def test_the_flow_sees_the_columns_of_h_that_are_listed(columns: list[int] | range) -> None:
    head = perturbed(FlowMixtureHead(3, 4, conditional=columns), 0.2)
    h, y = torch.randn(4), torch.randn(3)
    before = head(h).transform(y)
    for column in range(4):
        moved = h.clone()
        moved[column] += 1
        assert torch.equal(head(moved).transform(y), before) is (column not in columns)
    whole = FlowMixtureHead(3, 4, conditional=True)
    assert set(head.state_dict()) == set(whole.state_dict())


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([4], r"columns 0 to 3, found \[4\]"),
        ([1, 1], r"named once, found \[1\]"),
        ([], "names no column of h: use False"),
    ],
)
def test_columns_that_do_not_fit_are_refused(columns: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FlowMixtureHead(3, 4, conditional=columns)


def test_the_flow_sees_h_only_where_it_is_conditional() -> None:
    h, y = torch.randn(2, 4), torch.randn(3)
    for conditional in (False, True):
        head = perturbed(FlowMixtureHead(3, 4, conditional=conditional))
        one, other = (head(context).transform(y) for context in h)
        assert torch.equal(one, other) is not conditional


def test_what_a_flow_says_comes_through() -> None:
    with pytest.raises(ValueError, match="at least 2 features, found 1"):
        FlowMixtureHead(1, 4)


def test_repr_names_what_differs_between_heads() -> None:
    head = FlowMixtureHead(3, 4, covariance="lowrank", rank=2, factor="tied")
    for part in ("features=3", "components=5", "'lowrank'", "rank=2", "'tied'", "(flow): Affine"):
        assert part in repr(head)


@pytest.mark.parametrize("conditional", [False, True])
def test_values_of_any_leading_shape_meet_every_context(conditional: bool) -> None:
    # In float64: how a product of matrices is rounded depends on how many frames it is of.
    head = FlowMixtureHead(features=3, context=4, conditional=conditional).double()
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    h, values = torch.randn(5, 4).double(), torch.randn(7, 1, 3).double()
    expected = torch.stack([head(h).log_prob(value.expand(5, 3)) for value in values])
    torch.testing.assert_close(head(h).log_prob(values), expected)


def _draws(head: nn.Module, h: Tensor) -> Tensor:
    torch.manual_seed(3)
    return head(h).sample((5,))
