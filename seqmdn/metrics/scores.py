"""Scores of densities by what was observed, averaged over frames."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.distributions import Distribution

from seqmdn.metrics.draws import DrawnMean
from seqmdn.metrics.energy import energy_score
from seqmdn.metrics.frames import observed_mean
from seqmdn.metrics.marginals import Marginals
from seqmdn.metrics.ranked_probability import crps_samples

__all__ = ["CRPS", "EnergyScore", "crps"]


def crps(distribution: Distribution, value: Tensor, samples: Tensor | None = None) -> Tensor:
    """Returns the CRPS of each feature, (*batch, D), in the unit of the value; smaller is better.

    In closed form where the features' own distributions are Gaussian mixtures in an affine scale
    (:class:`~seqmdn.distributions.Mixture` and the like, also after `Standardise`), and else of
    draws, without bias. It looks at each feature by itself and at no dependence between them.

    Args:
        distribution: of batch shape (*batch) and event shape (D,).
        value: what was observed, (*batch, D).
        samples: draws (S, *batch, D), used where there is no closed form.

    NaN where the value is, as at a feature that is missing.

    Raises:
        ValueError: If there is no closed form and no draws are given, or shapes do not fit.

    Example:
        >>> import torch
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> crps(LowRankPrecisionNormal(torch.zeros(1), torch.ones(1)), torch.zeros(1))
        tensor([0.2337])
    """
    marginals = Marginals.of(distribution)
    if marginals is not None and marginals.scale is not None:
        return marginals.crps(value)
    if samples is None:
        raise ValueError(
            f"a {type(distribution).__name__} expected draws, since its CRPS has no closed form;"
            " found none: pass samples=distribution.sample((200,))."
        )
    return crps_samples(samples, value)


class CRPS(DrawnMean):
    """Averages the CRPS over frames and features, in the unit of the data; smaller is better.

    Exact where it has a closed form (see `crps`), else of draws: `estimator` says which. Each frame
    has draws of its own, so the standard error contains their part. Where features are missing,
    every observed value weighs the same.

    Args:
        draws: S, where draws are needed and none are handed over.
        seed: decides the draws.

    Attributes:
        estimator: ``"exact"`` or ``"draws"``; None before the first update.

    Example:
        >>> import torch
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> metric = CRPS()
        >>> normal = LowRankPrecisionNormal(torch.zeros(5, 3), torch.ones(5, 3))
        >>> metric.update(normal, torch.zeros(5, 3))
        >>> metric.compute(), metric.stderr(), metric.estimator
        (tensor(0.2337), tensor(0.), 'exact')
    """

    estimator: str | None

    def __init__(self, draws: int = 200, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(draws=draws, seed=seed, **kwargs)
        self.estimator = None

    def update(  # type: ignore[override]
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
            samples: draws (S, B, *time, D), to share them with other metrics.
            observed: boolean (B, *time, D), False where a feature is missing; every one is there by
                default.

        Raises:
            ValueError: If shapes do not fit, or a frame that counts holds NaN where it was
                observed.
        """
        marginals = Marginals.of(distribution)
        exact = marginals is not None and marginals.scale is not None
        value, mask, samples, observed = self._prepare(
            distribution, value, mask, samples, observed, not exact
        )
        self.estimator = "exact" if exact else "draws"
        score, weight = observed_mean(crps(distribution, value, samples).unsqueeze(-1), observed)
        super().update(score.squeeze(-1), mask, weight)


class EnergyScore(DrawnMean):
    """Averages the energy score of draws over frames, in the unit of the data; smaller is better.

    Unlike the CRPS it sees the dependence between features. The estimator has no bias, and each
    frame has draws of its own, so the standard error contains their part. Where features are
    missing, a frame's score is that of the marginal of what was observed, and a frame of which
    nothing was does not count.

    Args:
        draws: S, where none are handed over.
        seed: decides the draws.

    Example:
        >>> import torch
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> metric = EnergyScore(draws=1000)
        >>> normal = LowRankPrecisionNormal(torch.zeros(9, 1), torch.ones(9, 1))
        >>> metric.update(normal, torch.zeros(9, 1))
        >>> round(metric.compute().item(), 1)  # at D = 1, the CRPS 0.2337
        0.2
    """

    def update(  # type: ignore[override]
        self,
        distribution: Distribution,
        value: Tensor,
        mask: Tensor | None = None,
        samples: Tensor | None = None,
        observed: Tensor | None = None,
    ) -> None:
        """Adds a batch of sequences; arguments and errors are those of :meth:`CRPS.update`."""
        value, mask, samples, observed = self._prepare(
            distribution, value, mask, samples, observed, True
        )
        assert samples is not None
        seen = None if observed is None else observed.any(-1)
        super().update(energy_score(samples, value, observed), mask, seen)
