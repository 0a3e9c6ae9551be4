"""One number in the place of a density: its mean, which squared error asks for, and its median."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution

from seqmdn.metrics.draws import check_samples
from seqmdn.metrics.marginals import Marginals
from seqmdn.metrics.point import point_of

__all__ = ["PointForecast", "explained_variance", "point_forecast"]


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


def explained_variance(squared_error: Tensor, value: Tensor) -> Tensor:
    r"""Returns R² of each feature, (D,), of errors and values (N, D), NaN where missing.

    .. math:: R^2 = 1 - \sum_n (y_n - \hat y_n)^2 / \sum_n (y_n - \bar y)^2

    1 is a forecast without error, 0 one as good as the mean of these values; below 0 it is worse.
    NaN of a feature that is constant.

    Example:
        >>> value = torch.tensor([[1.0], [2.0], [3.0]])
        >>> explained_variance(torch.full((3, 1), 0.5), value)
        tensor([0.2500])
    """
    known = ~value.isnan()
    # A feature far from 0 must not lose its spread to rounding.
    value, squared_error = value.double(), squared_error.double().where(known, 0)
    spread = (value - value.nanmean(0)).square().where(known, 0).sum(0)
    found = 1 - squared_error.sum(0) / spread
    return found.where(spread > 0, torch.nan).float()
