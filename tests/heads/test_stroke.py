"""The head of strokes: the contract of heads over both of its parts, its bits and its end."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from seqmdn.distributions import Autoregressive, Bits, Flowed, Joint, Mixture
from seqmdn.heads import AutoregressiveHead, FlowMixtureHead, MixtureHead, StrokeHead
from tests.contracts import HEAD_CHECKS, HeadKind, assert_state_is_complete, check_head, perturbed
from tests.heads.kinds import AUTOREGRESSIVES, FLOWS, MIXTURES

# A floor is the business of the offsets' head alone, frames to begin with have bits in them, and
# draws have theirs.
APART = ("floor_enters_every_term", "initialises", "draws_as_its_density")
CHECKS = [name for name in HEAD_CHECKS if name not in APART]
OFFSETS = {
    kind.name: kind
    for kind in (
        MIXTURES[2],
        FLOWS[0],
        FLOWS[1],
        AUTOREGRESSIVES[0],
    )  # lowrank, shared, conditional
}


class Both:
    """The projections of offsets and bits as one, for checks that look at them."""

    def __init__(self, head: StrokeHead) -> None:
        self.head = head
        self.weight = head.offsets.projection.weight

    def __call__(self, h: Tensor) -> Tensor:
        return torch.cat((self.head.offsets.projection(h), self.head.bits(h)), dim=-1)

    def parameters(self) -> Iterator[nn.Parameter]:
        yield from self.head.offsets.projection.parameters()
        yield from self.head.bits.parameters()


def signs(y: Tensor) -> Tensor:
    """Two bits that a frame of real numbers says, so that its checks meet all of them."""
    return (y[..., :2] > 0).to(y.dtype)


class Pinned(Distribution):
    """The density of real frames together with the bits that they say."""

    def __init__(self, joint: Joint) -> None:
        self.joint = joint
        shape = joint.continuous.event_shape
        super().__init__(joint.batch_shape, shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        return self.joint.log_prob(torch.cat((value, signs(value)), dim=-1))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return self.joint.sample(sample_shape)[..., : self.joint.columns]


class PinnedHead(StrokeHead):
    """Two bits behind any number of offsets."""

    def __init__(self, kind: HeadKind, features: int, context: int, **options: Any) -> None:
        super().__init__(features + 2, context, partial(kind.make, **options), columns=features)
        self.sizes = self.offsets.sizes

    @property
    def projection(self) -> Any:
        return Both(self)

    def forward(self, h: Tensor) -> Pinned:
        return Pinned(super().forward(h))


def pinned(kind: HeadKind) -> HeadKind:
    def reference(head: StrokeHead, h: Tensor, raw: Tensor, y: Tensor) -> Tensor:
        offsets, (a, b, w) = raw[..., :-3], raw[..., -3:].unbind(-1)
        first, second = (2 * signs(y) - 1).unbind(-1)
        one = torch.sigmoid(first * a).log()
        two = torch.sigmoid(second * (b + w * (first + 1) / 2)).log()
        return kind.log_prob(head.offsets, h, offsets, y) + one + two

    return HeadKind(kind.name, partial(PinnedHead, kind), reference)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("offsets", OFFSETS)
def test_contract(offsets: str, check: str) -> None:
    check_head(pinned(OFFSETS[offsets]), check)


@pytest.mark.parametrize("features", [3, 4])
@pytest.mark.parametrize(
    ("offsets", "kind"),
    [
        (MixtureHead, Mixture),
        (FlowMixtureHead, Flowed),
        (partial(FlowMixtureHead, conditional=True), Flowed),
        (AutoregressiveHead, Autoregressive),
    ],
)
def test_it_is_the_head_of_the_offsets_beside_bits(
    offsets: Any, kind: type[Distribution], features: int
) -> None:
    head = perturbed(StrokeHead(features, 5, offsets), 0.3)
    h = torch.randn(6, 7, 5)
    found = head(h)
    assert isinstance(found, Joint) and isinstance(found.continuous, kind)
    assert found.batch_shape == (6, 7) and found.event_shape == (features,)
    y = torch.randn(6, 7, 2)
    torch.testing.assert_close(found.continuous.log_prob(y), head.offsets(h).log_prob(y))
    raw = head.bits(h)
    assert isinstance(found.bits, Bits) and raw.shape[-1] == {3: 1, 4: 3}[features]
    assert torch.equal(found.bits.logits, raw[..., : features - 2])
    if features == 4:
        assert torch.equal(found.bits.couplings, raw[..., 2:])
    else:
        assert found.bits.couplings is None


@pytest.mark.parametrize("features", [3, 4, 5])
@pytest.mark.parametrize("offsets", [MixtureHead, partial(FlowMixtureHead, conditional=True)])
def test_gradients_reach_every_parameter(offsets: Any, features: int) -> None:
    head = perturbed(StrokeHead(features, 5, offsets), 0.1)
    frames = torch.cat((torch.randn(50, 2), (torch.rand(50, features - 2) < 0.5).float()), dim=-1)
    (-head(torch.randn(50, 5)).log_prob(frames).mean()).backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name
    assert (head.bits.weight.grad != 0).all() and (head.bits.bias.grad != 0).all()


def test_it_saves_and_loads() -> None:
    make = partial(StrokeHead, 4, 5, partial(FlowMixtureHead, components=3))
    head, fresh = perturbed(make(), 0.2), make()
    assert_state_is_complete(head)
    fresh.load_state_dict(head.state_dict())
    h, frame = torch.randn(9, 5), torch.tensor([0.1, -0.3, 1.0, 0.0])
    assert torch.equal(fresh(h).log_prob(frame), head(h).log_prob(frame))


@pytest.mark.parametrize("offsets", [MixtureHead, FlowMixtureHead])
def test_it_begins_on_the_data(offsets: Any) -> None:
    shares = torch.tensor([0.25, 0.02])
    values = torch.cat((3 + 2 * torch.randn(400, 2), (torch.rand(400, 2) < shares).float()), dim=-1)
    head, alone = StrokeHead(4, 5, offsets), offsets(2, 5)
    with torch.no_grad():
        head.bits.bias.fill_(9.0)
    alone.load_state_dict(head.offsets.state_dict())
    head.initialise(values)
    alone.initialise(values[:, :2])
    for name, tensor in alone.state_dict().items():
        assert torch.equal(head.offsets.state_dict()[name], tensor), name
    bits = head(torch.zeros(5)).bits
    expected = (values[:, 2:].sum(0) + 0.5) / 401
    torch.testing.assert_close(bits.logits.sigmoid(), expected)
    assert bits.couplings.item() == 0 and not head.bits.bias.isnan().any()
    # h hardly matters in the beginning.
    moved = head(2 * torch.rand(300, 5) - 1).bits.logits
    assert (moved - bits.logits).abs().max() < 0.5


@pytest.mark.parametrize("bit", [0.0, 1.0])
def test_a_bit_that_never_changes_begins_finite(bit: float) -> None:
    values = torch.cat((torch.randn(30, 2), torch.full((30, 1), bit)), dim=-1)
    head = StrokeHead(3, 5)
    head.initialise(values)
    assert head.bits.bias.abs().item() == pytest.approx(torch.tensor(61.0).log().item(), rel=1e-5)
    other = torch.tensor([0.0, 0.0, 1 - bit])
    assert head(torch.zeros(5)).log_prob(other).isfinite()


def test_a_head_of_offsets_that_has_no_beginning_is_left_alone() -> None:
    class Plain(nn.Module):
        def __init__(self, features: int, context: int) -> None:
            super().__init__()
            self.head = MixtureHead(features, context)

    head = StrokeHead(3, 5, Plain)
    before = {name: tensor.clone() for name, tensor in head.offsets.state_dict().items()}
    head.initialise(torch.cat((torch.randn(9, 2), torch.ones(9, 1)), dim=-1))
    assert all(torch.equal(head.offsets.state_dict()[name], before[name]) for name in before)
    assert head.bits.bias.item() > 0


def test_the_second_bit_ends_a_sequence() -> None:
    frames = torch.tensor([[9.0, 9.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0], [-9.0, 0.0, 1.0, 1.0]])
    assert StrokeHead(4, 5).last(frames).tolist() == [False, True, True]
    assert StrokeHead(4, 5).last(frames.unsqueeze(0)).shape == (1, 3)
    assert StrokeHead(3, 5).last(frames[:, :3]) is None
    assert StrokeHead(3, 5, columns=1).last(frames[:, 1:]).tolist() == [False, True, True]


def test_other_numbers_of_offsets() -> None:
    head = StrokeHead(6, 5, partial(MixtureHead, components=2), columns=3)
    found = head(torch.zeros(5))
    assert found.columns == 3 and found.bits.event_shape == (3,) and found.sample().shape == (6,)
    for part in ("features=6", "columns=3", "(continuous): MixtureHead"):
        assert part in repr(head)


@pytest.mark.parametrize(("features", "columns"), [(2, 2), (3, 3), (3, 0), (1, 2)])
def test_frames_without_a_bit_or_an_offset_are_refused(features: int, columns: int) -> None:
    message = f"frames of {columns} continuous features and at least one bit .* {features} features"
    with pytest.raises(ValueError, match=message):
        StrokeHead(features, 5, columns=columns)


def test_frames_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match=r"values must have shape \(N, 4\), found \(9, 3\)"):
        StrokeHead(4, 5).initialise(torch.zeros(9, 3))
    with pytest.raises(ValueError, match="5 components need at least 5 frames, found 4"):
        StrokeHead(4, 5).initialise(torch.zeros(4, 4))


@pytest.mark.parametrize("offsets", [MixtureHead, FlowMixtureHead, AutoregressiveHead])
def test_it_draws_as_its_density(offsets: Any) -> None:
    torch.manual_seed(0)
    head = perturbed(StrokeHead(4, 5, offsets=offsets), 0.5)
    h = torch.randn(5)
    for options in ({}, {"mixing": 0.4, "scale": 0.3, "bits": 2.0}):
        with torch.no_grad():
            expected = head(h).tempered(**options).sample((20_000,)).double()
        found = head.draw(h.expand(20_000, -1), **options).double()
        assert found.shape == (20_000, 4) and not found.requires_grad
        assert ((found[:, 2:] == 0) | (found[:, 2:] == 1)).all()
        products = [torch.einsum("ni,nj->nij", y, y).flatten(1) for y in (found, expected)]
        for one, other in ((found, expected), products):
            error = ((one.var(0) + other.var(0)) / 20_000).sqrt()
            assert ((one.mean(0) - other.mean(0)).abs() < 5 * error + 1e-9).all()
