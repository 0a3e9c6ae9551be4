"""Sequences of a run's model beside real ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqmdn.data import Batch, decode, encode
from seqmdn.generation import generate
from seqmdn.models import FrameModel
from seqmdn.runs.run import Run

__all__ = ["draw"]

_ROOM = 2  # times the store's longest sequence, for draws that end by themselves


def draw(
    run: Run,
    num: int,
    length: int | None = None,
    prime: float = 0,
    split: str = "test",
    text: Sequence[str] | str | None = None,
    style: Batch | None = None,
    **options: Any,
) -> tuple[Batch, Batch]:
    """Draw sequences as long as real ones, under the context of real ones where the model has a
    context.

    Args:
        run: The run.
        num: Number of sequences; with a context or a prime, real sequences are used again in turn.
        length: Frames of each at most. By default those of the longest real sequence used; where a
            draw ends by itself, twice those of the store's longest.
        prime: Number of first frames to take from real sequences, or below 1 the share of each.
        split: Where the real sequences come from.
        text: What the draws say, of several texts in turn; those of the real sequences by default.
        style: Sequences to go on from, whole, with what they say, in the model's columns
            (:func:`seqmdn.runs.read_style`), used in turn: the draws go on in their manner.
        options: Temperatures, stop rule and seed; see :func:`seqmdn.generation.generate`.

    Returns:
        The drawn sequences and the real ones, in the columns of the store, with what they say.
        Drawn ones begin to be drawn at their ``start``, and from there on say the text asked for.
        With a context, a draw is no longer than the real sequence whose context it was drawn under.

    Raises:
        ValueError: If the context of the split is shorter than ``length``, a real sequence is
            shorter than ``prime`` or misses features there, or the model reads no texts and there
            is one.
    """
    if not isinstance(run.model, FrameModel):
        raise ValueError(f"a {type(run.model).__name__} has no sequences to draw")
    if text is not None and not run.data.text:
        raise ValueError(
            "the model reads no texts: train one that does (recipes/handwriting/omniglot_words), "
            "or leave out the text"
        )
    if style is None:
        indices = np.resize(run.data.store.indices(split), num)
        real = run.data.sequences(split, indices)
        primed = _primed(real, prime)
    else:
        if prime:
            raise ValueError(f"expected a style or a prime, found both (a prime of {prime:g})")
        real = _repeated(style, num)
        primed = real.lengths
    said = _said(real, text, style is not None)
    if length is None:
        length = int(real.lengths.max())
        if run.data.mark_end or said is not None:
            length = _ROOM * int(run.data.store.lengths.max())
        # What is gone on from comes on top of what is drawn.
        length += int(primed.max()) if style is not None else 0
    most = int(primed.max())
    shown = said if text is None else _each(text, num)
    drawn = generate(
        run.model,
        num,
        length,
        context=real.context,
        text=said,
        prime=real.values[:, :most] if most else None,
        primed=primed if most else None,
        **options,
    )
    if real.context is not None:
        # What a context says ends where the sequence ends that it belongs to.
        lengths = torch.minimum(drawn.lengths, real.lengths.to(drawn.lengths))
        drawn = drawn._replace(lengths=lengths)
        drawn = drawn._replace(values=drawn.values.where(drawn.present().unsqueeze(-1), 0))
    if said is not None and shown is not None:
        drawn = drawn._replace(text=encode(shown))
    return run.data.whole(drawn), run.data.whole(real)


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
