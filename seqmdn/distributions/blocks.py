r"""One block of frames of a joint mixture: its log-density, and the gradients in closed form.

With e = y - mu, the responsibilities r and the gradient g that reaches each frame's log-density,

.. math::
    \partial_{\log \pi_k} = g r_k, \quad
    \partial_{\mu_k} = g r_k \Lambda_k e_k, \quad
    \partial_{d_k} = \tfrac12 g r_k \left(\mathrm{diag}\,\Sigma_k - e_k^2\right), \quad
    \partial_{U_k} = g r_k \left(\Sigma_k U_k - e_k e_k^\top U_k\right)

and the gradient of y is that of the means, negated. All of it is arithmetic on whole arrays that
stay in the cache; the orthogonal columns behind the log-determinant give Sigma U as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["FRAMES_FIRST", "FRAMES_LAST", "Block", "Order", "Targets", "log_sum", "orthogonalise"]

# Of two numbers within its inverse and itself, float32 holds the product exactly as any other.
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


class Targets(NamedTuple):
    """Where to write each gradient, arranged as the block is; None where it is not wanted.

    Of what all frames share, n = 1, the sum over the frames is added to the target.
    """

    log_weights: Tensor | None  # (n, K)
    loc: Tensor | None  # (n, K, D)
    diagonal: Tensor | None  # (n, K, D)
    factor: Tensor | None  # (n, K, D, R)
    value: Tensor | None  # (n, D)


class Block:
    """Computes one block's log-density, and then, once, its gradients.

    Args:
        order: the order of the dimensions, written here as `FRAMES_FIRST` has them.
        log_weights: normalised, (n, K); here and below n may be 1, for what all frames share.
        loc: (n, K, D).
        diagonal: (n, K, D).
        columns: the R columns of the factor, (n, K, D) each.
        value: (n, D).

    Example:
        >>> zero, one = torch.zeros(1, 1, 2), torch.ones(1, 1, 2)
        >>> block = Block(FRAMES_FIRST, torch.zeros(1, 1), zero, one, (one,), torch.zeros(1, 2))
        >>> block.log_prob  # log(3) / 2 - log(2 pi)
        tensor([-1.2886])
        >>> gradient = torch.empty(1, 1, 2)
        >>> block.differentiate(Targets(None, None, gradient, None, None))
        >>> gradient  # half the variances, 2 / 3 each
        tensor([[[0.3333, 0.3333]]])
    """

    def __init__(
        self,
        order: Order,
        log_weights: Tensor,
        loc: Tensor,
        diagonal: Tensor,
        columns: Sequence[Tensor],
        value: Tensor,
    ) -> None:
        components, features = order
        self.order, self.columns = order, columns
        self.residual = value.unsqueeze(components) - loc
        self.weighted = diagonal * self.residual
        double = (self.weighted * self.residual).sum(features)
        self.projected = [(column * self.residual).sum(features) for column in columns]  # U'e
        for projected in self.projected:
            double.addcmul_(projected, projected)
        double = log_sum(diagonal, features) - double  # log|D| - e' Lambda e
        self.inverse = diagonal.reciprocal()
        self.basis, self.shares, self.pivots = orthogonalise(self.inverse, columns, features)
        for pivot in self.pivots:
            double = double + pivot.log()
        joint = torch.add(log_weights, double, alpha=0.5)  # (n, K), but for the constant
        highest = joint.amax(components, keepdim=True)
        # Where no component has any density, -inf less -inf would be NaN.
        highest.masked_fill_(highest == -math.inf, 0)
        relative = joint.sub_(highest).exp_()
        total = relative.sum(components, keepdim=True)
        constant = 0.5 * loc.shape[features] * math.log(2 * math.pi)
        self.log_prob = highest.sub_(constant).add_(total.log()).squeeze(components)  # (n,)
        self.responsibilities = relative.div_(total.masked_fill_(total == 0, 1))

    def differentiate(self, targets: Targets, gradient: Tensor | None = None) -> None:
        """Writes the gradients to their targets, using up the block.

        Args:
            targets: what is wanted.
            gradient: what reaches each frame's log-density, (n,); None is 1.
        """
        components, features = self.order
        weights = self.responsibilities
        if gradient is not None:
            weights = weights * gradient.unsqueeze(components)
        if targets.log_weights is not None:
            self._write(targets.log_weights, weights)
        # The weights times each projection, negated: the gradients of loc and of U need both.
        projected = [(weights * one).neg_() for one in self.projected]
        if targets.factor is not None:
            self._differentiate_factor(targets.factor, weights, projected)
        if targets.diagonal is not None:
            slope = self.inverse
            for column, pivot in zip(self.basis, self.pivots, strict=True):
                column.mul_(pivot.rsqrt().unsqueeze(features))
                slope = torch.addcmul(slope, column, column, value=-1)  # the variances, at last
            slope = torch.addcmul(slope, self.residual, self.residual, value=-1)
            self._write(targets.diagonal, slope, (0.5 * weights).unsqueeze(features))
        if targets.loc is not None or targets.value is not None:
            slope = self.weighted.mul_(weights.unsqueeze(features))
            for column, one in zip(self.columns, projected, strict=True):
                slope.addcmul_(column, one.unsqueeze(features), value=-1)
            if targets.loc is not None:
                self._write(targets.loc, slope)
            if targets.value is not None:
                targets.value.copy_(slope.sum(components).neg_())

    def _differentiate_factor(
        self, target: Tensor, weights: Tensor, projected: list[Tensor]
    ) -> None:
        features = self.order.features
        scaled = [weights / pivot for pivot in self.pivots]
        for j, one in enumerate(projected):
            slope = self.residual * one.unsqueeze(features)
            for i in range(j + 1, len(scaled)):
                share = scaled[i] * self.shares[i][j]
                slope.addcmul_(self.basis[i], share.unsqueeze(features))
            slope.addcmul_(self.basis[j], scaled[j].unsqueeze(features))
            self._write(target.select(features + 1, j), slope)

    def _write(self, target: Tensor, slope: Tensor, scale: Tensor | None = None) -> None:
        """Writes slope times scale to the target, or adds its sum to that of all frames."""
        if target.shape == slope.shape:
            if scale is None:
                target.copy_(slope)
            else:
                torch.mul(slope, scale, out=target)
        else:
            frames = -1 if self.order.components == 0 else 0
            slope = slope if scale is None else slope * scale
            target.add_(slope.sum(frames, keepdim=True))


def orthogonalise(
    inverse: Tensor, columns: Sequence[Tensor], features: int
) -> tuple[list[Tensor], list[list[Tensor]], list[Tensor]]:
    r"""Makes the columns of [I; U] orthogonal, in the scalar product of I above and D^-1 below.

    By modified Gram-Schmidt, which keeps the identity beside a large U where forming the
    capacitance in float32 would lose it: :math:`C = I + U^\top D^{-1} U = N^{-1} P N^{-\top}`,
    with a unit lower triangular N and the pivots P.

    Args:
        inverse: of d, (n, K, D) or in any other order.
        columns: the R columns of U, of the same order.
        features: which dimension is D.

    Returns:
        D^-1 times the orthogonal columns U N' as arranged, the R rows of N left of the diagonal,
        and the R pivots; each of N and P without the features, (n, K).

    Example:
        >>> columns = torch.tensor([1.0, 0.0]), torch.tensor([1.0, 1.0])
        >>> _, rows, pivots = orthogonalise(torch.ones(2), columns, 0)
        >>> rows, pivots  # the capacitance is [[2, 1], [1, 3]]
        ([[], [tensor(-0.5000)]], [tensor(2.), tensor(2.5000)])
    """
    basis: list[Tensor] = []
    orthogonal: list[Tensor] = []
    rows: list[list[Tensor]] = []
    pivots: list[Tensor] = []
    for column in columns:
        row: list[Tensor] = []
        for other, weighted, its, pivot in zip(orthogonal, basis, rows, pivots, strict=True):
            share = (weighted * column).sum(features)
            for left, right in zip(row, its, strict=True):
                share = share.addcmul_(left, right)
            share = share.div_(pivot)
            column = torch.addcmul(column, share.unsqueeze(features), other, value=-1)
            row = [torch.addcmul(a, share, b, value=-1) for a, b in zip(row, its, strict=True)]
            row.append(share.neg())
        weighted = column * inverse
        pivot = (weighted * column).sum(features).add_(1)
        for left in row:
            pivot = pivot.addcmul_(left, left)
        basis.append(weighted)
        orthogonal.append(column)
        rows.append(row)
        pivots.append(pivot)
    return basis, rows, pivots


def log_sum(tensor: Tensor, dim: int) -> Tensor:
    """Returns the sum of the logarithms of a positive tensor over a dimension.

    A logarithm costs what ten products cost on a CPU, so it is taken of products of four, where
    these are sure to neither overflow nor underflow. A GPU would rather not wait for that answer.

    Example:
        >>> log_sum(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]), 0)  # log(120)
        tensor(4.7875)
    """
    half = tensor.shape[dim] // 2
    if half == 0 or not tensor.is_cpu:
        return tensor.log().sum(dim)
    pairs = tensor.narrow(dim, 0, half) * tensor.narrow(dim, half, half)
    low, high = torch.aminmax(pairs)
    if not (float(low) > 1 / _SQUARE and float(high) < _SQUARE):  # so too where one is NaN
        return tensor.log().sum(dim)
    quarter = half // 2
    total = None
    if quarter:
        fours = pairs.narrow(dim, 0, quarter) * pairs.narrow(dim, quarter, quarter)
        total = fours.log_().sum(dim)
    if half % 2:
        last = pairs.select(dim, half - 1).log()
        total = last if total is None else total.add_(last)
    if tensor.shape[dim] % 2:
        last = tensor.select(dim, 2 * half).log()
        total = last if total is None else total.add_(last)
    assert total is not None
    return total
