"""Distribution function and quantiles of one-dimensional Gaussian mixtures."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from seqmdn import linalg

__all__ = ["mixture_cdf", "mixture_icdf"]

_MAX_STEPS = 200


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
    search is in float64 and not differentiated; first derivatives, to q and to every parameter, are
    those of the implicit function theorem.

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
    with torch.no_grad():
        root = _search(target.log(), log_weights, mirrored, scale)
    if torch.is_grad_enabled() and any(t.requires_grad for t in (q, log_weights, loc, scale)):
        log_cdf, slope = _log_cdf(root, log_weights, mirrored, scale)
        residual = log_cdf - target.log()
        # A Newton step of the value 0, with the derivatives of the implicit function theorem.
        # Between far components the slope underflows; 0 times its inverse must stay 0.
        inverse = slope.detach().clamp(min=torch.finfo(slope.dtype).tiny).reciprocal()
        root = root - (residual - residual.detach()) * inverse
    return (sign * torch.where(inside, root, -math.inf)).to(dtype)


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
    log_density = -0.5 * standard.square() - scale.log() - 0.5 * math.log(2 * math.pi)
    return log_cdf, (torch.logsumexp(log_weights + log_density, dim=-1) - log_cdf).exp()
