"""Mixtures behind a flow: their contract, and what the flow changes."""

import pytest
import torch
from torch import nn

from seqmdn.distributions import Flowed
from seqmdn.flows import AffineCoupling, MaskedAutoregressive, SplineCoupling
from seqmdn.heads import FlowMixtureHead
from tests.contracts import HEAD_CHECKS, HeadKind, check_head, perturbed
from tests.heads.kinds import FLOWS, MIXTURES, SPLINES


@pytest.mark.parametrize("check", HEAD_CHECKS)
@pytest.mark.parametrize("kind", FLOWS, ids=str)
def test_contract(kind: HeadKind, check: str) -> None:
    check_head(kind, check)


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("flow", [AffineCoupling, SplineCoupling, MaskedAutoregressive, SPLINES])
@pytest.mark.parametrize("kind", MIXTURES, ids=str)
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
    head = FlowMixtureHead(features=3, context=4, conditional=conditional)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    h, values = torch.randn(5, 4), torch.randn(7, 1, 3)
    expected = torch.stack([head(h).log_prob(value.expand(5, 3)) for value in values])
    torch.testing.assert_close(head(h).log_prob(values), expected)
