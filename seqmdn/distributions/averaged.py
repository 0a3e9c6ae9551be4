"""The mean of several densities of the same frames: what an ensemble says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Size, Tensor
from torch.distributions import Distribution
from torch.nn import functional as F

from seqmdn.distributions.gaussian import LowRankPrecisionNormal
from seqmdn.distributions.mixture import Mixture
from seqmdn.distributions.open import OpenDistribution
from seqmdn.distributions.weights import normalised_weights

__all__ = ["Averaged", "average"]


def average(distributions: Sequence[Distribution]) -> Distribution:
    r"""Returns the distribution of density :math:`\frac1M \sum_m p_m(y)`.

    Of `Mixture`s of K components it is one `Mixture` of MK, so that conditionals, marginals,
    quantiles and all else stay exact; of others it is `Averaged`; of one, that one.

    Args:
        distributions: M of one batch shape (*batch) and one event shape (D,).

    Raises:
        ValueError: If there are none, or their shapes differ.

    Example:
        >>> from torch.distributions import Categorical
        >>> def mixture(mean):
        ...     normals = LowRankPrecisionNormal(torch.full((2, 1), mean), torch.ones(2, 1))
        ...     return Mixture(Categorical(logits=torch.zeros(2)), normals)
        >>> average([mixture(0.0), mixture(4.0)]).mean
        tensor([2.])
    """
    shapes = [(tuple(each.batch_shape), tuple(each.event_shape)) for each in distributions]
    if not shapes or len(set(shapes)) > 1:
        raise ValueError(f"expected distributions of one shape, one at least; found {shapes}.")
    if len(distributions) == 1:
        return distributions[0]
    mixtures = [each for each in distributions if isinstance(each, Mixture)]
    return _joined(mixtures) if len(mixtures) == len(shapes) else Averaged(distributions)


class Averaged(OpenDistribution):
    r"""Defines frames whose density is the mean of others: a draw is one of any of them, by chance.

    .. math:: \log p(y) = \log \sum_m p_m(y) - \log M

    Args:
        members: the M distributions, of one batch shape (*batch) and event shape (D,).
        validate_args: kept for torch; the members follow their own.

    Raises:
        ValueError: If there are none, or their shapes differ.

    Example:
        >>> def normal(mean):
        ...     return LowRankPrecisionNormal(torch.tensor([mean]), torch.ones(1))
        >>> both = Averaged([normal(-1.0), normal(1.0)])
        >>> both.log_prob(torch.tensor([0.0])), both.mean, both.variance
        (tensor(-1.4189), tensor([0.]), tensor([2.]))
    """

    without_formula = "{} of averaged densities is not offered. Take it of draws of sample()."
    tied = "move the model and its input to the device, and make the distribution again."

    def __init__(self, members: Sequence[Distribution], validate_args: bool | None = None) -> None:
        self.members: list[Any] = list(members)
        shapes = [(tuple(each.batch_shape), tuple(each.event_shape)) for each in self.members]
        if not shapes or len(set(shapes)) > 1:
            raise ValueError(f"expected members of one shape, one at least; found {shapes}.")
        batch, event = map(Size, shapes[0])
        super().__init__(batch, event, validate_args=validate_args)

    def log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns the log-density in nats (*sample, *batch) of values (*sample, *batch, D).

        Args:
            value: (*sample, *batch, D).
            mask: boolean, True where a feature was observed, where the members take one.

        Raises:
            ValueError: If the shape does not fit, or a member refuses its value.
        """
        seen = () if mask is None else (mask,)
        each = torch.stack([member.log_prob(value, *seen) for member in self.members])
        return each.logsumexp(0) - math.log(len(self.members))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Returns draws (*sample, *batch, D), each from a member chosen by chance."""
        with torch.no_grad():
            drawn = torch.stack([member.sample(Size(sample_shape)) for member in self.members])
            chosen = torch.randint(len(self.members), drawn.shape[1:-1], device=drawn.device)
            index = chosen[None, ..., None].expand(1, *drawn.shape[1:])
            return drawn.gather(0, index).squeeze(0)

    @property
    def mean(self) -> Tensor:  # type: ignore[override]  # (*batch, D)
        return torch.stack([member.mean for member in self.members]).mean(0)

    @property
    def variance(self) -> Tensor:  # type: ignore[override]  # (*batch, D)
        means = torch.stack([member.mean for member in self.members])
        within = torch.stack([member.variance for member in self.members]).mean(0)
        return within + means.var(0, correction=0)

    @property
    def covariance_matrix(self) -> Tensor:  # (*batch, D, D)
        """The dense covariance: the mean of the members' plus the covariance of their means."""
        within = torch.stack([member.covariance_matrix for member in self.members]).mean(0)
        spread = torch.stack([member.mean for member in self.members]) - self.mean
        return within + torch.einsum("m...i,m...j->...ij", spread, spread) / len(self.members)

    def cdf(self, value: Tensor) -> Tensor:  # type: ignore[override]
        """Returns each feature's own distribution function, (*batch, D), where members know it."""
        return torch.stack([member.cdf(value) for member in self.members]).mean(0)

    def tempered(self, mixing: float | Tensor = 1.0, scale: float | Tensor = 1.0) -> Averaged:
        """Returns the average of the tempered members (:meth:`Mixture.tempered`).

        Raises:
            ValueError: If one of the temperatures is not positive.
        """
        return Averaged([each.tempered(mixing=mixing, scale=scale) for each in self.members])

    def expand(self, batch_shape: Sequence[int], _instance: Averaged | None = None) -> Averaged:
        new = self._get_checked_instance(Averaged, _instance)
        new.members = [member.expand(Size(batch_shape)) for member in self.members]
        super(Averaged, new).__init__(Size(batch_shape), self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.members))})"


def _joined(mixtures: list[Mixture]) -> Mixture:
    """Returns the mixture of all their components."""
    components = [each.component_distribution for each in mixtures]
    rank = max(each.rank for each in components)
    logits = [each.mixture_distribution.logits for each in mixtures]
    return Mixture(
        normalised_weights(torch.cat(logits, dim=-1) - math.log(len(mixtures))),
        LowRankPrecisionNormal(
            torch.cat([each.loc for each in components], dim=-2),
            torch.cat([each.diagonal for each in components], dim=-2),
            torch.cat([F.pad(each.factor, (0, rank - each.rank)) for each in components], dim=-3),
        ),
    )
