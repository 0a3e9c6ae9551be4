"""The head of independent parts: the contract of heads over two of them, and each one's share."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from seqmdn.distributions import Product
from seqmdn.heads import AutoregressiveHead, FlowMixtureHead, MixtureHead, ProductHead
from tests.contracts import HEAD_CHECKS, HeadKind, assert_state_is_complete, check_head, perturbed
from tests.contracts.distributions import assert_within_errors
from tests.heads.kinds import AUTOREGRESSIVES, FLOWS, MIXTURES

# A floor and a beginning on the data are the business of each part; draws have their own test.
APART = ("floor_enters_every_term", "initialises", "draws_as_its_density")
CHECKS = [name for name in HEAD_CHECKS if name not in APART]
FIRST = {kind.name: kind for kind in (MIXTURES[2], MIXTURES[-1], FLOWS[1], AUTOREGRESSIVES[0])}
LAST = MIXTURES[1]


class Both:
    """The projections of both parts as one, for checks that look at them."""

    def __init__(self, parts: nn.ModuleList) -> None:
        self.parts = parts
        self.weight = parts[0].projection.weight

    def __call__(self, h: Tensor) -> Tensor:
        return torch.cat([part.projection(h) for part in self.parts], dim=-1)

    def parameters(self) -> Iterator[nn.Parameter]:
        for part in self.parts:
            yield from part.projection.parameters()


def told(y: Tensor) -> Tensor:
    """A feature more that the others say, never so large that it decides whose a draw is."""
    return torch.cat((y, torch.tanh(y[..., :1] - y[..., 1:2])), dim=-1)


class Pinned(Distribution):
    """The density of frames together with the feature that they say."""

    def __init__(self, product: Product) -> None:
        self.product = product
        shape = product.parts[0].event_shape
        super().__init__(product.batch_shape, shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        return self.product.log_prob(told(value))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return self.product.sample(sample_shape)[..., :-1]


class PinnedHead(nn.Module):
    """A part of any number of features, and one of a single feature."""

    def __init__(self, kind: HeadKind, features: int, context: int, **options: Any) -> None:
        super().__init__()
        parts = [(features, partial(kind.make, **options)), (1, partial(LAST.make, **options))]
        self.head = ProductHead(features + 1, context, parts)
        self.sizes = self.head.parts[0].sizes

    @property
    def projection(self) -> Any:
        return Both(self.head.parts)

    def forward(self, h: Tensor) -> Pinned:
        return Pinned(self.head(h))


def pinned(kind: HeadKind) -> HeadKind:
    def reference(head: PinnedHead, h: Tensor, raw: Tensor, y: Tensor) -> Tensor:
        first, last = head.head.parts
        count = first.projection.out_features
        one = kind.log_prob(first, h, raw[..., :count], y)
        return one + LAST.log_prob(last, h, raw[..., count:], told(y)[..., -1:])

    return HeadKind(kind.name, partial(PinnedHead, kind), reference)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("first", FIRST)
def test_contract(first: str, check: str) -> None:
    check_head(pinned(FIRST[first]), check)


@pytest.mark.parametrize("first", [MixtureHead, FlowMixtureHead, AutoregressiveHead])
def test_every_part_begins_on_its_own_features(first: Any) -> None:
    head = ProductHead(3, 5, [(2, first), (1, MixtureHead)])
    alone = [first(2, 5), MixtureHead(1, 5)]
    for part, own in zip(head.parts, alone, strict=True):
        own.load_state_dict(part.state_dict())
    values = torch.cat((3 + 2 * torch.randn(400, 2), 50 + torch.randn(400, 1)), dim=1)
    head.initialise(values)
    for part, own, columns in zip(head.parts, alone, (values[:, :2], values[:, 2:]), strict=True):
        own.initialise(columns)
        for name, tensor in own.state_dict().items():
            assert torch.equal(part.state_dict()[name], tensor), name
    assert_state_is_complete(head)
    assert isinstance(head(torch.zeros(5)), Product)


@pytest.mark.parametrize("first", [MixtureHead, FlowMixtureHead, AutoregressiveHead])
def test_it_draws_as_its_density(first: Any) -> None:
    head = perturbed(ProductHead(3, 5, [(2, first), (1, MixtureHead)]), 0.5)
    h = torch.randn(5)
    for options in ({}, {"mixing": 0.4, "scale": 0.3}):
        with torch.no_grad():
            expected = head(h).tempered(**options).sample((20_000,)).double()
        found = head.draw(h.expand(20_000, -1), **options).double()
        assert found.shape == (20_000, 3) and not found.requires_grad
        products = [torch.einsum("ni,nj->nij", y, y).flatten(1) for y in (found, expected)]
        for one, other in ((found, expected), products):
            error = ((one.var(0) + other.var(0)) / 20_000).sqrt()
            assert_within_errors(one.mean(0), other.mean(0), error)


def test_a_part_without_a_way_of_its_own_to_draw_or_begin() -> None:
    class Plain(nn.Module):
        def __init__(self, features: int, context: int) -> None:
            super().__init__()
            self.head = MixtureHead(features, context)

        def forward(self, h: Tensor) -> torch.distributions.Distribution:
            return self.head(h)

    head = ProductHead(3, 5, [(1, Plain), (2, MixtureHead)])
    head.initialise(torch.randn(20, 3))
    assert head.draw(torch.zeros(7, 5), mixing=0.5).shape == (7, 3)


@pytest.mark.parametrize("sizes", [[], [2], [2, 2], [3, 0]])
def test_parts_that_are_not_the_frame_are_refused(sizes: list[int]) -> None:
    with pytest.raises(ValueError, match="1 feature or more, 3 together, found"):
        ProductHead(3, 5, [(size, MixtureHead) for size in sizes])
    with pytest.raises(ValueError, match=r"shape \(N, 3\), found \(9, 2\)"):
        ProductHead(3, 5, [(3, MixtureHead)]).initialise(torch.zeros(9, 2))
