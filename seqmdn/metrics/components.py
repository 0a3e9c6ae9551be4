"""Which components of a mixture do something, and which do the same."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution
from torchmetrics import Metric

from seqmdn.distributions import Flowed, LowRankPrecisionNormal, Mixture
from seqmdn.distributions.divergence import bhattacharyya
from seqmdn.linalg import doubled
from seqmdn.metrics.frames import counted_frames

__all__ = ["ComponentUse", "mixture_of"]

_PAIRS = 2**18  # pairs of Gaussians compared at a time


def mixture_of(distribution: Distribution) -> Mixture | None:
    """Returns the joint mixture that a density is or is made of, None where there is none.

    Under a flow it is that of the mapped frames, whose components are those of the frames.

    Example:
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> print(mixture_of(LowRankPrecisionNormal(torch.zeros(1), torch.ones(1))))
        None
    """
    while isinstance(distribution, Flowed):
        distribution = distribution.base
    return distribution if isinstance(distribution, Mixture) else None


class ComponentUse(Metric):
    r"""Measures what each component of mixtures is responsible for, and how much two overlap.

    .. math:: r_k = \frac1N \sum_n p(k \mid y_n), \qquad
        o_{jk} = \frac1N \sum_n \int \sqrt{N_j(y) N_k(y)} \, dy

    A component has *died* where its share r lies below a threshold: it costs parameters and does
    nothing. Two that live *sit on each other* where their mean overlap o, the Bhattacharyya
    coefficient, 1 for equals, lies above another: together they are little more than one. Both say
    that fewer components would do. The overlap is that of each context, averaged over frames.

    Args:
        components: K.
        died: share of a component below which it has died, of 1/K, which is an equal one.
        same: mean overlap above which two sit on each other.

    Raises:
        ValueError: If K is below 1 or a threshold is outside (0, 1).

    References:
        On a Measure of Divergence between Two Statistical Populations Defined by their Probability
        Distributions, Anil Bhattacharyya, 1943.

    Example:
        >>> from torch.distributions import Categorical
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> loc = torch.tensor([[0.0], [0.0], [50.0]])
        >>> normals = LowRankPrecisionNormal(loc, torch.ones(3, 1))
        >>> mixture = Mixture(Categorical(logits=torch.zeros(3)), normals).expand((4,))
        >>> use = ComponentUse(3)
        >>> use.update(mixture, torch.zeros(4, 1))
        >>> use.summary()
        {'share': [0.5, 0.5, 0.0], 'died': [2], 'same': [(0, 1, 1.0)]}
    """

    is_differentiable = False
    full_state_update = False
    shares: Tensor  # (K,)
    overlaps: Tensor  # (K, K)
    count: Tensor

    def __init__(
        self, components: int, died: float = 0.05, same: float = 0.95, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if components < 1 or not (0 < died < 1 and 0 < same < 1):
            raise ValueError(
                "expected components of 1 or more and thresholds inside (0, 1); found"
                f" {components}, died={died} and same={same}."
            )
        self.components = components
        self.died = died
        self.same = same
        K = components
        sizes = {"shares": (K,), "overlaps": (K, K), "count": ()}
        for name, size in sizes.items():
            self.add_state(name, default=doubled(torch.zeros(size)), dist_reduce_fx="sum")

    @torch.no_grad()
    def update(
        self,
        distribution: Distribution,
        value: Tensor,
        mask: Tensor | None = None,
        observed: Tensor | None = None,
    ) -> None:
        """Adds a batch of sequences.

        Args:
            distribution: a `Mixture` of K components or one under a flow, of batch shape (B, *time)
                and event shape (D,), in the unit of the value.
            value: what was observed, (B, *time, D).
            mask: boolean (B, *time), True where a frame counts.
            observed: boolean (B, *time, D), False where a feature is missing.

        Raises:
            ValueError: If the density is no mixture of K components, features are missing, or
                shapes do not fit.
        """
        mixture = mixture_of(distribution)
        found = None if mixture is None else mixture.component_distribution.batch_shape[-1]
        if mixture is None or found != self.components:
            raise ValueError(
                f"expected mixtures of {self.components} components; found "
                + (f"{found}." if found else f"a {type(distribution).__name__}.")
            )
        if observed is not None and not bool(observed.all()):
            raise ValueError(
                "expected whole frames; found some with missing features. Leave them out by the"
                " mask."
            )
        value, mask, _ = counted_frames(distribution, value, mask, None)
        while isinstance(distribution, Flowed):
            value = distribution.transform(value)
            distribution = distribution.base
        used = doubled(mixture.responsibilities(value)[mask])  # (N, K)
        self.shares += used.sum(0)
        self.count += len(used)
        normals = mixture.component_distribution
        loc, diagonal, factor = (
            part.flatten(0, -dims - 1)[mask.flatten()].split(max(1, _PAIRS // self.components**2))
            for part, dims in ((normals.loc, 2), (normals.diagonal, 2), (normals.factor, 3))
        )
        for parts in zip(loc, diagonal, factor, strict=True):
            self.overlaps += doubled(_overlaps(*parts))

    def compute(self) -> dict[str, Tensor]:
        """Returns ``share`` (K,) and ``overlap`` (K, K), means over the frames."""
        if not self.count:
            raise ValueError("no frames to average: call update before compute.")
        return {"share": self.shares / self.count, "overlap": self.overlaps / self.count}

    def summary(self) -> dict[str, Any]:
        """Returns plain values: ``share``, which have ``died``, and pairs of the ``same``.

        Of each pair the two components, from 0, and their overlap.
        """
        found = self.compute()
        share, overlap = found["share"], found["overlap"]
        dead = share < self.died / self.components
        alive = [k for k, each in enumerate(dead.tolist()) if not each]
        pairs = [(j, k, float(overlap[j, k])) for j in alive for k in alive if j < k]
        return {
            "share": share.tolist(),
            "died": dead.nonzero().flatten().tolist(),
            "same": [pair for pair in pairs if pair[2] > self.same],
        }


def _overlaps(loc: Tensor, diagonal: Tensor, factor: Tensor) -> Tensor:  # (N, K, D) ... -> (K, K)
    """Returns the sum over frames of the Bhattacharyya coefficients of all pairs."""

    def normal(place: int) -> LowRankPrecisionNormal:
        mean, precision, columns = (part.unsqueeze(place) for part in (loc, diagonal, factor))
        return LowRankPrecisionNormal(mean, precision, columns, validate_args=False)

    return bhattacharyya(normal(1), normal(2)).neg().exp().sum(0)
