"""What a model sees of the data: one padded batch of sequences."""

from __future__ import annotations

__all__ = ["Batch", "collate"]

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqmdn.data.text import encode

Frames = np.ndarray | Tensor


class Batch(NamedTuple):
    r"""Holds a batch of sequences of unequal length, padded at the end.

    The frames that count are :math:`\text{start}_b \le t < \text{lengths}_b`; what comes before is
    burn-in (input only), what comes after is padding.

    Shapes:
        values: (B, T, D) float32.
        lengths: (B,) int64, frames before the padding, burn-in included.
        context: (B, T, X) float32 or None.
        start: (B,) int64, the first frame that counts, or None where every frame does.
        observed: (B, T, D) bool, False where a feature is missing (its value is then not read, and
            may be anything), or None where every one is there.
        text: (B, U) int64, the text of each sequence as Unicode code points, padded with 0
            (:func:`encode`), or None.
        weights: (B,) float32, how much each sequence counts in a loss, or None where all count the
            same. A score knows no weights.

    Example:
        >>> batch = Batch(torch.zeros(2, 4, 1), torch.tensor([4, 3]), start=torch.tensor([1, 0]))
        >>> batch.mask().int().tolist()
        [[0, 1, 1, 1], [1, 1, 1, 0]]
        >>> batch.frames().tolist()
        [3, 3]
    """

    values: Tensor  # (B, T, D)
    lengths: Tensor  # (B,)
    context: Tensor | None = None  # (B, T, X)
    start: Tensor | None = None  # (B,)
    observed: Tensor | None = None  # (B, T, D)
    text: Tensor | None = None  # (B, U)
    weights: Tensor | None = None  # (B,)

    def present(self) -> Tensor:  # (B, T)
        """Says which frames are no padding, burn-in included: True up to ``lengths``."""
        return self._before(self.lengths)

    def mask(self) -> Tensor:  # (B, T)
        """Says which frames count: True from ``start`` up to ``lengths``."""
        mask = self.present()
        return mask if self.start is None else mask & ~self._before(self.start)

    def _before(self, ends: Tensor) -> Tensor:  # (B,) -> (B, T)
        time = torch.arange(self.values.shape[1], device=self.values.device)
        return time < ends.unsqueeze(-1)

    def frames(self) -> Tensor:  # (B,)
        """Counts the frames of each sequence that count."""
        return self.lengths if self.start is None else self.lengths - self.start

    def part(self, first: int, last: int) -> Batch:
        """Takes out the sequences from ``first`` up to ``last``, as views."""
        return Batch._make(None if field is None else field[first:last] for field in self)

    def observations(self) -> Tensor:  # (B,)
        """Counts the values of each sequence that were observed in frames that count."""
        if self.observed is None:
            return self.frames() * self.values.shape[-1]
        return (self.observed & self.mask().unsqueeze(-1)).sum((1, 2))


def collate(
    items: Sequence[tuple[Frames, Frames | None, int | None]],
    observed: Sequence[Frames] | None = None,
    texts: Sequence[str] | None = None,
    weights: Sequence[float] | None = None,
) -> Batch:
    """Pads sequences to the longest of them, each with its own last frame.

    Zeros would lie outside the support of some densities (a logit has none at its border) and would
    put infinities into gradients that a mask cannot take out again; a copy of a real frame never
    does.

    Args:
        items: (values (T, D), context (T, X) or None, first frame that counts or None) of each
            sequence; either all or none of them have context.
        observed: Which values of each sequence were observed, boolean (T, D), None where all were.
        texts: The text of each sequence, None where they have none.
        weights: How much each sequence counts in a loss, not negative and not all 0; None is the
            same for all.

    Raises:
        ValueError: If there are no items, one has no frames, only some have context, what was
            observed does not fit the values, there are not as many texts or weights, or the weights
            are none.

    Example:
        >>> batch = collate([(np.ones((1, 2)), None, None), (np.zeros((3, 2)), None, None)])
        >>> batch.values.shape, batch.lengths.tolist(), batch.start
        (torch.Size([2, 3, 2]), [1, 3], None)
    """
    if not items:
        raise ValueError("collate expected at least one sequence, found none")
    contexts = [context for _, context, _ in items if context is not None]
    if contexts and len(contexts) != len(items):
        raise ValueError(
            f"collate expected a context for all sequences or for none, found {len(contexts)} of "
            f"{len(items)}"
        )
    lengths = [len(values) for values, _, _ in items]
    if min(lengths) < 1:
        raise ValueError(f"collate expected sequences of 1 frame or more, found lengths {lengths}")
    starts = [start for _, _, start in items]
    if observed is not None:
        shapes = [tuple(values.shape) for values, _, _ in items]
        found = [tuple(mask.shape) for mask in observed]
        if found != shapes:
            raise ValueError(f"collate expected observed of shapes {shapes}, found {found}")
    if texts is not None and len(texts) != len(items):
        raise ValueError(
            f"collate expected a text for each of {len(items)} sequences, found {len(texts)}"
        )
    if weights is not None:
        _check_weights(weights, len(items))
    return Batch(
        values=_pad([values for values, _, _ in items], max(lengths)),
        lengths=torch.tensor(lengths),
        context=_pad(contexts, max(lengths)) if contexts else None,
        start=(
            None
            if all(start is None for start in starts)
            else torch.tensor([start or 0 for start in starts])
        ),
        observed=None if observed is None else _pad(observed, max(lengths), torch.bool),
        text=None if texts is None else encode(texts),
        weights=None if weights is None else torch.tensor(weights, dtype=torch.float32),
    )


def _check_weights(weights: Sequence[float], count: int) -> None:
    found = np.asarray(weights, np.float64)
    if found.shape != (count,):
        raise ValueError(
            f"collate expected a weight for each of {count} sequences, found shape {found.shape}"
        )
    if not (np.isfinite(found) & (found >= 0)).all() or not found.any():
        raise ValueError(
            "collate expected finite weights of 0 or more, one above 0 at least, found "
            f"{found.min():g} to {found.max():g}"
        )


def _pad(
    sequences: Sequence[Frames], length: int, dtype: torch.dtype = torch.float32
) -> Tensor:  # (B, T, D)
    first = torch.as_tensor(sequences[0])
    padded = torch.empty(len(sequences), length, *first.shape[1:], dtype=dtype)
    for row, sequence in zip(padded, sequences, strict=True):
        frames = torch.as_tensor(sequence)
        if len(frames) > length or frames.shape[1:] != first.shape[1:]:
            raise ValueError(
                f"collate expected frames of shape {tuple(first.shape[1:])} and at most {length} "
                f"of them, found a sequence of shape {tuple(frames.shape)}"
            )
        row[: len(frames)] = frames
        row[len(frames) :] = frames[-1]
    return padded
