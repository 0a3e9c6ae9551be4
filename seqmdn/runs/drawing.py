"""Sequences of a run's model beside real ones."""

from typing import Any

import numpy as np
import torch

from seqmdn.data import Batch
from seqmdn.generation import generate
from seqmdn.models import SequenceModel
from seqmdn.runs.run import Run

__all__ = ["draw"]


def draw(
    run: Run,
    num: int,
    length: int | None = None,
    prime: int = 0,
    split: str = "test",
    **options: Any,
) -> tuple[Batch, Batch]:
    """Draw sequences as long as real ones, under the context of real ones where the model has a
    context.

    Args:
        run: The run.
        num: Number of sequences; with a context or a prime, real sequences are used again in turn.
        length: Frames of each, those of the longest real sequence used by default.
        prime: Number of first frames to take from real sequences.
        split: Where the real sequences come from.
        options: Temperatures, stop rule and seed; see :func:`seqmdn.generation.generate`.

    Returns:
        The drawn sequences and the real ones, in the columns of the store. With a context, a draw
        is no longer than the real sequence whose context it was drawn under. With a prime, the
        ``start`` of the drawn ones is the first frame after it.

    Raises:
        ValueError: If the context of the split is shorter than ``length``, or a real sequence is
            shorter than ``prime`` or misses features there.
    """
    if not isinstance(run.model, SequenceModel):
        raise ValueError(f"a {type(run.model).__name__} has no sequences to draw")
    indices = np.resize(run.data.store.indices(split), num)
    real = run.data.sequences(split, indices)
    length = int(real.lengths.max()) if length is None else length
    if prime and int(real.lengths.min()) < prime:
        raise ValueError(f"prime must be at most {int(real.lengths.min())}, found {prime}")
    if prime and real.observed is not None and not bool(real.observed[:, :prime].all()):
        raise ValueError(
            f"prime must be 0 where features of the first frames are missing, found {prime}"
        )
    drawn = generate(
        run.model,
        num,
        length,
        context=real.context,
        prime=real.values[:, :prime] if prime else None,
        **options,
    )
    if real.context is not None:
        # What a context says ends where the sequence ends that it belongs to.
        ends = real.lengths.to(drawn.lengths)
        drawn = drawn._replace(lengths=torch.minimum(drawn.lengths, ends))
        drawn = drawn._replace(values=drawn.values.where(drawn.mask().unsqueeze(-1), 0))
    whole = run.data.whole(drawn)
    if prime:
        whole = whole._replace(start=torch.full_like(whole.lengths, prime))
    return whole, run.data.whole(real)
