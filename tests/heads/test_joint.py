"""Frames of numbers and bits; what a head of these is held to stands with that of strokes."""

from functools import partial

import pytest
import torch

from seqmdn.data import Batch, Partial, Standardise
from seqmdn.generation import generate
from seqmdn.heads import FlowMixtureHead, JointHead, MixtureHead, StrokeHead
from seqmdn.models import SequenceModel


def test_a_stroke_head_is_one_of_two_columns() -> None:
    torch.manual_seed(0)
    stroke = StrokeHead(4, 5, FlowMixtureHead)
    torch.manual_seed(0)
    joint = JointHead(4, 5, columns=2, continuous=FlowMixtureHead)
    assert isinstance(stroke, JointHead) and stroke.offsets is stroke.continuous
    h, frames = torch.randn(7, 5), torch.tensor([0.5, -1, 1, 0]).expand(7, 4)
    assert torch.equal(stroke(h).log_prob(frames), joint(h).log_prob(frames))


def test_the_density_is_that_of_the_numbers_and_the_bit() -> None:
    head = JointHead(4, 5, columns=3)
    h, y = torch.randn(6, 5), torch.randn(6, 3)
    probability = torch.sigmoid(head.bits(h))
    for bit, of_bit in ((1.0, probability), (0.0, 1 - probability)):
        frames = torch.cat((y, torch.full((6, 1), bit)), dim=1)
        expected = head.continuous(h).log_prob(y) + of_bit.log().squeeze(1)
        torch.testing.assert_close(head(h).log_prob(frames), expected)


def test_what_has_an_end_draws_until_there() -> None:
    """Of wide frames whose only bit is the end of their sequence."""
    model = SequenceModel(
        9,
        head=partial(JointHead, columns=8, continuous=partial(MixtureHead, components=2)),
        transform=partial(Partial, columns=8, transform=partial(Standardise, shared=True)),
    )
    with torch.no_grad():
        model.head.bits.weight.zero_()
        model.head.bits.bias.fill_(-1.0986)  # odds of 1 to 3
    drawn = generate(model, 4000, 60)
    assert abs(drawn.lengths.float().mean() - 4) < 0.25  # geometric
    ends = drawn.values[..., -1] > 0.5
    last = torch.arange(drawn.values.shape[1]) == (drawn.lengths - 1).unsqueeze(1)
    assert torch.equal(ends, last & (drawn.lengths < 60).unsqueeze(1))
    assert model.log_prob(Batch(drawn.values, drawn.lengths)).isfinite().all()


@pytest.mark.parametrize(("features", "columns"), [(3, 3), (3, 0), (3, 4)])
def test_without_a_bit_there_is_no_joint_head(features: int, columns: int) -> None:
    with pytest.raises(ValueError, match=f"{columns} continuous features .* {features} features"):
        JointHead(features, 5, columns=columns)
