"""Errors of a single guess: what a density's mean is off by."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution
from torchmetrics import Metric

from seqmdn.linalg import doubled
from seqmdn.metrics.frames import counted_frames
from seqmdn.metrics.marginals import Marginals

__all__ = ["PointErrors", "point_of"]

_SUMS = ("count", "absolute error", "squared error", "value", "squared value")


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
        spread = power - total.square() / count
        # What rounding leaves of equal values is no spread.
        known = spread > 1e-12 * power
        return {
            "mae": absolute / count,
            "rmse": (squared / count).sqrt(),
            "r2": (1 - squared / spread).where(known, torch.nan),
        }

    def overall(self) -> dict[str, float]:
        """Returns the three as one number each: errors over all values, R² a mean over features."""
        count, absolute, squared, _, _ = self.sums.sum(1)
        return {
            "mae": float(absolute / count),
            "rmse": float((squared / count).sqrt()),
            "r2": float(torch.nanmean(self.compute()["r2"])),
        }
