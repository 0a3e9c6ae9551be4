"""Streams of a known length: what generate draws, frame by frame, in bounded memory."""

import gc
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from seqmdn.backbones import LSTMBackbone
from seqmdn.flows import AffineCoupling
from seqmdn.generation import generate, stream_sequences
from seqmdn.heads import AutoregressiveHead, FlowMixtureHead, MixtureHead
from seqmdn.models import SequenceModel
from tests.contracts import perturbed

D, X = 4, 3
HEADS = {
    "RMDN": partial(MixtureHead, components=3),
    "FRMDN": partial(FlowMixtureHead, components=3, flow=partial(AffineCoupling, transforms=2)),
    "autoregressive": partial(AutoregressiveHead, components=2),
}


def build(head: str, context: int = 0) -> SequenceModel:
    torch.manual_seed(0)
    backbone = partial(LSTMBackbone, hidden=8)
    model = SequenceModel(D, context, backbone=backbone, head=HEADS[head])
    model.initialise(100 + 20 * torch.randn(500, D))
    perturbed(model)
    perturbed(model.head, 0.3)
    return model


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("primed", [0, 3])
@pytest.mark.parametrize("context", [0, X])
def test_frames_are_those_of_the_batch(head: str, primed: int, context: int) -> None:
    model = build(head, context)
    options: dict = {"seed": 4, "mixing": 0.8, "scale": 0.5}
    if primed:
        options["prime"] = 100 + 20 * torch.randn(2, primed, D)
    if context:
        options["context"] = torch.randn(2, 12, X)
    expected = generate(model, 2, 9, **options).values
    found = list(stream_sequences(model, 2, 9, **options))
    assert torch.equal(torch.stack([frame for frame, _ in found], dim=1), expected)
    assert all(present.tolist() == [True, True] for _, present in found)
    if primed:
        assert torch.equal(expected[:, :primed], options["prime"])


def test_ends_are_those_of_the_batch() -> None:
    model = build("FRMDN")

    def high(frame: Tensor) -> Tensor:
        return frame[:, 0] > 100

    prime = torch.full((2, D), 1000.0)
    whole = generate(model, 6, 200, prime=prime, stop=high)
    assert len(set(whole.lengths.tolist())) > 2 and int(whole.lengths.max()) < 200
    found = list(stream_sequences(model, 6, 200, prime=prime, stop=high))
    present = torch.stack([each for _, each in found], dim=1)
    assert torch.equal(present, whole.present())
    values = torch.stack([frame for frame, _ in found], dim=1)
    assert torch.equal(values.where(present.unsqueeze(-1), 0), whole.values)


def test_a_frame_is_drawn_when_it_is_asked_for_and_leaves_no_trace() -> None:
    model = build("RMDN").train()
    calls: list[int] = []
    handle = model.backbone.register_forward_hook(lambda *_: calls.append(1))
    state = torch.get_rng_state()
    frames = stream_sequences(model, 2, 5)
    assert calls == []
    for count, (frame, _) in enumerate(frames, start=1):
        assert len(calls) == count and frame.shape == (2, D)
        assert model.training and torch.equal(torch.get_rng_state(), state)
        nn.Linear(D, 1)(frame).sum().backward()
        torch.set_rng_state(state)
    handle.remove()


@pytest.mark.parametrize("head", ["RMDN", "FRMDN"])
def test_nothing_of_a_frame_is_kept_but_the_state(head: str) -> None:
    def tensors() -> int:
        gc.collect()
        return sum(issubclass(type(each), Tensor) for each in gc.get_objects())

    frames = stream_sequences(build(head), 2, 60)
    counts = []
    for _ in range(2):
        for _ in range(20):
            next(frames)
        counts.append(tensors())
    assert counts[0] == counts[1]


def test_errors_come_with_the_call_and_with_the_frame() -> None:
    model = build("RMDN", X)
    with pytest.raises(ValueError, match="length 9 needs as many frames of context, found 4"):
        stream_sequences(model, 2, 9, context=torch.zeros(2, 4, X))
    with pytest.raises(ValueError, match="length must be at least 5, found 4"):
        stream_sequences(build("RMDN"), 2, 4, prime=torch.zeros(5, D))
    with torch.no_grad():
        model.head.projection.bias.fill_(float("inf"))
    frames = stream_sequences(model, 2, 4, context=torch.zeros(2, 4, X))
    with pytest.raises((FloatingPointError, ValueError)):
        next(frames)


def test_only_frames_that_count_must_be_finite() -> None:
    model = build("RMDN")
    draws = iter([torch.zeros(2, D), torch.tensor([[float("nan")] * D, [0.0] * D])])
    model.head.draw = lambda _: next(draws)  # a head that draws by itself
    frames = stream_sequences(model, 2, 2, stop=lambda _: torch.tensor([True, False]))
    assert [present.tolist() for _, present in frames] == [[True, True], [False, True]]
    draws = iter([torch.tensor([[0.0] * D, [float("nan")] * D])])
    with pytest.raises(FloatingPointError, match="the draws are not finite"):
        next(stream_sequences(model, 2, 2))
