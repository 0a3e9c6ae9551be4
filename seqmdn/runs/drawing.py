"""Sequences of a run's model beside real ones."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqmdn.data import Batch, decode, encode
from seqmdn.generation import generate, stream_sequences
from seqmdn.models import SequenceModel
from seqmdn.runs.run import Run

__all__ = ["Stream", "draw", "stream_draws"]

_ROOM = 2  # times the store's longest sequence, for draws that end by themselves
_CLIP = 0  # seed of a clip's noise


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


class _Plan(NamedTuple):
    """What is to be drawn: how much, under what is given, beside which real sequences."""

    model: SequenceModel
    real: Batch
    primed: Tensor  # (B,)
    length: int
    given: dict[str, Any]
    shown: list[str] | None


def draw(
    run: Run,
    num: int,
    length: int | None = None,
    prime: float = 0,
    split: str = "test",
    text: Sequence[str] | str | None = None,
    style: Batch | None = None,
    clip: Tensor | None = None,
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
        options: Temperatures, stop rule and seed; see :func:`seqmdn.generation.generate`.

    Returns:
        The drawn sequences and the real ones, in the columns of the store, with what they say.
        Drawn ones begin to be drawn at their ``start``, and from there on say the text asked for.
        With a context, a draw is no longer than the real sequence whose context it was drawn under.

    Raises:
        ValueError: If the context of the split is shorter than ``length``, a real sequence is
            shorter than ``prime`` or misses features there, the model reads no texts and there
            is one, or the model's frames are more or less than those of a clip.
    """
    plan = _plan(run, num, length, prime, split, text, style, clip)
    drawn = generate(plan.model, num, plan.length, **plan.given, **options)
    if plan.real.context is not None:
        # What a context says ends where the sequence ends that it belongs to.
        lengths = torch.minimum(drawn.lengths, plan.real.lengths.to(drawn.lengths))
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
    **options: Any,
) -> Stream:
    """Draw what :func:`draw` draws, each frame handed out once it is drawn.

    Arguments and errors are those of :func:`draw`.
    """
    plan = _plan(run, num, length, prime, split, None, None, clip)
    steps = stream_sequences(plan.model, num, plan.length, **plan.given, **options)
    return Stream(_frames(run, plan, steps), plan.length, plan.primed)


def _frames(
    run: Run, plan: _Plan, steps: Iterator[tuple[Tensor, Tensor]]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Give frames in the columns of the store, no further than their context goes."""
    context = plan.real.context
    for t, (values, present) in enumerate(steps):
        if context is not None:
            present = present & (t < plan.real.lengths.to(present.device))
            if not bool(present.any()):
                return
        frame = Batch(
            values=values.unsqueeze(1),
            lengths=torch.ones_like(plan.real.lengths),
            context=None if context is None else context[:, t : t + 1],
        )
        yield run.data.whole(frame).values.squeeze(1), present


def _plan(
    run: Run,
    num: int,
    length: int | None,
    prime: float,
    split: str,
    text: Sequence[str] | str | None,
    style: Batch | None,
    clip: Tensor | None,
) -> _Plan:
    """Say what is to be drawn, and under what."""
    if not isinstance(run.model, SequenceModel):
        raise ValueError(f"a {type(run.model).__name__} has no sequences to draw")
    if text is not None and not run.data.text:
        raise ValueError(
            "the model reads no texts: train one that does (recipes/handwriting/omniglot_words), "
            "or leave out the text"
        )
    if (style is not None) + (clip is not None) + (prime != 0) > 1:
        found = f"a prime of {prime:g}" if prime else "a clip"
        raise ValueError(f"expected a style or a prime, found both ({found})")
    if style is None:
        indices = np.resize(run.data.store.indices(split), num)
        real = run.data.sequences(split, indices)
        primed = _primed(real, prime)
    else:
        real = _repeated(style, num)
        primed = real.lengths
    first = real.values
    if clip is not None:
        first = _own(run, clip).expand(num, -1, -1)
        primed = torch.full((num,), len(clip))
        if length is not None:
            if length < 1:
                raise ValueError(f"length must be at least 1, found {length}")
            length += len(clip)
    said = _said(real, text, style is not None)
    if length is None:
        length = int(real.lengths.max())
        if run.data.mark_end or said is not None:
            length = _ROOM * int(run.data.store.lengths.max())
        # What is gone on from comes on top of what is drawn.
        if style is not None or (clip is not None and real.context is None):
            length += int(primed.max())
    most = int(primed.max())
    given = {
        "context": real.context,
        "text": said,
        "prime": first[:, :most] if most else None,
        "primed": primed if most else None,
    }
    shown = said if text is None or said is None else _each(text, num)
    return _Plan(run.model, real, primed, length, given, shown)


def _own(run: Run, clip: Tensor) -> Tensor:  # (P, D) -> (P, D of the model)
    """Make frames of a store the model's: with the noise that it was trained under."""
    data = run.data
    if data.columns.given or data.text:
        missing = "given columns" if data.columns.given else "texts"
        raise ValueError(
            f"expected a model of nothing but frames to go on from a clip, found one with "
            f"{missing}, which a clip has none of: prime it by a number of frames"
        )
    frames = clip.numpy()
    if data.noise is not None:
        frames = data.noise.draw(frames, np.random.default_rng(_CLIP))
    if data.mark_end:
        frames = data.columns.with_end(frames, ends=False)
    return torch.from_numpy(frames)


def _primed(real: Batch, prime: float) -> Tensor:  # (B,)
    """Say how many frames of each sequence are taken from a real one."""
    shortest = int(real.lengths.min())
    if prime < 0 or (prime >= 1 and (prime > shortest or prime != int(prime))):
        raise ValueError(
            f"prime must be a number of frames up to {shortest}, or a share below 1, found {prime}"
        )
    primed = (real.lengths * prime).long() if prime < 1 else torch.full_like(real.lengths, prime)
    first = real._replace(lengths=primed).present()
    if real.observed is not None and not bool(real.observed[first].all()):
        raise ValueError(
            f"prime must be 0 where features of the first frames are missing, found {prime:g}"
        )
    return primed


def _repeated(style: Batch, num: int) -> Batch:
    """Take the sequences of a style in turn, ``num`` of them."""
    places = torch.arange(num) % len(style.lengths)
    return Batch._make(None if field is None else field[places] for field in style)


def _said(real: Batch, text: Sequence[str] | str | None, after: bool) -> list[str] | None:
    """Return what each draw says: the given text, behind that of a style, or a real one's."""
    if real.text is None:
        return None
    said = decode(real.text)
    if text is None:
        return said
    new = _each(text, len(said))
    return [old + more if after else more for old, more in zip(said, new, strict=True)]


def _each(text: Sequence[str] | str, num: int) -> list[str]:
    """Give each of ``num`` sequences a text, of several in turn."""
    texts = [text] if isinstance(text, str) else list(text)
    if not texts or "" in texts:
        raise ValueError("the text is empty: write at least one character")
    return [texts[place % len(texts)] for place in range(num)]
