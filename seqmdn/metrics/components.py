"""Which components of a mixture do something, and which do the same."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from seqmdn.distributions import FactorisedMixture, Flowed, LowRankPrecisionNormal, Mixture
from seqmdn.distributions.divergence import bhattacharyya
from seqmdn.linalg import doubled
from seqmdn.metrics.frames import counted_frames

__all__ = ["DEAD", "SAME", "ComponentUse"]

DEAD = 0.05  # of an equal share 1 / K
SAME = 0.95

_PAIRS = 2**18  # pairs of Gaussians compared at a time


class ComponentUse:
    r"""Measures what each component of mixtures explains, and how much two overlap, over frames.

    .. math:: r_k = \frac1N \sum_n p(k \mid y_n), \qquad
        o_{jk} = \frac1N \sum_n \int \sqrt{N_j(y) N_k(y)} \, dy

    A component is *dead* where its mean responsibility r lies below a twentieth of an equal share,
    1 / K: it costs parameters and does nothing. Two that live are *the same* where their mean
    overlap o, the Bhattacharyya coefficient, lies above 0.95: together they are little more than
    one. Both say that fewer components would do. The effective number is
    :math:`\exp(-\sum_k r_k \log r_k)`: K where all are used alike, 1 where one does everything.

    References:
        On a Measure of Divergence between Two Statistical Populations Defined by their Probability
        Distributions, Anil Bhattacharyya, 1943.

    Example:
        >>> from torch.distributions import Categorical
        >>> loc = torch.tensor([[0.0], [0.0], [50.0]])
        >>> normals = LowRankPrecisionNormal(loc, torch.ones(3, 1))
        >>> mixture = Mixture(Categorical(logits=torch.zeros(3)), normals).expand((4,))
        >>> use = ComponentUse()
        >>> use.update(mixture, torch.zeros(4, 1))
        >>> found = use.compute()
        >>> found["responsibility"], found["dead"], found["same"], found["effective"]
        ([0.5, 0.5, 0.0], 1, [[0, 1, 1.0]], 2.0)
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._frames = 0

    @torch.no_grad()
    def update(self, distribution: Distribution, value: Tensor, mask: Tensor | None = None) -> None:
        """Adds whole frames; does nothing where the density is no mixture, or not below its flow.

        Args:
            distribution: of batch shape (*batch) and event shape (D,), in the unit of the value.
            value: what was observed, (*batch, D).
            mask: boolean (*batch), True where a frame counts.

        Raises:
            ValueError: If shapes do not fit, or the number of components is another than before.
        """
        value, mask, _ = counted_frames(distribution, value, mask, None)
        while isinstance(distribution, Flowed):
            value = distribution.transform(value)
            distribution = distribution.base
        if not isinstance(distribution, Mixture | FactorisedMixture):
            return
        parts = {
            "responsibility": distribution.responsibilities(value)[mask],  # (N, K) or (N, D, K)
            "weight": distribution.mixture_distribution.probs[mask],
        }
        sums = {name: doubled(part).sum(0) for name, part in parts.items()}
        if isinstance(distribution, Mixture):
            sums["overlap"] = _overlaps(distribution.component_distribution, mask)
        for name, found in sums.items():
            known = self._sums.get(name, torch.zeros_like(found))
            if known.shape != found.shape:
                raise ValueError(
                    f"expected mixtures of {known.shape[-1]} components, as before; found "
                    f"{found.shape[-1]}."
                )
            self._sums[name] = known + found
        self._frames += int(mask.sum())

    def compute(self) -> dict[str, Any] | None:
        """Returns plain values, None where there are no components.

        ``responsibility`` and ``weight``, the mean of what each component explained and of what it
        was expected to, (K,), of a mixture a feature the mean over features; how many are ``dead``
        of how many (``of``), and the ``effective`` number of a mixture; of joint mixtures also the
        numbers of those that ``died``, from 0, and pairs of the ``same`` with their overlap.
        """
        if not self._frames:
            return None
        share, weight = (self._sums[name] / self._frames for name in ("responsibility", "weight"))
        count = share.shape[-1]
        dead = share < DEAD / count
        entropy = -torch.special.xlogy(share, share).sum(-1)
        found: dict[str, Any] = {
            "responsibility": _rounded(share.reshape(-1, count).mean(0)),
            "weight": _rounded(weight.reshape(-1, count).mean(0)),
            "dead": int(dead.sum()),
            "of": share.numel(),
            "effective": round(float(entropy.exp().mean()), 4),
        }
        if "overlap" in self._sums:
            overlap = self._sums["overlap"] / self._frames
            alive = (~dead).nonzero().flatten().tolist()
            found["died"] = dead.nonzero().flatten().tolist()
            found["same"] = [
                [j, k, round(float(overlap[j, k]), 6)]
                for j in alive
                for k in alive
                if j < k and overlap[j, k] > SAME
            ]
        return found


def _rounded(values: Tensor) -> list[float]:
    return [round(each, 6) for each in values.tolist()]


def _overlaps(normals: LowRankPrecisionNormal, mask: Tensor) -> Tensor:  # (K, K)
    """Returns the sum over frames of the Bhattacharyya coefficients of all pairs."""
    count = normals.batch_shape[-1]
    columns = (
        part.flatten(0, -dims - 1)[mask.flatten()].split(max(1, _PAIRS // count**2))
        for part, dims in ((normals.loc, 2), (normals.diagonal, 2), (normals.factor, 3))
    )
    total = doubled(normals.loc.new_zeros(count, count))
    for loc, diagonal, factor in zip(*columns, strict=True):
        one, other = (
            LowRankPrecisionNormal(
                loc.unsqueeze(place),
                diagonal.unsqueeze(place),
                factor.unsqueeze(place),
                validate_args=False,
            )
            for place in (1, 2)
        )
        total += doubled(bhattacharyya(one, other).neg().exp().sum(0))
    return total
