"""How narrow the intervals are that a density gives."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from seqmdn.metrics.coverage import check_levels
from seqmdn.metrics.draws import DrawnMean
from seqmdn.metrics.marginals import Marginals

__all__ = ["Sharpness", "central_interval"]


def central_interval(
    distribution: Distribution, level: float, samples: Tensor | None = None, exact: bool = True
) -> tuple[Tensor, Tensor]:
    r"""Returns the borders of each feature's central interval, (*batch, D) each, in its unit.

    .. math:: \left[F_d^{-1}\left(\tfrac{1 - a}{2}\right), F_d^{-1}\left(\tfrac{1 + a}{2}\right)
        \right]

    By the quantile functions where they are known; else between order statistics of the draws, of
    rank :math:`(S + 1)(1 \pm a) / 2` with linear interpolation: exactly a of further draws lie
    between two of them of whole rank.

    Args:
        distribution: of batch shape (*batch) and event shape (D,).
        level: a, strictly between 0 and 1.
        samples: draws (S, *batch, D), used where the quantile functions are not known.
        exact: whether to use them where they are known. They are searched for, which of many
            features takes longer than all else.

    Raises:
        ValueError: If the level is outside (0, 1), or there are no draws, or too few, where they
            are needed.

    Example:
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> central_interval(LowRankPrecisionNormal(torch.zeros(1), torch.ones(1)), 0.95)
        (tensor([-1.9600]), tensor([1.9600]))
    """
    check_levels([level])
    lower, upper = 0.5 * (1 - level), 0.5 * (1 + level)
    marginals = Marginals.of(distribution) if exact else None
    if marginals is not None:
        return marginals.icdf(torch.tensor(lower)), marginals.icdf(torch.tensor(upper))
    count = 0 if samples is None else len(samples)
    needed = math.ceil(round(1 / lower, 9)) - 1
    if samples is None or count < needed:
        raise ValueError(
            f"the {level:g} interval of a {type(distribution).__name__} expected at least"
            f" {needed} draws, since quantiles are not known; found {count}:"
            " pass samples=distribution.sample((200,))."
        )
    order = samples.sort(dim=0).values
    return _at(order, lower * (count + 1) - 1), _at(order, upper * (count + 1) - 1)


class Sharpness(DrawnMean):
    """Averages the width of each feature's central interval, in the unit of the data.

    Of two calibrated densities the sharper one says more; a sharp one that is not calibrated says
    too much. See `central_interval` for what is exact.

    Args:
        features: D.
        level: of the interval, strictly between 0 and 1.
        draws: S, where draws are needed and none are handed over.
        seed: decides the draws.
        exact: as of `central_interval`.

    Example:
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> metric = Sharpness(features=2, level=0.95)
        >>> precision = torch.tensor([1.0, 0.25]).expand(5, 2)
        >>> normal = LowRankPrecisionNormal(torch.zeros(5, 2), precision)
        >>> metric.update(normal, torch.zeros(5, 2))
        >>> metric.compute()
        tensor([3.9199, 7.8399])
    """

    higher_is_better = False

    def __init__(
        self,
        features: int,
        level: float = 0.9,
        draws: int = 200,
        seed: int = 0,
        exact: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(features, draws, seed, **kwargs)
        self.exact = exact
        (self.level,) = check_levels([level])

    def update(  # type: ignore[override]
        self,
        distribution: Distribution,
        value: Tensor,
        mask: Tensor | None = None,
        samples: Tensor | None = None,
        observed: Tensor | None = None,
    ) -> None:
        """Adds a batch of sequences, whose values (B, *time, D) say no more than where NaN is.

        Arguments and errors are those of :meth:`CRPS.update`. The width of an interval does not
        depend on what was observed, so missing features have theirs, too.
        """
        known = self.exact and Marginals.of(distribution) is not None
        value, mask, samples, _ = self._prepare(
            distribution, value, mask, samples, observed, not known
        )
        low, high = central_interval(distribution, self.level, samples, self.exact)
        super().update(high - low, mask)


def _at(order: Tensor, place: float) -> Tensor:
    """Returns what lies at a place, counted from 0, between two neighbours in order."""
    place = max(place, 0.0)
    below = min(int(place), len(order) - 2)
    return torch.lerp(order[below], order[below + 1], place - below)
