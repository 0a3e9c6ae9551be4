"""How a mixture uses its components on real frames."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from seqmdn.distributions import Flowed

__all__ = ["DEAD", "MeanResponsibility"]

DEAD = 0.05  # of an equal share 1 / K


class MeanResponsibility:
    r"""Averages the responsibilities of a mixture's components over frames.

    .. math:: \bar r_k = \frac1N \sum_n p(k \mid y_n)

    A component of less than a twentieth of an equal share, 1 / K, is called dead. The effective
    number is :math:`\exp(-\sum_k \bar r_k \log \bar r_k)`: K where all are used alike, 1 where one
    does everything.

    Example:
        >>> from torch.distributions import Categorical
        >>> from seqmdn.distributions import LowRankPrecisionNormal, Mixture
        >>> two = LowRankPrecisionNormal(torch.tensor([[-9.0], [9.0]]), torch.ones(2, 1))
        >>> use = MeanResponsibility()
        >>> mixture = Mixture(Categorical(logits=torch.zeros(4, 2)), two.expand((4, 2)))
        >>> use.update(mixture, torch.full((4, 1), 9.0), torch.ones(4, dtype=torch.bool))
        >>> use.compute()
        {'responsibility': [0.0, 1.0], 'weight': [0.5, 0.5], 'dead': 1, 'of': 2, 'effective': 1.0}
    """

    def __init__(self) -> None:
        self._responsibility: Tensor | None = None
        self._weight: Tensor | None = None
        self._frames = 0

    def update(self, distribution: Distribution, value: Tensor, mask: Tensor) -> None:
        """Adds frames (*batch, D), of which those count where the mask (*batch) is True.

        Does nothing where the distribution has no components.
        """
        if not _has_components(distribution):
            return
        known: Any = distribution
        responsibility = known.responsibilities(value)[mask].double().sum(0)  # (K,) or (D, K)
        weight = known.mixture_distribution.probs[mask].double().sum(0)
        if self._responsibility is not None and self._weight is not None:
            responsibility += self._responsibility
            weight += self._weight
        self._responsibility, self._weight = responsibility, weight
        self._frames += int(mask.sum())

    def compute(self) -> dict[str, Any] | None:
        """Returns plain values, None where there are no components.

        ``responsibility`` and ``weight``, the mean of what each component explained and of what it
        was expected to, (K,), sorted by neither; of a mixture a feature, their mean over features.
        ``dead`` components of how many (``of``), and the ``effective`` number of a mixture.
        """
        if self._responsibility is None or self._weight is None:
            return None
        share = (self._responsibility / self._frames).reshape(-1, self._responsibility.shape[-1])
        weight = (self._weight / self._frames).reshape(share.shape)
        count = share.shape[-1]
        entropy = -torch.special.xlogy(share, share).sum(-1)
        return {
            "responsibility": [round(each, 6) for each in share.mean(0).tolist()],
            "weight": [round(each, 6) for each in weight.mean(0).tolist()],
            "dead": int((share < DEAD / count).sum()),
            "of": share.numel(),
            "effective": round(float(entropy.exp().mean()), 4),
        }


def _has_components(distribution: Any) -> bool:
    while isinstance(distribution, Flowed):
        distribution = distribution.base
    return hasattr(distribution, "responsibilities")
