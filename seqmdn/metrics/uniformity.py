"""Whether numbers that should be uniform on (0, 1) are: a test, and bands around what is drawn."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["critical_distance", "histogram_band", "kolmogorov_smirnov"]

_TERMS = 20  # of a series whose second term is below 1e-3 of its first where it is used


def kolmogorov_smirnov(u: Tensor) -> tuple[Tensor, Tensor]:
    r"""Tests whether numbers are independent and uniform on (0, 1), column by column.

    .. math:: D = \sup_x |F_n(x) - x|, \qquad
        \text{p} \approx 2 \sum_{k \ge 1} (-1)^{k - 1} e^{-2 k^2 \lambda^2}, \quad
        \lambda = \left(\sqrt n + 0.12 + 0.11 / \sqrt n\right) D

    The p-value is the probability that uniform numbers have as large a distance; below 0.05, say,
    uniformity is rejected. With many numbers the smallest deviation is found: how large it is, as
    a probability, says D.

    Args:
        u: (n, *columns), from 0 to 1, without NaN.

    Returns:
        The distance D and the p-value, each (*columns), in float64.

    Raises:
        ValueError: If there are no numbers or one is NaN or outside [0, 1].

    References:
        Use of the Kolmogorov-Smirnov, Cramer-von Mises and Related Statistics Without Extensive
        Tables, M. A. Stephens, 1970, for the p-value of finite n.

    Example:
        >>> distance, p = kolmogorov_smirnov(torch.tensor([[0.1, 0.1], [0.5, 0.2], [0.9, 0.3]]))
        >>> [[round(each, 2) for each in found.tolist()] for found in (distance, p)]
        [[0.23, 0.7], [0.99, 0.05]]
    """
    if u.dim() < 1 or not len(u):
        raise ValueError(
            f"expected numbers (n, *columns), n >= 1; found {tuple(u.shape)}: a test needs some."
        )
    wrong = ~((u >= 0) & (u <= 1))
    if bool(wrong.any()):
        raise ValueError(
            f"expected numbers in [0, 1]; found {u[wrong][0].item():g} ({int(wrong.sum())} such"
            " values): leave out what was not observed."
        )
    count = len(u)
    order = u.double().sort(dim=0).values
    rank = torch.arange(count, device=u.device, dtype=torch.double)
    rank = rank.reshape(-1, *[1] * (u.dim() - 1)) / count
    distance = torch.maximum(order - rank, rank + 1 / count - order).amax(0)
    return distance, _exceeds(_scale(count) * distance)


def critical_distance(count: int, level: float = 0.95) -> float:
    """Returns the distance D that uniform numbers stay below with a probability, the level.

    A band of that half-width around a distribution function holds all of it at once with that
    probability.

    Args:
        count: n, at least 1.
        level: strictly between 0 and 1.

    Example:
        >>> round(critical_distance(10_000), 4)  # 1.358 / sqrt(n)
        0.0136
    """
    low, high = 0.0, 4.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if float(_exceeds(torch.tensor(middle, dtype=torch.double))) > 1 - level:
            low = middle
        else:
            high = middle
    return min(1.0, high / _scale(count))


def histogram_band(count: int, bins: int, level: float = 0.95) -> tuple[int, int]:
    r"""Returns the counts that all bins of uniform numbers lie between, with a probability.

    A bin of n numbers and b bins is binomial; by Bonferroni's inequality all of them are inside
    with at least the level's probability where each leaves out at most (1 - level) / (2 b) on
    either side. So the band is a simultaneous one: of a calibrated density, one histogram in
    twenty has a bin outside the 95 % band, and not one bin in twenty.

    Args:
        count: n, at least 1.
        bins: b, at least 2.
        level: strictly between 0 and 1.

    Example:
        >>> histogram_band(1000, 20)
        (30, 72)
    """
    if count < 1 or bins < 2:
        raise ValueError(f"expected 1 number or more and 2 bins; found {count} and {bins}.")
    k = torch.arange(count + 1, dtype=torch.double)
    n, p = torch.tensor(float(count), dtype=torch.double), 1 / bins
    log_mass = torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)
    below = (log_mass + k * math.log(p) + (n - k) * math.log1p(-p)).exp().cumsum(0)
    tail = (1 - level) / (2 * bins)
    return int((below <= tail).sum()), min(count, int((below < 1 - tail).sum()))


def _scale(count: int) -> float:
    return math.sqrt(count) + 0.12 + 0.11 / math.sqrt(count)


def _exceeds(scaled: Tensor) -> Tensor:
    """Returns the probability that Kolmogorov's limit exceeds a value, each by its fast series."""
    k = torch.arange(1, _TERMS + 1, dtype=torch.double, device=scaled.device)
    x = scaled.unsqueeze(-1).clamp(min=1e-3)
    signs = torch.where(k % 2 == 1, 2.0, -2.0)
    large = (signs * (-2 * (k * x).square()).exp()).sum(-1)
    powers = (-((2 * k - 1) * math.pi / x).square() / 8).exp()
    small = 1 - (math.sqrt(2 * math.pi) / x * powers).sum(-1)
    return torch.where(scaled < 1, small, large).clamp(0, 1)
