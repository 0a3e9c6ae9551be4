"""What is to be drawn from a run: how much, under what is given, beside which real sequences."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqmdn.data import Batch, Placed, decode
from seqmdn.models import FrameModel
from seqmdn.runs.labels import relabel
from seqmdn.runs.run import Run

__all__ = ["Plan", "plan_draws"]

_ROOM = 2  # times the store's longest sequence, for draws that end by themselves
_CLIP = 0  # seed of a clip's noise


class Plan(NamedTuple):
    """What is to be drawn.

    Attributes:
        model: What draws.
        real: Real sequences, of which contexts, primes and texts are taken.
        primed: How many first frames of each sequence are given ``(B,)``.
        ends: Where the context of each sequence ends ``(B,)``, None where nothing ends it.
        length: Frames of each at most.
        given: Arguments of :func:`seqmdn.generation.generate`.
        shown: What each sequence says, None where nobody knows.
    """

    model: FrameModel
    real: Batch
    primed: Tensor
    ends: Tensor | None
    length: int
    given: dict[str, Any]
    shown: list[str] | None


def plan_draws(
    run: Run,
    num: int,
    length: int | None = None,
    prime: float = 0,
    split: str = "test",
    text: Sequence[str] | str | None = None,
    style: Batch | None = None,
    clip: Tensor | None = None,
    labels: Sequence[str] | None = None,
) -> Plan:
    """Say what is to be drawn, and under what; arguments are those of :func:`seqmdn.runs.draw`."""
    if not isinstance(run.model, FrameModel):
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
        rule = run.data.points
        # Where some points of a function would do for a score, all of it is drawn.
        real = run.data.sequences(
            split, indices, None if rule is None else replace(rule, asked=None)
        )
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
    ends = None if real.context is None or labels is not None else real.lengths
    if length is None:
        length = int(real.lengths.max())
        if ends is None and (run.data.mark_end or said is not None):
            length = _ROOM * int(run.data.store.lengths.max())
        # What is gone on from comes on top of what is drawn.
        if style is not None or (clip is not None and ends is None):
            length += int(primed.max())
    most = int(primed.max())
    given = {
        "context": real.context if labels is None else _labelled(run, real, labels, length),
        "text": said,
        "prime": first[:, :most] if most else None,
        "primed": primed if most else None,
    }
    shown = said if text is None or said is None else _each(text, num)
    return Plan(run.model, real, primed, ends, length, given, shown)


def _labelled(run: Run, real: Batch, labels: Sequence[str], length: int) -> Tensor:  # (B, T, X)
    """Return contexts that stay what they are in a real sequence's first frame, but for labels."""
    if run.data.columns.given or isinstance(run.data.store, Placed):
        raise ValueError(
            "expected a context of labels alone, found given columns or places, which are another "
            "in every frame: leave out the labels"
        )
    first = real.values[:, 0, :0] if real.context is None else real.context[:, 0]
    known = relabel(first, run.data.store.context_names, labels)
    return known.unsqueeze(1).expand(-1, length, -1)


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
