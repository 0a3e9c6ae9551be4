"""Sequences of a run's model beside real ones."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seqmdn.data import Batch, encode
from seqmdn.generation import generate, stream_sequences
from seqmdn.runs.plan import Plan, plan_draws
from seqmdn.runs.run import Run

__all__ = ["Stream", "draw", "stream_draws"]


class Stream(NamedTuple):
    """Sequences of which each frame is drawn when it is asked for.

    Attributes:
        frames: Frames (B, D) in the columns of the store, and of which sequences they are a part
            (B,).
        length: Number of steps at most.
        start: The first frame of each sequence that is drawn (B,), 0 where nothing is primed.
    """

    frames: Iterator[tuple[Tensor, Tensor]]
    length: int
    start: Tensor


def draw(
    run: Run,
    num: int,
    length: int | None = None,
    prime: float = 0,
    split: str = "test",
    text: Sequence[str] | str | None = None,
    style: Batch | None = None,
    clip: Tensor | None = None,
    labels: Sequence[str] | None = None,
    **options: Any,
) -> tuple[Batch, Batch]:
    """Draw sequences as long as real ones, under the context of real ones where the model has a
    context.

    Args:
        run: The run.
        num: Number of sequences; with a context or a prime, real sequences are used again in turn.
        length: Frames of each at most, behind those of a clip. By default those of the longest real
            sequence used; where a draw ends by itself, twice those of the store's longest.
        prime: Number of first frames to take from real sequences, or below 1 the share of each.
        split: Where the real sequences come from.
        text: What the draws say, of several texts in turn; those of the real sequences by default.
        style: Sequences to go on from, whole, with what they say, in the model's columns
            (:func:`seqmdn.runs.read_style`), used in turn: the draws go on in their manner.
        clip: Frames (P, D) in the store's columns that all draws go on from
            (:func:`seqmdn.runs.read_prime`).
        labels: Names of columns of the context that are set, those of a kind in turn
            (:func:`seqmdn.runs.labels.relabel`); the context is otherwise that of the real
            sequences' first frames, and stays the same as long as anything is drawn.
        options: Temperatures, stop rule and seed; see :func:`seqmdn.generation.generate`.

    Returns:
        The drawn sequences and the real ones, in the columns of the store, with what they say.
        Drawn ones begin to be drawn at their ``start``, and from there on say the text asked for.
        With a context that is no label, a draw is no longer than the real sequence whose context it
        was drawn under.

    Raises:
        ValueError: If the context of the split is shorter than ``length``, a real sequence is
            shorter than ``prime`` or misses features there, the model reads no texts and there
            is one, the model's frames are more or less than those of a clip, or there is no such
            label.
    """
    plan = plan_draws(run, num, length, prime, split, text, style, clip, labels)
    drawn = generate(plan.model, num, plan.length, **plan.given, **options)
    if plan.ends is not None:
        # What a context says ends where the sequence ends that it belongs to.
        lengths = torch.minimum(drawn.lengths, plan.ends.to(drawn.lengths))
        drawn = drawn._replace(lengths=lengths)
        drawn = drawn._replace(values=drawn.values.where(drawn.present().unsqueeze(-1), 0))
    if plan.shown is not None:
        drawn = drawn._replace(text=encode(plan.shown))
    return run.data.whole(drawn), run.data.whole(plan.real)


def stream_draws(
    run: Run,
    num: int,
    length: int | None = None,
    prime: float = 0,
    split: str = "test",
    clip: Tensor | None = None,
    labels: Sequence[str] | None = None,
    **options: Any,
) -> Stream:
    """Draw what :func:`draw` draws, each frame handed out once it is drawn.

    Arguments and errors are those of :func:`draw`.
    """
    plan = plan_draws(run, num, length, prime, split, None, None, clip, labels)
    steps = stream_sequences(plan.model, num, plan.length, **plan.given, **options)
    return Stream(_frames(run, plan, steps), plan.length, plan.primed)


def _frames(
    run: Run, plan: Plan, steps: Iterator[tuple[Tensor, Tensor]]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Give frames in the columns of the store, no further than their context goes."""
    context = plan.given["context"]
    for t, (values, present) in enumerate(steps):
        if plan.ends is not None:
            present = present & (t < plan.ends.to(present.device))
            if not bool(present.any()):
                return
        frame = Batch(
            values=values.unsqueeze(1),
            lengths=torch.ones_like(plan.real.lengths),
            context=None if context is None else context[:, t : t + 1],
        )
        yield run.data.whole(frame).values.squeeze(1), present
