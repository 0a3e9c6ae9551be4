"""What models that go frame by frame have in common."""

import math

import pytest
import torch
from torch import Tensor

from seqmdn.data import Batch
from seqmdn.models import VRNN, FrameModel, SequenceModel


def test_both_kinds_are_frame_models() -> None:
    assert issubclass(SequenceModel, FrameModel) and issubclass(VRNN, FrameModel)
    with pytest.raises(TypeError, match="advance"):
        FrameModel(2, 0, lambda features: None)  # type: ignore


@pytest.mark.parametrize("kind", [SequenceModel, VRNN])
def test_a_frame_stands_behind_the_one_before_it(kind: type[FrameModel]) -> None:
    model = kind(2, 1)
    model.initialise(torch.randn(50, 2) * 5 + 3)
    values, context = torch.randn(2, 4, 2), torch.randn(2, 4, 1)
    values[1, 2:], context[1, 2:] = math.nan, math.nan
    seen = model.see(Batch(values, torch.tensor([4, 2]), context))
    z, ladj = model.transform.call_and_ladj(values[:1])
    torch.testing.assert_close(seen.z[:1], z)
    torch.testing.assert_close(seen.ladj[:1], ladj)
    torch.testing.assert_close(seen.previous[:, 0], model.start.expand(2, 2))
    torch.testing.assert_close(seen.previous[:, 1:], seen.z[:, :-1])
    assert torch.equal(seen.z[1, 2:], seen.z[1, :1].expand(2, 2)) and seen.observed is None
    assert seen.context is not None and not seen.context[1, 2:].any()


@pytest.mark.parametrize("kind", [SequenceModel, VRNN])
def test_what_was_not_drawn_is_told(kind: type[FrameModel]) -> None:
    model = kind(2)
    _, state = model.advance(None, batch_size=3)
    after = model.told(torch.zeros(3, 2), state, torch.tensor([True, False, True]))
    changed = torch.stack([(a != b).flatten(1).any(1) for a, b in zip(after, state, strict=True)])
    # Only a latent variable hangs on the frame of its own step.
    expected = [True, False, True] if kind is VRNN else [False] * 3
    assert changed.any(0).tolist() == expected


@pytest.mark.parametrize("kind", [SequenceModel, VRNN])
@pytest.mark.parametrize(
    ("values", "context", "words"),
    [
        (torch.zeros(1, 4, 3), None, r"\(B, T, 2\), found \(1, 4, 3\)"),
        (torch.zeros(4, 2), None, r"\(B, T, 2\), found \(4, 2\)"),
        (torch.zeros(1, 4, 2), torch.zeros(1, 3, 1), r"\(1, 4, 1\), found \(1, 3, 1\)"),
        (torch.zeros(1, 4, 2), None, "context of 1 features, found none"),
    ],
)
def test_what_does_not_fit_is_refused(
    kind: type[FrameModel], values: Tensor, context: Tensor | None, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        kind(2, 1).loss(Batch(values, torch.tensor([2]), context))
