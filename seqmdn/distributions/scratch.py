r"""What a block of frames computes with: arrays used again, and the sums behind log|Lambda|.

Here d and the columns of U lie in any order of dimensions, as long as it is the same one; which of
them is D is an argument, and sums over it leave a dimension of 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["Scratch", "joined", "log_sum", "orthogonalise"]

# The product of two numbers between its inverse and itself is as exact in float32 as any other.
_SQUARE = 2.0**62
# Where as little as one in 16 is left of a column's squared length, a quarter of its length, it may
# be off from orthogonal by more than four times what rounding leaves anyway.
_PARALLEL = 15.0


class Scratch:
    """Holds the arrays that blocks compute in, the same for every block.

    To ask the system for each anew costs more than to compute it.

    Example:
        >>> scratch = Scratch(torch.zeros(0))
        >>> scratch("residual", (2, 3)).shape
        torch.Size([2, 3])
        >>> one = scratch("residual", (5,))  # not enough room: a larger array
        >>> one.data_ptr() == scratch("residual", (1, 2)).data_ptr()
        True
    """

    def __init__(self, like: Tensor) -> None:
        self._like = like
        self._arrays: dict[str, Tensor] = {}
        self._views: dict[tuple[str, tuple[int, ...]], Tensor] = {}

    def __call__(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Returns the array of this name, dense; what it held is lost if it has to grow."""
        view = self._views.get((name, shape))
        if view is None:
            size = math.prod(shape)
            array = self._arrays.get(name)
            if array is None or array.numel() < size:
                self._views = {key: v for key, v in self._views.items() if key[0] != name}
                array = self._arrays[name] = self._like.new_empty(size)
            view = self._views[name, shape] = array[:size].view(shape)
        return view

    def dot(self, left: Tensor, right: Tensor, features: int, out: Tensor | None = None) -> Tensor:
        """Returns the sum of products over D, which stays as a dimension of 1.

        Of either, a dimension R may come before the others.
        """
        product = torch.mul(left, right, out=self("product", joined(left.shape, right.shape)))
        dim = features + abs(left.dim() - right.dim())
        return torch.sum(product, dim, keepdim=True, out=out)


def orthogonalise(
    inverse: Tensor, columns: Tensor, features: int, scratch: Scratch
) -> tuple[list[Tensor | None], Tensor]:
    r"""Makes the columns of [I; U] orthogonal, in place, in the product of I above and D^-1 below.

    By modified Gram-Schmidt, which keeps the identity beside a large U where forming the
    capacitance in float32 would lose it: :math:`C = I + U^\top D^{-1} U = N^{-1} P N^{-\top}`,
    with a unit lower triangular N and the pivots P. A column of which little is left is made
    orthogonal again, of what rounding left: in it is all that parallel columns differ by. For the
    same reason D stays in the product: columns divided by its root would each be rounded.

    Args:
        inverse: of d, (n, K, D) or in any other order, or 1 for n.
        columns: those of U, (R, n, K, D), where R > 1 of the same n or more; overwritten by those
            of U N'.
        features: which dimension of `inverse` is D.
        scratch: arrays to compute in: R - 1 as large as a column, and that of the residual.

    Returns:
        The rows of N left of its diagonal, (i, n, K, 1) of row i, None of row 0; and P,
        (R, n, K, 1).

    References:
        Reorthogonalization and stable algorithms for updating the Gram-Schmidt QR factorization,
        J. W. Daniel, W. B. Gragg, L. Kaufman and G. W. Stewart, 1976.

    Example:
        >>> columns = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
        >>> rows, pivots = orthogonalise(torch.ones(2), columns, 0, Scratch(columns))
        >>> rows, pivots  # the capacitance is [[2, 1], [1, 3]]
        ([None, tensor([[-0.5000]])], tensor([[2.0000],
                [2.5000]]))
        >>> columns
        tensor([[1.0000, 0.0000],
                [0.5000, 1.0000]])
    """
    rank = len(columns)
    shape = joined(columns.shape[1:], inverse.shape)
    pivots = columns.new_empty(rank, *shape[:features], 1, *shape[features + 1 :])
    weighted = scratch("residual", shape)
    rows: list[Tensor | None] = []
    below: Tensor | None = None  # of the rows to come, what is known: (R - i, i, n, K, 1)
    lost: Tensor | None = None  # of their columns' squared lengths: (R - i, n, K, 1)
    for i, (column, pivot) in enumerate(zip(columns.unbind(0), pivots.unbind(0), strict=True)):
        row = None if below is None else below[0]
        torch.mul(column, inverse, out=weighted)
        scratch.dot(weighted, column, features, out=pivot).add_(1)
        if row is not None and lost is not None:
            pivot += row.square().sum(0)
            # A GPU would rather do it than wait for the answer; NaN must not hide what others lost.
            if not column.is_cpu or not float((lost[0] / pivot).amax()) <= _PARALLEL:
                for j, done in enumerate(columns[:i].unbind(0)):
                    torch.mul(done, inverse, out=weighted)
                    share = scratch.dot(weighted, column, features).add_(row[j])
                    known = rows[j]
                    if known is not None:
                        share += (known * row[:j]).sum(0)
                    share.div_(pivots[j]).neg_()
                    column.addcmul_(share, done)
                    row[j] += share
                    if known is not None:
                        row[:j].addcmul_(share, known)
                torch.mul(column, inverse, out=weighted)
                scratch.dot(weighted, column, features, out=pivot).add_(1)
                pivot += row.square().sum(0)
        rows.append(row)
        if i == rank - 1:
            break
        later = columns[i + 1 :]
        share = scratch.dot(weighted, later, features)  # (R - i - 1, n, K, 1)
        if below is not None and row is not None:
            share += (below[1:] * row).sum(1)
        scale = share / pivot
        gone = share.mul_(scale)
        lost = gone if lost is None else lost[1:] + gone
        later.addcmul_(scale.neg_(), column)
        if below is None or row is None:
            below = scale.unsqueeze(1)
        else:
            known = torch.addcmul(below[1:], scale.unsqueeze(1), row)
            below = torch.cat([known, scale.unsqueeze(1)], dim=1)
    return rows, pivots


def log_sum(tensor: Tensor, features: int, scratch: Scratch) -> Tensor:
    """Returns the sum of a positive tensor's logarithms over a dimension, which stays as 1.

    A logarithm costs what ten products cost on a CPU, so it is taken of products of four, where
    these are sure to neither overflow nor underflow; and of dense ones, as one with gaps costs
    four times as much. A GPU would rather not wait for that answer.

    Example:
        >>> numbers = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
        >>> log_sum(numbers, 0, Scratch(numbers))  # log(120)
        tensor([4.7875])
    """
    count = tensor.shape[features]
    half, quarter = count // 2, count // 4
    if half == 0 or not tensor.is_cpu:
        return tensor.log().sum(features, keepdim=True)

    before, after = tensor.shape[:features], tensor.shape[features + 1 :]
    product = scratch("product", tuple(tensor.shape)).view(-1)
    start = before.numel() * half * after.numel()

    def fold(numbers: Tensor, count: int, room: Tensor) -> Tensor:
        shape = (*before, count, *after)
        left, right = numbers.narrow(features, 0, count), numbers.narrow(features, count, count)
        return torch.mul(left, right, out=room[: math.prod(shape)].view(shape))

    twos = fold(tensor, half, product)
    low, high = torch.aminmax(twos)
    if not (float(low) > 1 / _SQUARE and float(high) < _SQUARE):  # so too where one is NaN
        return tensor.log().sum(features, keepdim=True)
    parts = []
    if half % 2:
        parts.append(twos.narrow(features, half - 1, 1))
    if count % 2:
        parts.append(tensor.narrow(features, count - 1, 1))
    if quarter:
        parts.append(fold(twos, quarter, product[start:]))
    total, *rest = (part.log().sum(features, keepdim=True) for part in parts)
    for one in rest:
        total += one
    return total


def joined(left: Sequence[int], right: Sequence[int]) -> tuple[int, ...]:
    """Returns what two shapes broadcast to; torch's own takes as long as a wide operation.

    Example:
        >>> joined((2, 3, 1), (1, 4))
        (2, 3, 4)
    """
    if len(left) < len(right):
        left, right = right, left
    lead = len(left) - len(right)
    return (*left[:lead], *map(max, left[lead:], right))
