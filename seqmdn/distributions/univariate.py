"""Distribution function and quantiles of one-dimensional Gaussian mixtures."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from seqmdn import linalg

__all__ = ["log_normal", "mixture_cdf", "mixture_icdf"]

_MAX_STEPS = 200


def log_normal(standard: Tensor) -> Tensor:
    r"""Returns :math:`\log N(z; 0, 1)` of z of any shape, elementwise.

    Example:
        >>> log_normal(torch.tensor([0.0, 2.0]))  # -log(2 pi) / 2, and 2 less
        tensor([-0.9189, -2.9189])
    """
    return -0.5 * standard.square() - 0.5 * math.log(2 * math.pi)


@linalg.full_precision
def mixture_cdf(
    value: Tensor,  # (*batch,)
    log_weights: Tensor,  # (*batch, K)
    loc: Tensor,  # (*batch, K)
    scale: Tensor,  # (*batch, K)
) -> Tensor:  # (*batch,)
    r"""Returns :math:`F(y) = \sum_k \pi_k \Phi\left((y - \mu_k) / \sigma_k\right)`.

    Example:
        >>> mixture_cdf(torch.zeros(()), torch.zeros(1), torch.zeros(1), torch.ones(1))
        tensor(0.5000)
    """
    standard = (value.unsqueeze(-1) - loc) / scale
    return (log_weights.exp() * torch.special.ndtr(standard)).sum(-1)


@linalg.full_precision
def mixture_icdf(
    q: Tensor,  # (*batch,)
    log_weights: Tensor,  # (*batch, K)
    loc: Tensor,  # (*batch, K)
    scale: Tensor,  # (*batch, K)
) -> Tensor:  # (*batch,)
    r"""Returns the y of :math:`F(y) = q` to float precision; 0 and 1 give infinities.

    The least and the greatest of the components' own quantiles bracket the root. Inside, Newton's
    method on the logarithm of the nearer tail, where F itself is flat, falls back on bisection. The
    search is in float64 and not differentiated; derivatives of any order, to q and to every
    parameter, are those of the implicit function theorem:

    .. math:: \frac{\partial y}{\partial q} = \frac{1}{f(y)}, \quad
        \frac{\partial y}{\partial \theta} = -\frac{1}{f(y)} \frac{\partial F(y)}{\partial \theta}

    Raises:
        ValueError: If a q is outside [0, 1].

    Example:
        >>> two = torch.tensor([0.5, 0.5]).log(), torch.tensor([-3.0, 3.0]), torch.ones(2)
        >>> mixture_icdf(torch.tensor(0.25), *two), mixture_icdf(torch.tensor(1.0), *two)
        (tensor(-3.), tensor(inf))
    """
    if not bool(((q >= 0) & (q <= 1)).all()):
        raise ValueError(
            f"q must be probabilities in [0, 1]; found {q.min():.6g} to {q.max():.6g}."
        )
    dtype = torch.promote_types(q.dtype, loc.dtype)
    if q.device.type != "mps":
        q, log_weights, loc, scale = (t.double() for t in (q, log_weights, loc, scale))
    # The upper tail is the lower one of the mirrored mixture: small numbers keep their digits.
    sign = torch.where(q > 0.5, -1.0, 1.0).to(q)
    tail = torch.where(q > 0.5, 1 - q, q).expand(
        torch.broadcast_shapes(q.shape, loc.shape[:-1], log_weights.shape[:-1], scale.shape[:-1])
    )
    mirrored = sign.unsqueeze(-1) * loc
    inside = tail > 0
    # A tail of 0 has no finite root; the search runs on a stand-in, and its result is replaced.
    target = torch.where(inside, tail, 0.5)
    parameters = (p.expand(*tail.shape, -1) for p in (log_weights, mirrored, scale))
    root: Tensor = _Quantile.apply(target, *parameters)
    return (sign * torch.where(inside, root, -math.inf)).to(dtype)


class _Quantile(Function):
    """Finds the y of F(y) = q, q <= 1/2; its gradient is a formula that can be differentiated."""

    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,  # (*batch,)
        log_weights: Tensor,  # (*batch, K)
        loc: Tensor,  # (*batch, K)
        scale: Tensor,  # (*batch, K)
    ) -> Tensor:  # (*batch,)
        root = _search(q.log(), log_weights, loc, scale)
        ctx.save_for_backward(root, log_weights, loc, scale)
        return root

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        # The root is the output, so that it, too, is a function of everything here.
        root, log_weights, loc, scale = ctx.saved_tensors
        standard = (root.unsqueeze(-1) - loc) / scale
        parts = log_weights + log_normal(standard) - scale.log()
        # Between far components the density underflows; 0 times its inverse must stay 0.
        least = math.log(torch.finfo(root.dtype).tiny)
        log_slope = -torch.logsumexp(parts, dim=-1).clamp(min=least)
        below = log_weights + torch.special.log_ndtr(standard) + log_slope.unsqueeze(-1)
        shares = gradient.unsqueeze(-1) * torch.softmax(parts, dim=-1)
        return (
            gradient * log_slope.exp(),
            -gradient.unsqueeze(-1) * below.exp(),
            shares,
            shares * standard,
        )


def _search(log_target: Tensor, log_weights: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """Returns the root of log F(y) = log q, q <= 1/2, by Newton's method kept inside a bracket."""
    quantiles = loc + scale * torch.special.ndtri(log_target.exp()).unsqueeze(-1)
    low, high = quantiles.amin(-1), quantiles.amax(-1)
    # Rounding may leave the root just outside; K = 1 starts from a bracket of no width.
    margin = (
        8 * torch.finfo(low.dtype).eps * (torch.maximum(low.abs(), high.abs()) + scale.amax(-1))
    )
    low, high = low - margin, high + margin
    tolerance = torch.finfo(low.dtype).eps
    point = 0.5 * (low + high)
    previous = high - low
    done = torch.zeros_like(point, dtype=torch.bool)
    for _ in range(_MAX_STEPS):
        log_cdf, slope = _log_cdf(point, log_weights, loc, scale)
        error = log_cdf - log_target
        low = torch.where(error <= 0, point, low)
        high = torch.where(error >= 0, point, high)
        newton = point - error / slope
        # A Newton step that does not even halve the one before is not converging.
        wild = ~((newton > low) & (newton < high)) | ((newton - point).abs() > 0.5 * previous)
        step = torch.where(wild, 0.5 * (low + high), newton)
        step = torch.where(done | (error == 0), point, step)
        previous = torch.where(wild, high - low, (newton - point).abs())
        done = done | ((step - point).abs() <= tolerance * (point.abs() + scale.amin(-1)))
        point = step
        if bool(done.all()):
            break
    return point


def _log_cdf(
    value: Tensor, log_weights: Tensor, loc: Tensor, scale: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns log F(y) and its derivative f(y) / F(y)."""
    standard = (value.unsqueeze(-1) - loc) / scale
    log_cdf = torch.logsumexp(log_weights + torch.special.log_ndtr(standard), dim=-1)
    log_density = torch.logsumexp(log_weights + log_normal(standard) - scale.log(), dim=-1)
    return log_cdf, (log_density - log_cdf).exp()
