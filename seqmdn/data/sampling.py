"""Some frames of a split, for whatever looks at data before training."""

from __future__ import annotations

__all__ = ["sample_frames"]

from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqmdn.data.loader import Items
from seqmdn.data.windows import SAMPLE, Key, stretches

_MOST_FRAMES, _MOST_VALUES = 100_000, 4_000_000
_AT_ONCE = 1024


def sample_frames(
    items: Items, indices: NDArray[np.int64], length: int, limit: int | None = None
) -> tuple[Tensor, Tensor | None]:  # (N, D), (N, X)
    """Gives frames after noise, NaN where missing, and their context, always the same ones.

    All of them in store order if they are no more than ``limit``, else ``limit`` frames from
    randomly chosen stretches.

    Args:
        items: What reads them.
        indices: The sequences to take them from.
        length: Frames of a stretch.
        limit: 100,000 frames by default or, where they are wide, as many as hold 4 million values.
    """
    lengths = items.store.lengths[indices]
    if limit is None:
        wide = items.item(_key(int(indices[0]), 0, 1))[0].shape[1]
        limit = max(1, min(_MOST_FRAMES, _MOST_VALUES // wide))
    pieces = stretches(lengths, length, shuffled=int(lengths.sum()) > limit)
    values: list[Tensor] = []
    contexts: list[Tensor] = []
    lacking, longest = limit, min(length, int(lengths.max()))
    # Several at a time, since what reads single frames is fast only with many.
    while lacking > 0 and (some := list(islice(pieces, max(1, min(_AT_ONCE, lacking // longest))))):
        batch = items[[_key(int(indices[row]), first, stop) for row, first, stop in some]]
        present = batch.present()
        frames = batch.values[present]
        if batch.observed is not None:
            frames = frames.where(batch.observed[present], torch.nan)
        values.append(frames[:lacking])
        if batch.context is not None:
            contexts.append(batch.context[present][:lacking])
        lacking -= len(frames)
    return torch.cat(values), torch.cat(contexts) if contexts else None


def _key(index: int, first: int, stop: int) -> Key:
    return Key(index, first, None, stop, (SAMPLE, index, first))
