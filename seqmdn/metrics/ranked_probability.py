"""The continuous ranked probability score, in closed form and of draws."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from seqmdn import linalg
from seqmdn.metrics.draws import check_samples

__all__ = ["crps_mixture", "crps_samples"]

_VALUES = 2**20  # numbers of one intermediate result


@linalg.full_precision
def crps_mixture(
    weights: Tensor,  # (*batch, K)
    loc: Tensor,  # (*batch, K)
    scale: Tensor,  # (*batch, K)
    value: Tensor,  # (*batch,)
) -> Tensor:  # (*batch,)
    r"""Returns the continuous ranked probability score of a one-dimensional Gaussian mixture.

    .. math:: \int \left(F(x) - 1[y \le x]\right)^2 dx = \sum_i \pi_i A(y - \mu_i, \sigma_i)
        - \tfrac12 \sum_{ij} \pi_i \pi_j A\left(\mu_i - \mu_j, \sqrt{\sigma_i^2 + \sigma_j^2}\right)
    .. math:: A(m, s) = m \left(2 \Phi(m / s) - 1\right) + 2 s \phi(m / s)

    Exact, in the unit of y; smaller is better. The difference of the two sums is taken in float64
    (where the device has it): far apart components cancel to a small score. O(K^2) time; without
    gradients, the memory beyond that of the arguments does not grow with the batch.

    Args:
        weights: probabilities, summing to 1 over K.
        loc: means.
        scale: standard deviations, positive.
        value: what was observed.

    Raises:
        ValueError: If shapes do not broadcast to (*batch, K) and (*batch), or a scale is not
            positive.

    References:
        The continuous ranked probability score for circular variables and its application to
        mesoscale forecast ensemble verification, E. Grimit et al., 2006.

    Example:
        >>> one = torch.ones(1)
        >>> crps_mixture(one, 0 * one, one, torch.tensor(0.0))  # (sqrt(2) - 1) / sqrt(pi)
        tensor(0.2337)
    """
    parameters = (weights, loc, scale)
    try:
        shape = torch.broadcast_shapes(value.unsqueeze(-1).shape, *(t.shape for t in parameters))
    except RuntimeError:
        shape = torch.Size()
    if any(t.shape[-1:] != shape[-1:] for t in parameters):
        raise ValueError(
            "expected weights, loc and scale (*batch, K) and value (*batch);"
            f" found {', '.join(str(tuple(t.shape)) for t in (*parameters, value))}."
        )
    if bool((scale <= 0).any()):
        raise ValueError(f"scale must be positive; found a minimum of {float(scale.min()):g}.")
    rows = [t.expand(shape).reshape(-1, shape[-1]) for t in parameters]
    rows.append(value.expand(shape[:-1]).reshape(-1, 1))
    size = max(1, _VALUES // max(1, shape[-1]))
    pieces = zip(*(each.split(size) for each in rows), strict=True)
    score = torch.cat([_crps_rows(*(linalg.doubled(each) for each in piece)) for piece in pieces])
    return score.reshape(shape[:-1]).to(torch.promote_types(loc.dtype, value.dtype))


@linalg.full_precision
def crps_samples(
    samples: Tensor,  # (S, *batch)
    value: Tensor,  # (*batch,)
) -> Tensor:  # (*batch,)
    r"""Returns the continuous ranked probability score of draws, by its unbiased estimator.

    .. math:: \frac1S \sum_i |x_i - y| - \frac{1}{2 S (S - 1)} \sum_{i \ne j} |x_i - x_j|

    In the unit of y; smaller is better. A single one may be negative; the mean over draws is the
    score of the distribution that they come from. O(S log S).

    Raises:
        ValueError: If there are fewer than two draws or shapes do not fit.

    References:
        Fair scores for ensemble forecasts, C. Ferro, 2014.

    Example:
        >>> crps_samples(torch.tensor([0.0, 2.0]), torch.tensor(0.0))  # 1 - 2 / 2
        tensor(0.)
    """
    count = check_samples(samples, value)
    # Seen from y: draws that are close to each other and far from zero keep their digits.
    error = (samples - value).sort(dim=0).values
    rank = torch.arange(1, count + 1, dtype=error.dtype, device=error.device)
    weight = (2 * rank - count - 1).reshape(-1, *[1] * value.dim())
    return error.abs().mean(0) - (weight * error).sum(0) / (count * (count - 1))


def _crps_rows(weights: Tensor, loc: Tensor, scale: Tensor, value: Tensor) -> Tensor:
    """Returns the score (N,) of rows (N, K) and (N, 1), a component's pairs at a time."""
    score = (weights * _mean_distance(value - loc, scale)).sum(-1)
    score = score - (weights.square() * scale).sum(-1) / math.sqrt(math.pi)
    for i in range(weights.shape[-1] - 1):
        apart = loc[:, i, None] - loc[:, i + 1 :]
        spread = torch.hypot(scale[:, i, None], scale[:, i + 1 :])
        pairs = weights[:, i, None] * weights[:, i + 1 :]
        score = score - (pairs * _mean_distance(apart, spread)).sum(-1)
    return score


def _mean_distance(mean: Tensor, scale: Tensor) -> Tensor:
    """Returns the mean of |X| for X normal."""
    standard = mean / scale
    density = (-0.5 * standard.square()).exp() * math.sqrt(2 / math.pi)
    return mean * torch.special.erf(standard / math.sqrt(2)) + scale * density
