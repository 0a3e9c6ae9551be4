"""Errors of one number in the place of a density: what its mean is off by."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution
from torchmetrics import Metric

from seqmdn.linalg import doubled
from seqmdn.metrics.forecasts import point_of
from seqmdn.metrics.frames import counted_frames

__all__ = ["PointErrors", "explained_variance"]

_SUMS = ("count", "absolute error", "squared error", "value", "squared value")


class PointErrors(Metric):
    r"""Gathers errors of the mean of each density: absolute, squared, and the share explained.

    .. math:: \text{mae} = \frac1N \sum_n |y_n - m_n|, \quad
        \text{rmse} = \Big(\frac1N \sum_n (y_n - m_n)^2\Big)^{1/2}, \quad
        R^2 = 1 - \frac{\sum_n (y_n - m_n)^2}{\sum_n (y_n - \bar y)^2}

    Of each feature over all frames that count, where it was observed. The mean is the guess of the
    least squared error; where a density has several modes, it may lie where nothing ever is.

    Args:
        features: D.

    Example:
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> errors = PointErrors(features=1)
        >>> normal = LowRankPrecisionNormal(torch.tensor([[1.0], [3.0]]), torch.ones(2, 1))
        >>> errors.update(normal, torch.tensor([[0.0], [4.0]]))
        >>> {name: found.tolist() for name, found in errors.compute().items()}
        {'mae': 1.0, 'rmse': 1.0, 'r2': 0.75}
    """

    is_differentiable = False
    full_state_update = False
    sums: Tensor  # (5, D)

    def __init__(self, features: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        zeros = doubled(torch.zeros(len(_SUMS), features))
        self.add_state("sums", default=zeros, dist_reduce_fx="sum")

    def update(
        self,
        distribution: Distribution,
        value: Tensor,
        mask: Tensor | None = None,
        samples: Tensor | None = None,
        observed: Tensor | None = None,
    ) -> None:
        """Adds a batch of sequences.

        Args:
            distribution: of batch shape (B, *time) and event shape (D,), in the unit of the value.
            value: what was observed, (B, *time, D).
            mask: boolean (B, *time), True where a frame counts.
            samples: draws (S, B, *time, D), where the mean has no closed form.
            observed: boolean (B, *time, D), False where a feature is missing; every one is there by
                default.

        Raises:
            ValueError: If shapes do not fit, a frame that counts holds NaN where it was observed,
                or draws are needed and there are none.
        """
        value, mask, observed = counted_frames(distribution, value, mask, observed)
        counts = mask.unsqueeze(-1).expand_as(value)
        counts = counts if observed is None else counts & observed
        value = doubled(value).where(counts, 0)
        error = value - doubled(point_of(distribution, samples)).where(counts, 0)
        parts = (counts.to(value), error.abs(), error.square(), value, value.square())
        self.sums += torch.stack([part.flatten(0, -2).sum(0) for part in parts])

    def compute(self) -> dict[str, Tensor]:
        """Returns ``mae``, ``rmse`` and ``r2``, each (D,), () of one feature, NaN without values.

        The last is NaN, too, of one whose values are all the same, of which nothing can be
        explained.
        """
        count, absolute, squared, total, power = self.sums
        return {
            "mae": absolute / count,
            "rmse": (squared / count).sqrt(),
            "r2": _explained(count, squared, total, power),
        }

    def overall(self) -> dict[str, float]:
        """Returns the three as one number each: errors over all values, R² a mean over features."""
        count, absolute, squared, _, _ = self.sums.sum(1)
        return {
            "mae": float(absolute / count),
            "rmse": float((squared / count).sqrt()),
            "r2": float(torch.nanmean(self.compute()["r2"])),
        }


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
    value, squared_error = value.double(), squared_error.double().where(known, 0).sum(0)
    # A feature far from 0 must not lose its spread to rounding.
    centred = (value - value.nanmean(0)).where(known, 0)
    return _explained(known.sum(0), squared_error, centred.sum(0), centred.square().sum(0)).float()


def _explained(count: Tensor, squared_error: Tensor, total: Tensor, power: Tensor) -> Tensor:
    """Returns R² of sums: of squared errors, of values and of their squares."""
    spread = power - total.square() / count
    # What rounding leaves of equal values is no spread.
    return (1 - squared_error / spread).where(spread > 1e-12 * power, torch.nan)
