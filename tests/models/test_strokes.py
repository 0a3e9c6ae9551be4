"""The sequence model of strokes: a text in its state, bits in its frames, gradients cut short."""

import math
from collections.abc import Callable
from functools import partial
from itertools import product

import pytest
import torch
from torch import Tensor

from seqmdn.backbones import LSTMBackbone
from seqmdn.data import Batch, Partial, encode
from seqmdn.heads import MixtureHead, StrokeHead
from seqmdn.models import SequenceModel
from tests.contracts import assert_state_is_complete, perturbed
from tests.pens import build

TEXTS = ["abé", "é", "ba", "abab"]


def batch_of(bits: int = 2, time: int = 7) -> Batch:
    """Four drawings of unequal length that end where they are marked, with their texts."""
    generator = torch.Generator().manual_seed(4)
    lengths = torch.tensor([time, time - 2, 3, 5])
    offsets = 3 + 5 * torch.randn(4, time, 2, generator=generator, dtype=torch.float64)
    marks = (torch.rand(4, time, bits, generator=generator) < 0.3).double()
    if bits > 1:
        marks[..., -1] = torch.arange(time) == lengths.unsqueeze(1) - 1
    return Batch(torch.cat((offsets, marks), dim=-1), lengths, text=encode(TEXTS))


def step_by_step(
    model: SequenceModel, batch: Batch, between: Callable[[int, Tensor], Tensor] | None = None
) -> Tensor:  # (B, T)
    """The density of every frame, one step at a time; ``between`` meets each part of the state."""
    z, ladj = model.transform.call_and_ladj(batch.values)
    state = None if batch.text is None else model.begin(batch.text)
    previous, found = None, []
    for t in range(batch.values.shape[1]):
        if between is not None and state is not None:
            state = tuple(between(t, part) for part in state)
        density, state = model.step(previous, state=state, batch_size=len(z))
        found.append(density.log_prob(z[:, t]) + ladj[:, t])
        previous = z[:, t]
    return torch.stack(found, dim=1).where(batch.mask(), 0)


@pytest.mark.parametrize("bits", [1, 2])
def test_log_prob_is_the_sum_of_the_steps_densities(bits: int) -> None:
    model, batch = build(bits=bits).double(), batch_of(bits)
    expected = step_by_step(model, batch)
    found = model.frame_log_prob(batch)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(model.log_prob(batch), expected.sum(1))
    torch.testing.assert_close(model.loss(batch), -expected.sum() / batch.lengths.sum())
    alone = model.log_prob(batch.part(1, 2))
    torch.testing.assert_close(alone, model.log_prob(batch)[1:2])


def test_the_text_matters() -> None:
    model, batch = build().double(), batch_of()
    other = batch._replace(text=encode(["aba", "a", "bb", "bbab"]))
    assert ((model.log_prob(other) - model.log_prob(batch)).abs() > 1e-4).all()


@pytest.mark.parametrize("padding", [0.0, math.nan, math.inf, 0.5])
def test_neither_padding_nor_longer_texts_reach_a_loss_or_a_gradient(padding: float) -> None:
    model, batch = build().double(), batch_of()

    def gradients(batch: Batch) -> dict[str, Tensor]:
        model.zero_grad()
        model.loss(batch).backward()
        return {name: p.grad.clone() for name, p in model.named_parameters()}

    outside = (torch.arange(7) >= batch.lengths.unsqueeze(1)).unsqueeze(-1)
    more = torch.nn.functional.pad(batch.values.masked_fill(outside, padding), (0, 0, 0, 3))
    longer = torch.nn.functional.pad(batch.text, (0, 4))
    padded = batch._replace(values=more, text=longer)
    torch.testing.assert_close(model.log_prob(padded), model.log_prob(batch))
    expected = gradients(batch)
    for name, gradient in gradients(padded).items():
        torch.testing.assert_close(gradient, expected[name], msg=lambda m, n=name: f"{n}: {m}")


def test_gradients_reach_every_parameter_and_a_state_is_complete() -> None:
    for truncate in (None, 2):
        model = build(truncate=truncate).double()
        assert_state_is_complete(model)
        model.loss(batch_of()).backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
@pytest.mark.parametrize("reads", [False, True])
def test_a_truncated_gradient_is_that_of_pieces_cut_by_hand(reads: bool, steps: int) -> None:
    batch = batch_of() if reads else batch_of()._replace(text=None)
    cut = build(reads, truncate=steps).double()

    def between(t: int, part: Tensor) -> Tensor:
        return part.detach() if t % steps == 0 else part

    expected = torch.autograd.grad(step_by_step(cut, batch, between).sum(), list(cut.parameters()))
    found = torch.autograd.grad(cut.log_prob(batch).sum(), list(cut.parameters()))
    whole = torch.autograd.grad(step_by_step(cut, batch).sum(), list(cut.parameters()))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)
    assert any((one - other).abs().max() > 1e-3 for one, other in zip(found, whole, strict=True))
    # No value changes, with a gradient or without one.
    plain = build(reads).double().log_prob(batch)
    torch.testing.assert_close(cut.log_prob(batch), plain)
    with torch.no_grad():
        torch.testing.assert_close(cut.log_prob(batch), plain)


@pytest.mark.parametrize("reads", [False, True])
def test_a_truncation_beyond_the_end_changes_nothing(reads: bool) -> None:
    batch = batch_of() if reads else batch_of()._replace(text=None)
    found = []
    for truncate in (None, 7, 100):
        model = build(reads, truncate=truncate).double()
        found.append(torch.autograd.grad(model.loss(batch), list(model.parameters())))
    for parts in zip(*found, strict=True):
        for other in parts[1:]:
            torch.testing.assert_close(other, parts[0], rtol=1e-10, atol=1e-12)
    with pytest.raises(ValueError, match="truncate must be at least 1 step, found 0"):
        build(truncate=0)


def test_without_a_gradient_the_backbone_runs_once() -> None:
    model, calls = build(truncate=2).double(), []
    model.backbone.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        model.log_prob(batch_of())
    assert len(calls) == 1
    model.log_prob(batch_of())
    assert len(calls) == 1 + 4


def test_the_density_of_whole_sequences_sums_to_one() -> None:
    torch.manual_seed(0)
    model = SequenceModel(
        3,
        backbone=partial(LSTMBackbone, hidden=6),
        head=partial(StrokeHead, offsets=partial(MixtureHead, components=2), columns=1),
        transform=partial(Partial, columns=1),
    )
    frames = torch.cat((5 + 2 * torch.randn(200, 1), (torch.rand(200, 2) < 0.4).float()), dim=1)
    model.initialise(frames)
    perturbed(model, 0.3)
    model = model.double()
    axis = torch.linspace(-15, 25, 81, dtype=torch.float64)
    cell = float(axis[1] - axis[0])
    shares = []
    # Of sequences of one frame, of two, and of those that have not ended after two.
    for ends in ([1.0], [0.0, 1.0], [0.0, 0.0]):
        grid = torch.cartesian_prod(*[axis] * len(ends)).view(-1, len(ends), 1)
        total = 0.0
        for bits in product([0.0, 1.0], repeat=len(ends)):
            marks = torch.tensor([bits, ends], dtype=torch.float64).T.expand(len(grid), -1, -1)
            batch = Batch(torch.cat((grid, marks), dim=-1), torch.full((len(grid),), len(ends)))
            with torch.no_grad():
                total += float(model.log_prob(batch).exp().sum()) * cell ** len(ends)
        shares.append(total)
    assert sum(shares) == pytest.approx(1, abs=1e-3) and min(shares) > 0.05


def test_a_frame_says_its_end_or_else_the_text_does() -> None:
    frame = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.0]])
    model = build(bits=2)
    state = model.begin(encode(["ab", "a"]))
    assert model.ended(frame, state).tolist() == [True, False]
    pen = build(bits=1)
    hidden, cell, place, window, text = pen.begin(encode(["ab", "a"]))
    assert pen.ended(frame[:, :3], (hidden, cell, place + 2, window, text)).tolist() == [
        False,
        True,
    ]
    silent = build(reads=False, bits=1)
    assert silent.begin(None) is None
    assert silent.ended(frame[:, :3], silent.step(None, batch_size=2)[1]) is None
    plain = SequenceModel(2)
    assert plain.ended(frame[:, :2], plain.step(None, batch_size=2)[1]) is None


def test_texts_and_backbones_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="a LSTMBackbone does not read texts"):
        build(reads=False).log_prob(batch_of())
    with pytest.raises(ValueError, match="this backbone reads a text: begin its state"):
        build().double().log_prob(batch_of()._replace(text=None))
    with pytest.raises(ValueError, match="the model never saw 'x'"):
        build().log_prob(batch_of()._replace(text=encode(["ab", "xa", "a", "b"])))


def test_autocast_stays_close_and_finite() -> None:
    model, batch = build(), batch_of()
    batch = batch._replace(values=batch.values.float())
    expected = model.log_prob(batch)
    torch.testing.assert_close(
        build().double().log_prob(batch_of()), expected.double(), rtol=1e-4, atol=1e-3
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = model.log_prob(batch)
    assert found.dtype == torch.float32 and not torch.equal(found, expected)
    torch.testing.assert_close(found, expected, rtol=0, atol=0.3)
    (-found.mean()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
