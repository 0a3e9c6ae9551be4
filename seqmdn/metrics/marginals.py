"""What is known exactly of each feature by itself."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution

from seqmdn.data import Chain, Identity, Logit, Standardise, Transform
from seqmdn.distributions import FactorisedMixture, Flowed, LowRankPrecisionNormal, Mixture
from seqmdn.metrics.ranked_probability import crps_mixture

__all__ = ["Marginals"]


@dataclass(frozen=True)
class Marginals:
    r"""The features' own distributions: Gaussian mixtures, each seen through an increasing map.

    .. math:: F_d(y_d) = \sum_k \pi_{dk} \Phi\left((f_d(y_d) - \mu_{dk}) / \sigma_{dk}\right)

    A :class:`Flowed` density has them where its map is one of the reversible transforms of data,
    which take each feature by itself. A flow that mixes features leaves no closed form.

    Args:
        mixture: the density of z = f(y).
        transforms: f, in the order in which y meets them.

    Example:
        >>> normal = LowRankPrecisionNormal(torch.zeros(1), torch.ones(1))
        >>> found = Marginals.of(Flowed(normal, Logit(1, low=0, high=2)))
        >>> found.cdf(torch.tensor([1.0])), found.icdf(torch.tensor(0.5)), found.scale
        (tensor([0.5000]), tensor([1.]), None)
    """

    mixture: Mixture | FactorisedMixture
    transforms: tuple[Transform, ...] = ()

    @classmethod
    def of(cls, distribution: Distribution) -> Marginals | None:
        """Returns the marginals of a density, or None where they have no closed form."""
        if isinstance(distribution, Mixture | FactorisedMixture):
            return cls(distribution)
        if isinstance(distribution, LowRankPrecisionNormal):
            return cls(_single(distribution))
        if not isinstance(distribution, Flowed):
            return None
        outer, inner = _elementwise(distribution.transform), cls.of(distribution.base)
        if outer is None or inner is None:
            return None
        return cls(inner.mixture, outer + inner.transforms)

    @property
    def scale(self) -> Tensor | None:
        """The slope of y in z, (D,), where the map is affine; None where it is not."""
        total = torch.ones(())
        for transform in self.transforms:
            if isinstance(transform, Standardise):
                total = total.to(transform.std) * transform.std
            elif not isinstance(transform, Identity):
                return None
        return total.expand(self.mixture.event_shape)

    def forward(self, value: Tensor) -> Tensor:
        """Returns z = f(y), of y (*sample, *batch, D), NaN where y is."""
        known = ~value.isnan()
        for transform in self.transforms:
            value, _ = transform.call_and_ladj(value, known)
        return value.where(known, torch.nan)

    def cdf(self, value: Tensor) -> Tensor:
        """Returns each feature's distribution function, (*batch, D), at values (*batch, D)."""
        return self.mixture.cdf(self.forward(value))

    def icdf(self, q: Tensor) -> Tensor:
        """Returns each feature's quantile in the unit of y, (*batch, D), at q."""
        value = self.mixture.icdf(q)
        for transform in reversed(self.transforms):
            value = transform.inverse(value)
        return value

    def crps(self, value: Tensor) -> Tensor:
        """Returns each feature's CRPS in the unit of y, (*batch, D), at values (*batch, D).

        Raises:
            ValueError: If the map is not affine, which leaves no closed form.
        """
        scale = self.scale
        if scale is None:
            raise ValueError(
                "expected an affine map for a CRPS in closed form; found"
                f" {', '.join(type(each).__name__ for each in self.transforms)}. Use crps_samples."
            )
        weights = self.mixture.mixture_distribution.probs
        components = self.mixture.component_distribution
        loc, deviation = components.loc, components.variance.sqrt()
        if isinstance(self.mixture, Mixture):
            weights, loc, deviation = weights.unsqueeze(-2), loc.mT, deviation.mT
        # each (*batch, D, K)
        return scale.to(loc.device) * crps_mixture(weights, loc, deviation, self.forward(value))


def _elementwise(transform: object) -> tuple[Transform, ...] | None:
    """Returns the increasing maps of single features that a map consists of, or None."""
    if isinstance(transform, Chain):
        parts = [_elementwise(each) for each in transform.transforms]
        if any(part is None for part in parts):
            return None
        return tuple(each for part in parts for each in part or ())
    return (transform,) if isinstance(transform, Identity | Logit | Standardise) else None


def _single(normal: LowRankPrecisionNormal) -> Mixture:
    """Returns the mixture of one component."""
    return Mixture(
        Categorical(logits=normal.loc.new_zeros((*normal.batch_shape, 1))),
        LowRankPrecisionNormal(
            normal.loc.unsqueeze(-2), normal.diagonal.unsqueeze(-2), normal.factor.unsqueeze(-3)
        ),
    )
