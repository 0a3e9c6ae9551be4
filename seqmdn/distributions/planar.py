r"""One block of frames of two features with at most one column: strokes of a pen, places on a map.

Along two features no operation is worth its call, so each is a plane of its own, (n, K). With the
two rows of d and U, :math:`t_0 = u_0 d_1`, :math:`t_1 = u_1 d_0`, the residual e and q = U'e,

.. math::
    |\Lambda| = d_0 d_1 + u_0 t_0 + u_1 t_1, \quad
    \Sigma U = t / |\Lambda|, \quad
    \Sigma_{00} = (d_1 + u_1^2) / |\Lambda|, \quad
    \Sigma_{11} = (d_0 + u_0^2) / |\Lambda|

in which nothing is subtracted, so nothing cancels. One logarithm and one division are left of each
component's density and gradients; their formulas are those of `seqmdn.distributions.blocks`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from seqmdn.distributions.blocks import Targets
from seqmdn.distributions.scratch import Scratch

__all__ = ["planar_log_prob"]

# Between these no product of two diagonals, and no determinant up to the square of the square,
# leaves the range of float32, nor does a square of U whose share of the determinant is in it.
_DIAGONAL, _DETERMINANT = 2.0**30, 2.0**90


def planar_log_prob(
    log_weights: Tensor,  # (n, K)
    loc: Tensor,  # (n, K, 2)
    diagonal: Tensor,  # (n, K, 2)
    columns: Tensor,  # (R, n, K, 2), R = 0 or 1
    value: Tensor,  # (n, 2)
    scratch: Scratch,
    targets: Targets | None = None,
    gradient: Tensor | None = None,  # (n,)
) -> Tensor | None:  # (n,)
    """Returns the log-density of one block and writes the gradients that are wanted.

    None, with nothing of use written, where a product could leave float32's range: then the block
    is for `block_log_prob`, whose arguments these are, of `FRAMES_FIRST` and with nothing shared.

    Example:
        >>> zero, one, slope = torch.zeros(1, 1, 2), torch.ones(1, 1, 2), torch.empty(1, 1, 2)
        >>> planar_log_prob(  # log(3) / 2 - log(2 pi)
        ...     torch.zeros(1, 1), zero, one, one.unsqueeze(0), torch.zeros(1, 2),
        ...     Scratch(zero), Targets(diagonal=slope),
        ... )
        tensor([-1.2886])
        >>> slope  # half the variances, 2 / 3 each
        tensor([[[0.3333, 0.3333]]])
    """
    wanted = targets is not None
    targets = targets or Targets()
    rank = len(columns)
    low, high = torch.aminmax(diagonal)
    if not (float(low) > 1 / _DIAGONAL and float(high) < _DIAGONAL):  # so too where one is NaN
        return None
    names = scratch("planes", (8 + 5 * rank, *log_weights.shape)).unbind(0)
    d0, d1, e0, e1, f0, f1, determinant, joint = names[:8]
    d0.copy_(diagonal[..., 0])
    d1.copy_(diagonal[..., 1])
    torch.mul(d0, d1, out=determinant)
    if rank:
        u0, u1, t0, t1, projected = names[8:]
        u0.copy_(columns[0, ..., 0])
        u1.copy_(columns[0, ..., 1])
        determinant.addcmul_(u0, torch.mul(u0, d1, out=t0))
        determinant.addcmul_(u1, torch.mul(u1, d0, out=t1))
        if not float(determinant.amax()) < _DETERMINANT:
            return None
    torch.sub(value[:, :1], loc[..., 0], out=e0)
    torch.sub(value[:, 1:], loc[..., 1], out=e1)
    torch.mul(d0, e0, out=f0)
    torch.mul(d1, e1, out=f1)
    torch.log(determinant, out=joint).addcmul_(f0, e0, value=-1).addcmul_(f1, e1, value=-1)
    if rank:
        torch.mul(u0, e0, out=projected).addcmul_(u1, e1)
        joint.addcmul_(projected, projected, value=-1)
    joint = torch.add(log_weights, joint, alpha=0.5, out=joint)
    highest = joint.amax(-1, keepdim=True)
    # Where no component has any density, -inf less -inf would be NaN.
    highest.clamp_(min=torch.finfo(highest.dtype).min)
    weights = joint.sub_(highest).exp_()
    total = weights.sum(-1, keepdim=True)
    log_prob = highest.add_(total.log()).sub_(math.log(2 * math.pi)).squeeze(-1)
    if not wanted:
        return log_prob
    weights /= total.clamp_(min=1)  # the responsibilities; below 1 there is only 0
    if gradient is not None:
        weights *= gradient.unsqueeze(-1)
    if targets.log_weights is not None:
        targets.log_weights.copy_(weights)
    # d is of use no more; in its place, |Lambda| Sigma's diagonal: the other's share of Lambda.
    if rank:
        projected *= weights
        d0.addcmul_(u0, u0)
        d1.addcmul_(u1, u1)
    if targets.loc is not None or targets.value is not None:
        f0 *= weights
        f1 *= weights
        if rank:
            f0.addcmul_(u0, projected)
            f1.addcmul_(u1, projected)
        if targets.loc is not None:
            _write(targets.loc, f0, f1)
        if targets.value is not None:
            torch.stack([f0.sum(-1), f1.sum(-1)], dim=-1, out=targets.value).neg_()
    scale = torch.div(weights, determinant, out=determinant)
    if targets.factor is not None and rank:
        t0.mul_(scale).addcmul_(e0, projected, value=-1)
        t1.mul_(scale).addcmul_(e1, projected, value=-1)
        _write(targets.factor[0], t0, t1)
    if targets.diagonal is not None:
        scale *= 0.5
        weights *= -0.5
        d1.mul_(scale).addcmul_(e0.square_(), weights)
        d0.mul_(scale).addcmul_(e1.square_(), weights)
        _write(targets.diagonal, d1, d0)
    return log_prob


def _write(target: Tensor, first: Tensor, second: Tensor) -> None:
    """Writes two planes (n, K) to their places in (n, K, 2)."""
    if target.is_contiguous():
        # Complex numbers lie as pairs: one dense operation for two with gaps, at a third of them.
        torch.complex(first, second, out=torch.view_as_complex(target))
    else:
        target[..., 0].copy_(first)
        target[..., 1].copy_(second)
