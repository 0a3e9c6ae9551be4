"""Probability integral transforms: where in its predicted distribution an observation stands."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from seqmdn.distributions import Flowed
from seqmdn.metrics.draws import check_samples, randomised_rank
from seqmdn.metrics.marginals import Marginals

__all__ = ["pit", "rosenblatt_pit"]


def pit(distribution: Distribution, value: Tensor, samples: Tensor | None = None) -> Tensor:
    r"""Returns the probability integral transform of each feature, (*batch, D).

    .. math:: u_d = F_d(y_d)

    Uniform on (0, 1) where the density is the true one: of one feature, also independent from
    frame to frame. Increasing maps of single features leave it as it is, so it has no unit. Exact
    where the features' distribution functions are known; else :math:`(k + U) / (S + 1)` of k draws
    below y and U uniform, which is as uniform as the exact one, with an error of the order of
    :math:`\sqrt{u (1 - u) / S}` of its own.

    Args:
        distribution: of batch shape (*batch) and event shape (D,).
        value: what was observed, (*batch, D).
        samples: draws (S, *batch, D), used where the distribution functions are not known.

    NaN where the value is, as at a feature that is missing.

    Raises:
        ValueError: If draws are needed and none are given, or shapes do not fit.

    References:
        Present position and potential developments: some personal views: statistical theory: the
        prequential approach, A. Philip Dawid, 1984.
        Probabilistic forecasts, calibration and sharpness, T. Gneiting, F. Balabdaoui and
        A. Raftery, 2007.

    Example:
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> pit(LowRankPrecisionNormal(torch.zeros(2), torch.ones(2)), torch.tensor([0.0, 2.0]))
        tensor([0.5000, 0.9772])
    """
    marginals = Marginals.of(distribution)
    if marginals is not None:
        # Weights that sum to 1 but for rounding may exceed it by as little.
        return marginals.cdf(value).clamp(max=1)
    if samples is None:
        raise ValueError(
            f"a {type(distribution).__name__} expected draws, since its features' distribution"
            " functions are not known; found none: pass samples=distribution.sample((200,))."
        )
    count = check_samples(samples, value, least=1)
    return randomised_rank((samples < value).sum(0), count).where(~value.isnan(), torch.nan)


def rosenblatt_pit(
    distribution: Distribution, value: Tensor, observed: Tensor | None = None
) -> Tensor | None:
    r"""Returns the Rosenblatt transform of each frame, (*batch, D), or None where it is not known.

    .. math:: u_d = F(y_d \mid y_1, \dots, y_{d-1})

    Uniform on the whole cube where the density is the true one: unlike `pit`, it sees how features
    depend on each other.

    Args:
        distribution: of batch shape (*batch) and event shape (D,). It is known of a distribution
            that has a method ``rosenblatt(value, mask=None)`` and, where it is :class:`Flowed`,
            whose base has one: all of :mod:`seqmdn.distributions`, and any other that does.
        value: what was observed, (*batch, D).
        observed: boolean (*batch, D), False where a feature is missing. Each observed feature is
            then taken given the observed ones before it; the u of a missing one is NaN.

    Raises:
        NotImplementedError: If features are missing and a flow mixes them with the others.

    References:
        Remarks on a Multivariate Transformation, Murray Rosenblatt, 1952.

    Example:
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> normal = LowRankPrecisionNormal(torch.zeros(2), torch.ones(2), torch.ones(2, 1))
        >>> rosenblatt_pit(normal, torch.tensor([1.0, -0.5]))  # the second mean is -1/2, given 1
        tensor([0.8897, 0.5000])
    """
    known: Any = distribution
    if not _has_rosenblatt(known):
        return None
    u = known.rosenblatt(value) if observed is None else known.rosenblatt(value, observed)
    return u.clamp(max=1)


def _has_rosenblatt(distribution: Distribution) -> bool:
    """Says whether a distribution, and what lies beneath its maps, has the method."""
    if not hasattr(distribution, "rosenblatt"):
        return False
    return not isinstance(distribution, Flowed) or _has_rosenblatt(distribution.base)
