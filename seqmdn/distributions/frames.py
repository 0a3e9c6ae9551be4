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
    mix,
)
from seqmdn.distributions.planar import planar_log_prob
from seqmdn.distributions.scratch import Scratch

__all__ = ["evaluate", "finish"]

# Numbers in all arrays of a block together, and the fewest in one of them: the first keeps them
# near a core, the second keeps the arithmetic longer than what calls it.
SCRATCH, BLOCK = 9 * 2**15, 7 * 2**14
# Numbers in one plane of a block of two features.
PLANE = 2**16
# Below as many features, rows of D numbers are too short to run along.
SHORT = 12
# How much longer blocks are where several threads share each operation, and wait after it.
LONGER = 4


def evaluate(
    tensors: tuple[Tensor, ...],
    wanted: tuple[bool, ...],
    gradient: Tensor | None = None,
    later: bool = False,
) -> tuple[Tensor, list[Tensor | None], Tensor | None]:
    """Returns the log-density (N,) and the wanted gradients, of weights `gradient` (N,) or 1.

    Args:
        tensors: log-weights (N, K), loc (N, K, D), diagonal (N, K, D), factor (N, K, D, R) and
            value (N, D); all but the value may have 1 for N, where all frames share them.
        wanted: which of their gradients; the others are None.
        gradient: what reaches each frame's log-density, (N,); None is 1.
        later: whether the gradients may be left unfinished, for `finish`, as they are to be
            multiplied anyway by what reaches the log-density; `gradient` is None then.

    Returns:
        The log-density, the gradients, and the responsibilities (N, K) where `finish` is to
        multiply the gradients by them, None where they are finished.

    Example:
        >>> zero, one = torch.zeros(3, 1, 2), torch.ones(3, 1, 2)
        >>> tensors = torch.zeros(3, 1), zero, one, torch.ones(3, 1, 2, 1), torch.zeros(3, 2)
        >>> log_prob, gradients, _ = evaluate(tensors, (False, False, True, False, False))
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
    # Short rows are not worth a multiplication of their own.
    later = later and any(wanted) and not shared and not planar and order is FRAMES_FIRST
    if later:  # the value's gradient is the sum of the means'
        wanted = (False, wanted[1] or wanted[4], wanted[2], wanted[3], False)
    gradients: list[Tensor | None] = [
        None if not need else torch.empty_like(t) if len(t) == count else torch.zeros_like(t)
        for t, need in zip(tensors, wanted, strict=True)
    ]
    size = _block_size(tensors, planar)
    log_prob = torch.empty_like(tensors[0]) if later else value.new_empty(count)
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
                None if later else _dense(log_weights, scratch, "log_weights"),
                _dense(loc, scratch, "loc"),
                _dense(diagonal, scratch, "diagonal"),
                columns,
                _dense(values, scratch, "value"),
                scratch,
                targets,
                weights[i],
            )
        part.copy_(found)
    if not later:
        return log_prob, gradients, None
    sums, responsibilities = mix(log_prob.add_(tensors[0]), 1)
    return sums.squeeze(1), gradients, responsibilities


def finish(
    gradients: list[Tensor | None], wanted: tuple[bool, ...], weights: Tensor
) -> list[Tensor | None]:
    """Returns the wanted gradients, of those that `evaluate` left unfinished, overwritten.

    Args:
        gradients: of each component's log-density.
        wanted: which gradients; the others are None.
        weights: responsibilities times what reaches each frame's log-density, (N, K).

    Example:
        >>> finish([None, torch.ones(1, 2, 3), None, None, None], (True, False, False, False, True),
        ...        torch.tensor([[0.25, 0.75]]))
        [tensor([[0.2500, 0.7500]]), None, None, None, tensor([[-1., -1., -1.]])]
    """
    for one in gradients:
        if one is not None:
            one.mul_(weights.view(*weights.shape, *[1] * (one.dim() - 2)))
    _, loc, diagonal, factor, _ = gradients
    value = -loc.sum(1) if loc is not None and wanted[4] else None
    found = (weights, loc, diagonal, factor, value)
    return [one if need else None for one, need in zip(found, wanted, strict=True)]


def _block_size(tensors: tuple[Tensor, ...], planar: bool) -> int:
    """Returns the number of frames of a block, so that all blocks are of one size, or nearly."""
    count, width, rank = len(tensors[-1]), tensors[1].shape[1:].numel(), tensors[3].shape[-1]
    if not tensors[-1].is_cpu:
        return count  # on a GPU there is nothing to gain from a part of the frames
    arrays = max(2, rank)  # residuals and products
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
