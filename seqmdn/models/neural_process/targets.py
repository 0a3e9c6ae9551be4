"""Targets taken a few at a time, each time with all given points."""

from collections.abc import Callable

import torch
from torch import Tensor

from seqmdn.data import Batch

__all__ = ["in_pieces"]


def in_pieces(batch: Batch, score: Callable[[Batch], Tensor], chunk: int | None) -> Tensor:
    """Score the points of tasks whose targets know nothing of each other, a chunk at a time.

    Where a gradient is asked for, all of them are scored at once: to keep what it needs takes the
    memory that pieces would save.

    Args:
        batch: B tasks of at most T points; those before ``start`` are given.
        score: Gives what is asked of every point ``(B, T, ...)``.
        chunk: Targets of a piece, None for all.

    Returns:
        ``(B, T, ...)``, what ``score`` gives of the whole batch.

    Example:
        >>> values = torch.arange(6.0).reshape(1, 6, 1)
        >>> batch = Batch(values, torch.tensor([5]), start=torch.tensor([2]))
        >>> sizes = []
        >>> def score(part: Batch) -> Tensor:
        ...     sizes.append(part.values.shape[1])
        ...     return part.values.squeeze(-1).where(part.mask(), 0)
        >>> with torch.no_grad():
        ...     in_pieces(batch, score, chunk=3), sizes
        (tensor([[0., 0., 2., 3., 4., 0.]]), [5, 3])
    """
    T = batch.values.shape[1]
    given = 0 if batch.start is None else int(batch.start.max())
    if chunk is None or torch.is_grad_enabled() or T - given <= chunk:
        return score(batch)
    found = []
    for first in range(given, T, chunk):
        # Of unequal contexts, the first piece has the targets that stand beside given points.
        piece = score(_piece(batch, given, first, min(first + chunk, T)))
        found.append(piece if first == given else piece[:, given:])
    return torch.cat(found, dim=1)


def _piece(batch: Batch, given: int, first: int, last: int) -> Batch:
    """Take out the first points, and those from ``first`` up to ``last`` behind them."""

    def cut(part: Tensor | None) -> Tensor | None:
        return None if part is None else torch.cat((part[:, :given], part[:, first:last]), dim=1)

    values = cut(batch.values)
    assert values is not None
    behind = (batch.lengths - first).clamp(0, last - first)
    return batch._replace(
        values=values,
        lengths=batch.lengths.clamp(max=given) + behind,
        context=cut(batch.context),
        observed=cut(batch.observed),
    )
