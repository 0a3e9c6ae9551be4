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

from seqmdn.distributions.scratch import Scratch, joined, log_sum, orthogonalise

__all__ = ["FRAMES_FIRST", "FRAMES_LAST", "Order", "Targets", "block_log_prob", "mix"]


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
    log_weights: Tensor | None,
    loc: Tensor,
    diagonal: Tensor,
    columns: Tensor,
    value: Tensor,
    scratch: Scratch,
    targets: Targets | None = None,
    gradient: Tensor | None = None,
) -> Tensor:
    """Returns the log-density of one block, (n,), and writes the gradients that are wanted.

    Without log-weights there is no mixture: the log-density is that of each component, (n, K), and
    so are the gradients, those of r = g = 1, where nothing is shared and that of the value is not
    wanted. To multiply them by weights that come later costs less than to do it here.

    Args:
        order: the order of the dimensions, written here as `FRAMES_FIRST` has them.
        log_weights: normalised, (n, K); here and below n may be 1, for what all frames share.
        loc: (n, K, D).
        diagonal: (n, K, D).
        columns: those of the factor, (R, n, K, D).
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
    whole = joined(value.shape, loc.shape)  # (n, K, D)
    residual = torch.sub(value, loc, out=scratch("residual", whole))
    score = _waiting(targets, "loc", whole)
    score = torch.mul(diagonal, residual, out=scratch("score", whole) if score is None else score)
    rank, space = len(columns), columns
    if rank:
        # More than one are made orthogonal, in place; that place may be the factor's target.
        room = _room(targets, order)
        shape = (rank, *joined(columns.shape[1:], diagonal.shape))
        if room is None or room.numel() != math.prod(shape):
            room = scratch("columns", shape)
        space = room.view(shape)
        if rank > 1 or columns.stride(-1) != 1:
            columns = space.copy_(columns)
        projected = columns.new_empty(rank, *whole[:features], 1, *whole[features + 1 :])
        for column, one in zip(columns.unbind(0), projected.unbind(0), strict=True):
            scratch.dot(column, residual, features, out=one)  # U'e, (R, n, K, 1)
            score.addcmul_(column, one)  # Lambda e
    quadratic = scratch.dot(score, residual, features)  # (n, K, 1)
    double = log_sum(diagonal, features, scratch) - quadratic
    inverse = diagonal
    if rank or targets.diagonal is not None:
        slope = _waiting(targets, "diagonal", diagonal.shape)
        slope = scratch("inverse", diagonal.shape) if slope is None else slope
        inverse = torch.reciprocal(diagonal, out=slope)
    if rank:
        rows, pivots = orthogonalise(inverse, columns, features, scratch)
        double = double + (pivots.log().sum(0) if rank > 1 else pivots[0].log())
    constant = loc.shape[features] * math.log(2 * math.pi)
    weights: Tensor | None = None
    if log_weights is None:
        log_prob = double.sub_(constant).mul_(0.5).squeeze(features)
    else:
        joint = torch.add(log_weights.unsqueeze(features), double, alpha=0.5)
        log_prob, weights = mix(joint, components, gradient, wanted)
        log_prob = log_prob.sub_(0.5 * constant).flatten()
    if not wanted:
        return log_prob
    if weights is not None and targets.log_weights is not None:
        _write(targets, "log_weights", targets.log_weights.unsqueeze(features), weights, order)
    if targets.loc is not None or targets.value is not None:
        if weights is not None:
            score *= weights
        if targets.loc is not None:
            _write(targets, "loc", targets.loc, score, order)
        if targets.value is not None:
            torch.neg(score.sum(components), out=targets.value)
    if targets.diagonal is None and (not rank or targets.factor is None):
        return log_prob
    slopes: list[Tensor] = []
    if rank:
        # S = D^-1 U N' P^-1, in the arrays that are free; then the columns' own memory is as well.
        slopes = [scratch("residual", tuple(space.shape[1:]))]
        if rank > 1:
            slopes = [*scratch("product", (rank - 1, *space.shape[1:])).unbind(0), *slopes]
        for column, one, share in zip(columns, slopes, pivots.reciprocal_(), strict=True):
            torch.mul(column, inverse, out=one).mul_(share)
        if targets.diagonal is not None:
            gone = torch.mul(columns[0], slopes[0], out=space[0])
            for column, one in zip(columns[1:], slopes[1:], strict=True):
                gone.addcmul_(column, one)
            # The variances: what U takes off 1/d is that times the sum of U N' S.
            out = inverse if gone.shape == inverse.shape else None
            inverse = torch.addcmul(inverse, inverse, gone, value=-1, out=out)
        residual = space[0] if space.shape[1:] == whole else scratch("error", whole)
        torch.sub(value, loc, out=residual)  # once more: its memory was needed
    if targets.diagonal is not None:
        out = inverse if inverse.shape == whole else None
        inverse = torch.addcmul(inverse, residual, residual, value=-1, out=out)
        inverse *= 0.5 if weights is None else 0.5 * weights
        _write(targets, "diagonal", targets.diagonal, inverse, order)
    if rank and targets.factor is not None:
        for i, row in enumerate(rows):
            if row is not None:
                for one, share in zip(slopes[:i], row, strict=True):
                    one.addcmul_(slopes[i], share)
        for i, share in enumerate(projected):
            out = slopes[i] if slopes[i].shape == whole else None
            slopes[i] = torch.addcmul(slopes[i], residual, share, value=-1, out=out)
            if weights is not None:
                slopes[i] *= weights
        _write(targets, "factor", targets.factor, slopes, order)
    return log_prob


def mix(
    joint: Tensor, components: int, gradient: Tensor | None = None, wanted: bool = True
) -> tuple[Tensor, Tensor | None]:
    """Returns the logarithm of the sum of exponentials over the components, and its gradient.

    Args:
        joint: log pi_k + log N_k, (n, K) or in any other order; used up.
        components: which dimension of `joint` is K; the sum leaves a dimension of 1.
        gradient: what reaches each sum, (n,); None is 1.
        wanted: whether the gradient is.

    Example:
        >>> mix(torch.zeros(1, 4), 1)
        (tensor([[1.3863]]), tensor([[0.2500, 0.2500, 0.2500, 0.2500]]))
    """
    highest = joint.amax(components, keepdim=True)
    # Where no component has any density, -inf less -inf would be NaN.
    highest.clamp_(min=torch.finfo(highest.dtype).min)
    weights = joint.sub_(highest).exp_()
    total = weights.sum(components, keepdim=True)
    log_prob = highest.add_(total.log())
    if not wanted:
        return log_prob, None
    weights /= total.clamp_(min=1)  # the responsibilities; below 1 there is only 0
    if gradient is not None:
        weights *= gradient.view(total.shape)
    return log_prob, weights


def _room(targets: Targets, order: Order) -> Tensor | None:
    """Returns the memory of the factor's target, flat, where it is one piece."""
    target = targets.factor
    if target is None or "factor" in targets.shared:
        return None
    target = target.movedim(0, -1)  # (n, K, D, R)
    target = target.movedim(-2, 0) if order.components == 0 else target
    return target.view(-1) if target.is_contiguous() else None


def _waiting(targets: Targets, name: str, shape: Sequence[int]) -> Tensor | None:
    """Returns the target of this name where a result of this shape can wait in it, unfinished."""
    target: Tensor | None = getattr(targets, name)
    if target is None or name in targets.shared:
        return None
    return target if target.shape == shape and target.is_contiguous() else None


def _write(
    targets: Targets, name: str, target: Tensor, slope: Tensor | list[Tensor], order: Order
) -> None:
    """Writes a gradient to the target of this name, or adds its sum over the frames."""
    if isinstance(slope, list):
        pairs = target.movedim(0, -1)
        if len(slope) == 2 and name not in targets.shared and pairs.is_contiguous():
            # Complex numbers lie as pairs: one dense operation for two with gaps, at a third.
            torch.complex(*slope, out=torch.view_as_complex(pairs))
            return
        for one, other in zip(target, slope, strict=True):
            _write(targets, name, one, other, order)
    elif name in targets.shared:
        target += slope.sum(-1 if order.components == 0 else -3, keepdim=True)
    elif target.data_ptr() != slope.data_ptr():
        target.copy_(slope)
