"""How often intervals and regions hold what was observed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from seqmdn.metrics.draws import check_samples, randomised_rank
from seqmdn.metrics.frames import FrameMean, observed_mean

__all__ = [
    "Coverage",
    "central_level",
    "check_levels",
    "highest_density_level",
    "log_prob_of_draws",
]

_VALUES = 2**18  # numbers whose density is taken at a time


def central_level(u: Tensor) -> Tensor:
    """Returns the level of the smallest central interval that holds an observation.

    Args:
        u: probability integral transforms, any shape; see :func:`seqmdn.metrics.pit`.

    Example:
        >>> central_level(torch.tensor([0.5, 0.05, 0.95]))
        tensor([0.0000, 0.9000, 0.9000])
    """
    return (2 * u - 1).abs()


def highest_density_level(
    distribution: Distribution,
    value: Tensor,
    samples: Tensor,
    observed: Tensor | None = None,
    densities: Tensor | None = None,
) -> Tensor:
    r"""Returns the level of the smallest highest-density region that holds a frame, (*batch,).

    .. math:: P\left(p(x) > p(y)\right), \quad x \sim p

    A region of level a is the smallest of probability a: where the density exceeds some bound.
    Estimated by :math:`(k + U) / (S + 1)` of k draws whose density exceeds that of y, U uniform:
    exactly uniform where y is drawn from p too, so that a coverage of it has no bias there; the
    error of a single one is of the order of :math:`\sqrt{a (1 - a) / S}`. The region depends on the
    unit in which p is a density, unless the change of unit is affine.

    Args:
        distribution: of batch shape (*batch) and event shape (D,).
        value: what was observed, (*batch, D).
        samples: draws (S, *batch, D). U comes from torch's own random numbers.
        observed: boolean (*batch, D), False where a feature is missing. The region is then that of
            the marginal of the others, by ``log_prob(value, observed)`` of the distribution; NaN
            where nothing was observed.
        densities: `log_prob_of_draws` of these draws, (S, *batch), where they are known already.

    Raises:
        ValueError: If shapes do not fit.
        NotImplementedError: If features are missing and the distribution has no marginals.

    References:
        Computing and Graphing Highest Density Regions, Rob J. Hyndman, 1996.

    Example:
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> normal = LowRankPrecisionNormal(torch.zeros(2), torch.ones(2))
        >>> frame = torch.tensor([0.0, 2.1460])  # P(chi^2_2 < 2.146^2) = 0.9
        >>> round(highest_density_level(normal, frame, normal.sample((9999,))).item(), 1)
        0.9
    """
    count = check_samples(samples, value, least=1)
    given: Any = distribution
    density = given.log_prob(value, *(() if observed is None else (observed,)))  # (*batch,)
    if densities is None:
        densities = log_prob_of_draws(distribution, samples, observed)
    denser = (densities > density).sum(0)
    # A density that is NaN exceeds nothing, and must not pass for the densest of all.
    known = ~density.isnan() if observed is None else observed.any(-1) & ~density.isnan()
    return randomised_rank(denser, count).where(known, torch.nan)


def log_prob_of_draws(
    distribution: Distribution, samples: Tensor, observed: Tensor | None = None
) -> Tensor:
    """Returns the log-density of each draw, (S, *batch), taken a few draws at a time.

    Args:
        distribution: of batch shape (*batch) and event shape (D,).
        samples: draws (S, *batch, D).
        observed: as of `highest_density_level`.

    Example:
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> normal = LowRankPrecisionNormal(torch.zeros(2), torch.ones(2))
        >>> log_prob_of_draws(normal, torch.zeros(3, 2))
        tensor([-1.8379, -1.8379, -1.8379])
    """
    given: Any = distribution
    seen = () if observed is None else (observed,)
    pieces = samples.split(max(1, _VALUES // max(1, samples[0].numel())))
    return torch.cat([given.log_prob(x, *seen) for x in pieces])


class Coverage(FrameMean):
    r"""Measures which share of observations the intervals, or regions, of given levels hold.

    A calibrated density covers a share a at level a. Less says that it is too sure of itself, more
    that it is not sure enough.

    Args:
        levels: L levels a, strictly between 0 and 1.

    Raises:
        ValueError: If there is no level or one is outside (0, 1).

    Example:
        >>> coverage = Coverage([0.5, 0.9])
        >>> coverage.update(torch.tensor([[[0.2], [0.7], [0.4], [0.95]]]))
        >>> coverage.compute()
        tensor([0.5000, 0.7500])
    """

    levels: tuple[float, ...]

    def __init__(self, levels: Sequence[float], **kwargs: Any) -> None:
        super().__init__(len(check_levels(levels)), **kwargs)
        self.levels = check_levels(levels)

    def update(
        self, needed: Tensor, mask: Tensor | None = None, observed: Tensor | None = None
    ) -> None:
        """Adds a batch of sequences.

        Args:
            needed: the smallest level that holds each observation, (B, *time, D), such as
                `central_level` gives, averaged over D; regions of whole frames have D = 1.
            mask: boolean (B, *time), True where a frame counts.
            observed: boolean (B, *time, D), False where there is no level, as of a feature that is
                missing. Every level that is there weighs the same.

        Raises:
            ValueError: If a level that counts is NaN or outside [0, 1], or shapes do not fit.
        """
        if needed.dim() < 2:
            raise ValueError(f"expected levels (B, *time, D); found {tuple(needed.shape)}.")
        wrong = ~((needed >= 0) & (needed <= 1))
        if mask is not None and mask.shape == needed.shape[:-1]:
            wrong = wrong & mask.unsqueeze(-1)
        if observed is not None:
            if observed.dtype != torch.bool or observed.shape != needed.shape:
                raise ValueError(
                    f"expected observed boolean {tuple(needed.shape)}; found {observed.dtype} of"
                    f" shape {tuple(observed.shape)}."
                )
            wrong = wrong & observed
        if bool(wrong.any()):
            raise ValueError(
                f"expected levels in [0, 1]; found {needed[wrong][0].item():g}"
                f" ({int(wrong.sum())} such values)."
            )
        levels = torch.tensor(self.levels, dtype=needed.dtype, device=needed.device)
        held = needed.unsqueeze(-1) <= levels  # (B, *time, D, L)
        share, weight = observed_mean(held.to(needed.dtype), observed)
        super().update(share, mask, weight)


def check_levels(levels: Sequence[float]) -> tuple[float, ...]:
    """Returns the levels as numbers.

    Raises:
        ValueError: If there is none or one is not strictly between 0 and 1.

    Example:
        >>> check_levels([0.5, 90])
        Traceback (most recent call last):
            ...
        ValueError: expected levels strictly between 0 and 1, such as 0.9; found [0.5, 90].
    """
    found = tuple(float(level) for level in levels)
    if not found or not all(0 < level < 1 for level in found):
        raise ValueError(
            "expected levels strictly between 0 and 1, such as 0.9; found"
            f" {[round(level, 6) for level in levels]}."
        )
    return found
