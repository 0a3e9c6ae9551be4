"""All frames of a joint mixture, block by block, each as long as its arrays stay near a core."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from seqmdn.distributions.blocks import (
    FRAMES_FIRST,
    FRAMES_LAST,
    Order,
    Targets,
    block_log_prob,
)
from seqmdn.distributions.planar import planar_log_prob
from seqmdn.distributions.scratch import Scratch

__all__ = ["evaluate"]

# Numbers in all arrays of a block together, and the fewest in one of them: the first keeps them
# near a core, the second keeps the arithmetic longer than what calls it.
SCRATCH, BLOCK = 9 * 2**15, 3 * 2**14
# Numbers in one plane of a block of two features.
PLANE = 2**16
# Below as many features, rows of D numbers are too short to run along.
SHORT = 12
# How much longer blocks are where several threads share each operation, and wait after it.
LONGER = 4


def evaluate(
    tensors: tuple[Tensor, ...], wanted: tuple[bool, ...], gradient: Tensor | None = None
) -> tuple[Tensor, list[Tensor | None]]:
    """Returns the log-density (N,) and the wanted gradients, of weights `gradient` (N,) or 1.

    Args:
        tensors: log-weights (N, K), loc (N, K, D), diagonal (N, K, D), factor (N, K, D, R) and
            value (N, D); all but the value may have 1 for N, where all frames share them.
        wanted: which of their gradients; the others are None.
        gradient: what reaches each frame's log-density, (N,); None is 1.

    Example:
        >>> zero, one = torch.zeros(3, 1, 2), torch.ones(3, 1, 2)
        >>> tensors = torch.zeros(3, 1), zero, one, torch.ones(3, 1, 2, 1), torch.zeros(3, 2)
        >>> log_prob, gradients = evaluate(tensors, (False, False, True, False, False))
        >>> log_prob  # log(3) / 2 - log(2 pi)
        tensor([-1.2886, -1.2886, -1.2886])
        >>> gradients[2][0]  # half the variances, 2 / 3 each
        tensor([[0.3333, 0.3333]])
    """
    value = tensors[-1]
    count, rank = len(value), tensors[3].shape[-1]
    shared = tuple(
        name for name, t in zip(Targets._fields, tensors, strict=False) if len(t) != count
    )
    planar = value.is_cpu and value.shape[-1] == 2 and rank < 2 and not shared
    order = FRAMES_FIRST if planar else _order(tensors)
    gradients: list[Tensor | None] = [
        None if not need else torch.empty_like(t) if len(t) == count else torch.zeros_like(t)
        for t, need in zip(tensors, wanted, strict=True)
    ]
    size = _block_size(tensors, planar)
    log_prob = value.new_empty(count)
    parts = log_prob.split(size)
    inputs = [_blocks(tensor, order, count, size) for tensor in tensors]
    outputs = [_blocks(one, order, count, size) for one in gradients]
    weights = [None] * len(parts) if gradient is None else gradient.split(size)
    scratch = Scratch(value)
    for i, part in enumerate(parts):
        log_weights, loc, diagonal, columns, values = (blocks[i] for blocks in inputs)
        assert log_weights is not None and loc is not None and diagonal is not None
        assert columns is not None and values is not None
        targets = Targets._make([*(one[i] for one in outputs), shared]) if any(wanted) else None
        found = None
        if planar:
            found = planar_log_prob(
                log_weights, loc, diagonal, columns, values, scratch, targets, weights[i]
            )
        if found is None:
            found = block_log_prob(
                order,
                _dense(log_weights, scratch, "log_weights"),
                _dense(loc, scratch, "loc"),
                _dense(diagonal, scratch, "diagonal"),
                columns,
                _dense(values, scratch, "value"),
                scratch,
                targets,
                weights[i],
            )
        part.copy_(found)
    return log_prob, gradients


def _block_size(tensors: tuple[Tensor, ...], planar: bool) -> int:
    """Returns the number of frames of a block, so that all blocks are of one size, or nearly."""
    count, width, rank = len(tensors[-1]), tensors[1].shape[1:].numel(), tensors[3].shape[-1]
    if not tensors[-1].is_cpu:
        return count  # on a GPU there is nothing to gain from a part of the frames
    arrays = 1 + rank + max(1, rank - 1)  # residuals, columns and their products
    numbers = PLANE * 2 if planar else max(BLOCK, SCRATCH // arrays)
    if torch.get_num_threads() > 1:
        numbers *= LONGER
    blocks = math.ceil(count * width / max(1, numbers))
    return math.ceil(count / min(count, blocks))


def _order(tensors: tuple[Tensor, ...]) -> Order:
    """Returns the order of dimensions that reads what the frames do not share as it lies."""
    if tensors[1].shape[-1] < SHORT:
        return FRAMES_LAST
    large = [t for t in tensors[1:4] if len(t) == len(tensors[-1]) and t.numel()]
    return FRAMES_LAST if large and all(t.stride(0) == 1 for t in large) else FRAMES_FIRST


def _blocks(
    tensor: Tensor | None, order: Order, count: int, size: int
) -> Sequence[Tensor] | Sequence[None]:
    """Returns views of `size` frames each in this order, the columns of a factor at the front.

    What all frames share is the same in every block.
    """
    blocks = math.ceil(count / size)
    if tensor is None:
        return [None] * blocks
    arranged, frames = order.arrange(tensor), -1 if order.components == 0 else 0
    if tensor.dim() == 4:
        arranged, frames = arranged.movedim(order.features + 1, 0), -1 if frames else 1
    if len(tensor) != count:
        return [arranged] * blocks
    return arranged.split(size, dim=frames)


def _dense(part: Tensor, scratch: Scratch, name: str) -> Tensor:
    """Returns a part whose last dimension is dense: itself, or a copy in the scratch."""
    return scratch(name, part.shape).copy_(part) if part.stride(-1) != 1 else part
