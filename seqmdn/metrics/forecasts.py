"""One number in the place of a density: its mean, which squared error asks for, and its median."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution

from seqmdn.metrics.draws import check_samples
from seqmdn.metrics.marginals import Marginals

__all__ = ["PointForecast", "point_forecast", "point_of"]


class PointForecast(NamedTuple):
    """The mean and the median of each feature, in the unit of the data.

    Attributes:
        mean: (*batch, D).
        median: (*batch, D).
        variance: (*batch, D), of the error that the mean has for being one of draws; 0 where it is
            exact.
    """

    mean: Tensor
    median: Tensor
    variance: Tensor


def point_forecast(
    distribution: Distribution, samples: Tensor, exact: bool = True
) -> PointForecast:
    """Returns mean and median of each feature: in closed form where known, else of draws.

    The mean has the smallest expected squared error of all forecasts, the median the smallest
    absolute one. The square of an error by draws is too large by ``variance``, in expectation.

    Args:
        distribution: of batch shape (*batch) and event shape (D,).
        samples: draws (S, *batch, D), used where there is no closed form.
        exact: whether to search for the median where the quantile functions are known.

    Raises:
        ValueError: If the draws do not fit.

    Example:
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> normal = LowRankPrecisionNormal(torch.tensor([3.0]), torch.ones(1))
        >>> point_forecast(normal, normal.sample((19,)))
        PointForecast(mean=tensor([3.]), median=tensor([3.]), variance=tensor([0.]))
    """
    shape = (*distribution.batch_shape, *distribution.event_shape)
    count = check_samples(samples, samples.new_empty(shape))
    marginals = Marginals.of(distribution)
    if marginals is None or not exact:
        order = samples.sort(dim=0).values
        median = 0.5 * (order[(count - 1) // 2] + order[count // 2])
    else:
        median = marginals.icdf(torch.full((), 0.5).to(samples))
    mean = point_of(distribution, samples)
    known = marginals is not None and marginals.scale is not None
    return PointForecast(mean, median, torch.zeros_like(mean) if known else samples.var(0) / count)


def point_of(distribution: Distribution, samples: Tensor | None = None) -> Tensor:  # (*batch, D)
    """Returns the mean of a density, in the unit of the value.

    In closed form of Gaussian mixtures in an affine scale, as of :func:`seqmdn.metrics.crps`; else
    that of draws, whose standard error is :math:`S^{-1/2}` of the density's deviation.

    Args:
        distribution: of batch shape (*batch) and event shape (D,).
        samples: draws (S, *batch, D), used where there is no closed form.

    Raises:
        ValueError: If there is no closed form and no draws are given.

    Example:
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> point_of(LowRankPrecisionNormal(torch.ones(2), torch.ones(2)))
        tensor([1., 1.])
    """
    marginals = Marginals.of(distribution)
    if marginals is not None and marginals.scale is not None:
        mean: Tensor = marginals.mixture.mean
        for transform in reversed(marginals.transforms):
            mean = transform.inverse(mean)
        return mean
    if samples is None:
        raise ValueError(
            f"a {type(distribution).__name__} expected draws, since its mean has no closed form;"
            " found none: pass samples=distribution.sample((200,))."
        )
    return samples.mean(0)
