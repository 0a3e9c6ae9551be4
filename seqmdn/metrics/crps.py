"""The continuous ranked probability score."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from seqmdn import linalg

__all__ = ["crps_mixture"]


@linalg.full_precision
def crps_mixture(
    weights: Tensor,  # (*batch, K)
    loc: Tensor,  # (*batch, K)
    scale: Tensor,  # (*batch, K)
    value: Tensor,  # (*batch,)
) -> Tensor:  # (*batch,)
    r"""Returns the continuous ranked probability score of a one-dimensional Gaussian mixture.

    .. math:: \sum_i \pi_i A(y - \mu_i, \sigma_i)
        - \tfrac12 \sum_{ij} \pi_i \pi_j A\left(\mu_i - \mu_j, \sqrt{\sigma_i^2 + \sigma_j^2}\right)
    .. math:: A(m, s) = m \left(2 \Phi(m / s) - 1\right) + 2 s \phi(m / s)

    Exact, O(K^2), in the unit of y; smaller is better.

    Args:
        weights: probabilities, summing to 1 over K.
        loc: means.
        scale: standard deviations, positive.
        value: what was observed.

    References:
        The continuous ranked probability score for circular variables and its application to
        mesoscale forecast ensemble verification, E. Grimit et al., 2006.

    Example:
        >>> one = torch.ones(1)
        >>> crps_mixture(one, 0 * one, one, torch.tensor(0.0))  # (sqrt(2) - 1) / sqrt(pi)
        tensor(0.2337)
    """
    to_value = (weights * _mean_distance(value.unsqueeze(-1) - loc, scale)).sum(-1)
    apart = loc.unsqueeze(-1) - loc.unsqueeze(-2)  # (*batch, K, K)
    spread = torch.hypot(scale.unsqueeze(-1), scale.unsqueeze(-2))
    pairs = weights.unsqueeze(-1) * weights.unsqueeze(-2)
    return to_value - 0.5 * (pairs * _mean_distance(apart, spread)).sum((-2, -1))


def _mean_distance(mean: Tensor, scale: Tensor) -> Tensor:
    """Returns the mean of |X| for X normal."""
    standard = mean / scale
    density = (-0.5 * standard.square()).exp() * math.sqrt(2 / math.pi)
    return mean * torch.special.erf(standard / math.sqrt(2)) + scale * density
