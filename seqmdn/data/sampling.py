"""Some frames of a split, for whatever looks at data before training."""

from __future__ import annotations

__all__ = ["sample_frames"]

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqmdn.data.loader import Items
from seqmdn.data.windows import SAMPLE, Key, stretches

_MOST_FRAMES, _MOST_VALUES = 100_000, 4_000_000


def sample_frames(
    items: Items, indices: NDArray[np.int64], length: int, limit: int | None = None
) -> Tensor:  # (N, D)
    """Gives frames after noise, NaN where missing, always the same ones.

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
        wide = _read(items, int(indices[0]), 0, 1).shape[1]
        limit = max(1, min(_MOST_FRAMES, _MOST_VALUES // wide))
    pieces = stretches(lengths, length, shuffled=int(lengths.sum()) > limit)
    frames: list[NDArray[np.float32]] = []
    lacking = limit
    for row, first, stop in pieces:
        if lacking <= 0:
            break
        frames.append(_read(items, int(indices[row]), first, stop)[:lacking])
        lacking -= len(frames[-1])
    return torch.from_numpy(np.concatenate(frames))


def _read(items: Items, index: int, first: int, stop: int) -> NDArray[np.float32]:  # (T, D)
    key = Key(index, first, None, stop, (SAMPLE, index, first))
    values, _, _ = items.item(key)
    observed = items.observed(key)
    return values if observed is None else np.where(observed, values, np.float32(np.nan))
