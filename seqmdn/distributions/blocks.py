r"""One block of frames of a joint mixture: its log-density, and the gradients in closed form.

With e = y - mu, the responsibilities r and the gradient g that reaches each frame's log-density,

.. math::
    \partial_{\log \pi_k} = g r_k, \quad
    \partial_{\mu_k} = g r_k \Lambda_k e_k, \quad
    \partial_{d_k} = \tfrac12 g r_k \left(\mathrm{diag}\,\Sigma_k - e_k^2\right), \quad
    \partial_{U_k} = g r_k \left(\Sigma_k U_k - e_k e_k^\top U_k\right)

and the gradient of y is that of the means, negated and summed. All of it is arithmetic on whole
arrays that stay in the cache; the orthogonal columns behind log|Lambda| give Sigma U as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = [
    "FRAMES_FIRST",
    "FRAMES_LAST",
    "Order",
    "Scratch",
    "Targets",
    "block_log_prob",
    "log_sum",
    "orthogonalise",
]

# The product of two numbers between its inverse and itself is as exact in float32 as any other.
_SQUARE = 2.0**62


class Order(NamedTuple):
    """Where a block's components and features lie, of its three dimensions."""

    components: int
    features: int

    def arrange(self, tensor: Tensor) -> Tensor:
        """Returns a view of a tensor (n, ...) with the frames where this order has them."""
        return tensor.movedim(0, -1) if self.components == 0 else tensor


# (n, K, D), as tensors are made: nothing is copied, but operations run along D, which may be short.
FRAMES_FIRST = Order(components=1, features=2)
# (K, D, n): operations run along the frames, whatever D is.
FRAMES_LAST = Order(components=0, features=1)


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
        product = torch.mul(left, right, out=self("product", _joined(left.shape, right.shape)))
        dim = features + abs(left.dim() - right.dim())
        return torch.sum(product, dim, keepdim=True, out=out)


class Targets(NamedTuple):
    """Where to write each gradient, arranged as the block is; None where it is not wanted.

    Those of loc and of the diagonal hold other numbers in between.
    """

    log_weights: Tensor | None = None  # (n, K)
    loc: Tensor | None = None  # (n, K, D)
    diagonal: Tensor | None = None  # (n, K, D)
    factor: Tensor | None = None  # (R, n, K, D)
    value: Tensor | None = None  # (n, D)
    shared: tuple[str, ...] = ()
    """Names of what all frames share, n = 1: the sum over the frames is added to their targets."""


def block_log_prob(
    order: Order,
    log_weights: Tensor,
    loc: Tensor,
    diagonal: Tensor,
    columns: Tensor,
    value: Tensor,
    scratch: Scratch,
    targets: Targets | None = None,
    gradient: Tensor | None = None,
) -> Tensor:
    """Returns the log-density of one block, (n,), and writes the gradients that are wanted.

    Args:
        order: the order of the dimensions, written here as `FRAMES_FIRST` has them.
        log_weights: normalised, (n, K); here and below n may be 1, for what all frames share.
        loc: (n, K, D).
        diagonal: (n, K, D).
        columns: those of the factor, (R, n, K, D); used up.
        value: (n, D), n of its own for every frame.
        scratch: arrays to compute in.
        targets: where to write gradients; None for none.
        gradient: what reaches each frame's log-density, (n,); None is 1.

    Example:
        >>> zero, one, gradient = torch.zeros(1, 1, 2), torch.ones(1, 1, 2), torch.empty(1, 1, 2)
        >>> block_log_prob(  # log(3) / 2 - log(2 pi)
        ...     FRAMES_FIRST, torch.zeros(1, 1), zero, one, one.unsqueeze(0), torch.zeros(1, 2),
        ...     Scratch(zero), Targets(diagonal=gradient),
        ... )
        tensor([-1.2886])
        >>> gradient  # half the variances, 2 / 3 each
        tensor([[[0.3333, 0.3333]]])
    """
    components, features = order
    wanted = targets is not None
    targets = targets or Targets()
    value = value.unsqueeze(components)
    whole = _joined(value.shape, loc.shape)  # (n, K, D)
    residual = torch.sub(value, loc, out=scratch("residual", whole))
    score = _waiting(targets, "loc", whole)
    score = torch.mul(diagonal, residual, out=scratch("score", whole) if score is None else score)
    rank = columns.shape[0]
    small = (*whole[:features], 1, *whole[features + 1 :])
    projected = residual.new_empty(rank, *small)  # U'e, (R, n, K, 1)
    for column, one in zip(columns.unbind(0), projected.unbind(0), strict=True):
        score.addcmul_(column, scratch.dot(column, residual, features, out=one))  # Lambda e
    quadratic = scratch.dot(score, residual, features)  # (n, K, 1)
    double = log_sum(diagonal, features, scratch) - quadratic
    inverse = diagonal
    if rank or targets.diagonal is not None:
        slope = _waiting(targets, "diagonal", diagonal.shape)
        slope = scratch("inverse", diagonal.shape) if slope is None else slope
        inverse = torch.reciprocal(diagonal, out=slope)
    if rank:
        basis, rows, pivots = orthogonalise(inverse, columns, features, scratch)
        for one in pivots.log().unbind(0):
            double = double.add_(one)
    joint = torch.add(log_weights.unsqueeze(features), double, alpha=0.5)
    highest = joint.amax(components, keepdim=True)
    # Where no component has any density, -inf less -inf would be NaN.
    highest.masked_fill_(highest == -math.inf, 0)
    weights = joint.sub_(highest).exp_()
    total = weights.sum(components, keepdim=True)
    constant = 0.5 * loc.shape[features] * math.log(2 * math.pi)
    log_prob = highest.add_(total.log()).sub_(constant).flatten()
    if not wanted:
        return log_prob
    weights /= total.masked_fill_(total == 0, 1)  # the responsibilities, (n, K, 1)
    if gradient is not None:
        weights *= gradient.view(total.shape)
    if targets.log_weights is not None:
        _write(targets, "log_weights", targets.log_weights.unsqueeze(features), weights, order)
    if targets.loc is not None or targets.value is not None:
        score *= weights
        if targets.loc is not None:
            _write(targets, "loc", targets.loc, score, order)
        if targets.value is not None:
            torch.neg(score.sum(components), out=targets.value)
    if targets.factor is not None and rank:
        # The columns are used up, and their array free where it is one of these.
        slopes = scratch("columns", (rank, *whole))
        torch.mul(residual, projected.mul_(weights).neg_(), out=slopes)
        parts = zip(basis.unbind(0), rows, (weights / pivots).unbind(0), strict=True)
        for i, (one, row, scale) in enumerate(parts):
            slopes[i].addcmul_(one, scale)
            if row is not None:
                slopes[:i].addcmul_(one, row * scale)
        _write(targets, "factor", targets.factor, slopes, order)
    if targets.diagonal is not None:
        if rank:
            basis *= pivots.rsqrt_()
        for one in (*(basis.unbind(0) if rank else ()), residual):
            out = inverse if one.shape == inverse.shape else None
            inverse = torch.addcmul(inverse, one, one, value=-1, out=out)  # variances, less e^2
        _write(targets, "diagonal", targets.diagonal, inverse.mul_(0.5 * weights), order)
    return log_prob


def orthogonalise(
    inverse: Tensor, columns: Tensor, features: int, scratch: Scratch
) -> tuple[Tensor, list[Tensor | None], Tensor]:
    r"""Makes the columns of [I; U] orthogonal, in the scalar product of I above and D^-1 below.

    By modified Gram-Schmidt, which keeps the identity beside a large U where forming the
    capacitance in float32 would lose it: :math:`C = I + U^\top D^{-1} U = N^{-1} P N^{-\top}`,
    with a unit lower triangular N and the pivots P.

    Args:
        inverse: of d, (n, K, D) or in any other order.
        columns: those of U, (R, n, K, D); used up.
        features: which dimension of `inverse` is D.
        scratch: arrays to compute in; the first result stays there.

    Returns:
        D^-1 times the orthogonal columns, which are those of U N', (R, n, K, D); the rows of N left
        of its diagonal, (i, n, K, 1) of row i, None of row 0; and P, (R, n, K, 1).

    Example:
        >>> columns = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
        >>> _, rows, pivots = orthogonalise(torch.ones(2), columns, 0, Scratch(columns))
        >>> rows, pivots  # the capacitance is [[2, 1], [1, 3]]
        ([None, tensor([[-0.5000]])], tensor([[2.0000],
                [2.5000]]))
    """
    rank = columns.shape[0]
    whole = _joined(columns.shape[1:], inverse.shape)
    basis = scratch("basis", (rank, *whole))
    pivots = columns.new_empty(rank, *whole[:features], 1, *whole[features + 1 :])
    rows: list[Tensor | None] = []
    below: Tensor | None = None  # of the rows to come, what is known: (R - i, i, n, K, 1)
    for i, (weighted, pivot) in enumerate(zip(basis.unbind(0), pivots.unbind(0), strict=True)):
        column, later = columns[0], columns[1:]
        torch.mul(column, inverse, out=weighted)
        scratch.dot(weighted, column, features, out=pivot).add_(1)
        row = None if below is None else below[0]
        rows.append(row)
        if row is not None:
            pivot += row.square().sum(0)
        if i == rank - 1:
            break
        out = later if later.shape[1:] == whole else scratch("orthogonal", (rank - i - 1, *whole))
        share = scratch.dot(weighted, later, features)  # (R - i - 1, n, K, 1)
        if below is not None and row is not None:
            share += (below[1:] * row).sum(1)
        columns = torch.addcmul(later, share.div_(pivot).neg_(), column, out=out)
        # Again, of what rounding left: in it is all that parallel columns differ by.
        rest = scratch.dot(weighted, columns, features).add_(share)
        known, below = below, share.unsqueeze(1)
        if known is not None and row is not None:
            known = torch.addcmul(known[1:], below, row)
            rest += (known * row).sum(1)
        rest.div_(pivot).neg_()
        columns.addcmul_(rest, column)
        share += rest
        if known is not None and row is not None:
            below = torch.cat([known.addcmul_(rest.unsqueeze(1), row), below], dim=1)
    return basis, rows, pivots


def log_sum(tensor: Tensor, features: int, scratch: Scratch) -> Tensor:
    """Returns the sum of a positive tensor's logarithms over a dimension, which stays as 1.

    A logarithm costs what ten products cost on a CPU, so it is taken of products of four, where
    these are sure to neither overflow nor underflow. A GPU would rather not wait for that answer.

    Example:
        >>> numbers = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
        >>> log_sum(numbers, 0, Scratch(numbers))  # log(120)
        tensor([4.7875])
    """
    count = tensor.shape[features]
    half, quarter = count // 2, count // 4
    if half == 0 or not tensor.is_cpu:
        return tensor.log().sum(features, keepdim=True)

    product = scratch("product", tuple(tensor.shape))

    def fold(numbers: Tensor, count: int, start: int) -> Tensor:
        left, right = numbers.narrow(features, 0, count), numbers.narrow(features, count, count)
        return torch.mul(left, right, out=product.narrow(features, start, count))

    twos = fold(tensor, half, 0)
    low, high = torch.aminmax(twos)
    if not (float(low) > 1 / _SQUARE and float(high) < _SQUARE):  # so too where one is NaN
        return tensor.log().sum(features, keepdim=True)
    parts = []
    if half % 2:
        parts.append(twos.narrow(features, half - 1, 1))
    if count % 2:
        parts.append(tensor.narrow(features, count - 1, 1))
    if quarter:
        parts.append(fold(twos, quarter, half))
    total, *rest = (part.log().sum(features, keepdim=True) for part in parts)
    for one in rest:
        total += one
    return total


def _joined(left: Sequence[int], right: Sequence[int]) -> tuple[int, ...]:
    """Returns what two shapes broadcast to; torch's own takes as long as a wide operation."""
    if len(left) < len(right):
        left, right = right, left
    lead = len(left) - len(right)
    return (*left[:lead], *map(max, left[lead:], right))


def _waiting(targets: Targets, name: str, shape: Sequence[int]) -> Tensor | None:
    """Returns the target of this name where a result of this shape can wait in it, unfinished."""
    target: Tensor | None = getattr(targets, name)
    if target is None or name in targets.shared:
        return None
    return target if target.shape == shape and target.is_contiguous() else None


def _write(targets: Targets, name: str, target: Tensor, slope: Tensor, order: Order) -> None:
    """Writes a gradient to the target of this name, or adds its sum over the frames."""
    if name in targets.shared:
        target += slope.sum(-1 if order.components == 0 else -3, keepdim=True)
    elif target.data_ptr() != slope.data_ptr():
        target.copy_(slope)
