"""The factorised mixture: every feature has K components of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Size, Tensor
from torch.distributions import Categorical, Distribution, Normal, constraints

from seqmdn import linalg
from seqmdn.distributions.closed import ClosedDistribution
from seqmdn.distributions.entropy import EntropyBounds, entropy_bounds
from seqmdn.distributions.features import check_event, select_features, split_features
from seqmdn.distributions.gaussian import LowRankPrecisionNormal
from seqmdn.distributions.implicit import attach_univariate
from seqmdn.distributions.modes import highest, mean_shift
from seqmdn.distributions.moving import moved
from seqmdn.distributions.univariate import mixture_cdf, mixture_icdf
from seqmdn.distributions.weights import (
    check_weights,
    normalised_weights,
    tempered_weights,
    with_log_weights,
)

__all__ = ["FactorisedMixture"]


class FactorisedMixture(ClosedDistribution):
    r"""Defines independent features, each a mixture of K Gaussians of its own.

    .. math:: \log p(y) = \sum_d \log \sum_k
        \exp\left(\log \pi_{dk} + \log N(y_d; \mu_{dk}, \sigma_{dk}^2)\right)

    The form that World Models uses. Unlike `Mixture`, it knows no dependence between features.

    Args:
        mixture_distribution: the weights, of batch shape (*batch, D) over K.
        component_distribution: the Gaussians, of batch shape (*batch, D, K).
        validate_args: checks parameters and values; None follows torch's setting.

    Raises:
        TypeError: If the components are not `Normal`.
        ValueError: If shapes do not fit.

    References:
        World Models, David Ha and Jürgen Schmidhuber, 2018.

    Example:
        >>> weights = Categorical(logits=torch.zeros(3, 2))
        >>> normal = Normal(torch.tensor([-2.0, 2.0]).expand(3, 2), torch.ones(3, 2))
        >>> FactorisedMixture(weights, normal).log_prob(torch.full((3,), 2.0))  # 3 times -1.6118
        tensor(-4.8353)
    """

    arg_constraints: dict[str, constraints.Constraint] = {}

    def __init__(
        self,
        mixture_distribution: Categorical,
        component_distribution: Normal,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(component_distribution, Normal):
            raise TypeError(
                "component_distribution must be a Normal;"
                f" found {type(component_distribution).__name__}."
            )
        weights, components = mixture_distribution, component_distribution.batch_shape
        if len(components) < 2 or weights.param_shape != components:
            raise ValueError(
                "expected logits of mixture_distribution and component_distribution of one shape"
                f" (*batch, D, K); found {tuple(weights.param_shape)} and {tuple(components)}."
            )
        loc = linalg.widen(component_distribution.loc)
        dtype = torch.promote_types(linalg.widen(weights._param).dtype, loc.dtype)
        if Distribution._validate_args if validate_args is None else validate_args:
            check_weights(weights)
        self.mixture_distribution = with_log_weights(weights, dtype, validate_args)
        self.component_distribution = Normal(
            loc, linalg.widen(component_distribution.scale), validate_args=validate_args
        )
        *batch, features, _ = components
        super().__init__(Size(batch), Size([features]), validate_args=validate_args)

    @property
    def mean(self) -> Tensor:  # (*batch, D)
        return (self.mixture_distribution.probs * self.component_distribution.loc).sum(-1)

    @property
    def variance(self) -> Tensor:  # (*batch, D)
        spread = (self.component_distribution.loc - self.mean.unsqueeze(-1)).square()
        weights = self.mixture_distribution.probs
        return (weights * (self.component_distribution.variance + spread)).sum(-1)

    @property
    def covariance_matrix(self) -> Tensor:  # (*batch, D, D)
        """The dense covariance, diagonal."""
        return torch.diag_embed(self.variance)

    @property
    def mode(self) -> Tensor:  # (*batch, D)
        """The highest of `modes`, feature by feature."""
        places, log_density = self.modes()
        return highest(places.unsqueeze(-1), log_density).squeeze(-1)

    def modes(self) -> tuple[Tensor, Tensor]:
        """Returns the mode of each feature reached from the mean of each component by mean-shift.

        A frame with a mode of every feature is one of the joint density.

        Returns:
            The modes and each one's log-density in its feature, both (*batch, D, K). Not
            differentiable.
        """
        with torch.no_grad():
            places = mean_shift(*self._as_mixtures()).squeeze(-1)  # (*batch, D, K)
            joint = self._joint(places.movedim(-1, 0))  # (K, *batch, D, K)
            return places, torch.logsumexp(joint, dim=-1).movedim(0, -1)

    def entropy_bounds(self) -> EntropyBounds:
        """Returns a lower and an upper bound of the entropy in nats, each (*batch,).

        Sums over the features; formulas as in `seqmdn.distributions.entropy.entropy_bounds`.
        """
        lower, upper = entropy_bounds(*self._as_mixtures())  # (*batch, D)
        return EntropyBounds(lower.sum(-1), upper.sum(-1))

    def _log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        log_density = torch.logsumexp(self._joint(value), dim=-1)  # (*sample, *batch, D)
        return (log_density if mask is None else log_density.where(mask, 0)).sum(-1)

    def responsibilities(self, value: Tensor) -> Tensor:
        r"""Returns :math:`p(k \mid y_d)`, (*sample, *batch, D, K), of y (*sample, *batch, D)."""
        return torch.softmax(self._joint(self._checked(value, None)[0]), dim=-1)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Returns draws (*sample, *batch, D), each feature from one of its components."""
        with torch.no_grad():
            chosen = self.mixture_distribution.sample(Size(sample_shape)).unsqueeze(-1)
            shape = (*chosen.shape[:-1], self.component_distribution.batch_shape[-1])
            loc = self.component_distribution.loc.expand(shape).gather(-1, chosen)
            scale = self.component_distribution.scale.expand(shape).gather(-1, chosen)
            return (loc + scale * torch.randn_like(loc)).squeeze(-1)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Returns draws (*sample, *batch, D) whose gradients reach weights, means and deviations.

        By implicit reparametrisation; see `seqmdn.distributions.implicit`. First derivatives only.
        """
        return attach_univariate(self.sample(sample_shape), *self._univariate())

    def condition(self, values: Tensor, observed: Tensor) -> FactorisedMixture:
        """Returns the mixture over the unobserved features, which the observed ones do not change.

        Args:
            values: (*sample, *batch, D); only its shape is used.
            observed: a boolean mask (D,), True where known.

        Raises:
            ValueError: If the mask does not fit or marks every feature.
        """
        wanted, _ = split_features(observed, self.event_shape[0])
        check_event(values, self.event_shape[0], "values", self.batch_shape)
        batch = torch.broadcast_shapes(values.shape[:-1], self.batch_shape)
        return self.marginal(wanted).expand(batch)

    def marginal(self, features: Sequence[int]) -> FactorisedMixture:
        """Returns the mixture of some features, distinct indices 0 <= i < D, in the order given.

        Raises:
            ValueError: If an index is repeated or out of range, or there is none.
        """
        chosen = select_features(features, self.event_shape[0])
        components = self.component_distribution
        return FactorisedMixture(
            normalised_weights(self.mixture_distribution.logits[..., chosen, :]),
            Normal(components.loc[..., chosen, :], components.scale[..., chosen, :]),
            validate_args=self._validate_args,
        )

    def tempered(
        self, mixing: float | Tensor = 1.0, scale: float | Tensor = 1.0
    ) -> FactorisedMixture:
        r"""Returns the mixture of tempered weights, with variances times `scale`.

        The weights are :math:`\propto \pi_{dk}^{1/\text{mixing}}`. The temperature of World Models
        is both at once.

        Args:
            mixing: positive, a number or (*batch,).
            scale: positive, a number or (*batch,).

        Raises:
            ValueError: If one of them is not positive.
        """
        loc, deviation = self.component_distribution.loc, self.component_distribution.scale
        scale = torch.as_tensor(scale, dtype=loc.dtype, device=loc.device)
        if not bool((scale > 0).all()):
            raise ValueError(f"scale must be positive; found {scale}.")
        if isinstance(mixing, Tensor) and mixing.dim():
            mixing = mixing.unsqueeze(-1)
        return FactorisedMixture(
            tempered_weights(self.mixture_distribution, mixing),
            Normal(loc, deviation * scale.sqrt()[..., None, None]),
            validate_args=self._validate_args,
        )

    def to(self, target: torch.device | torch.dtype | str) -> FactorisedMixture:
        """Returns the mixture on another device or in another dtype, at least float32.

        Raises:
            TypeError: If the dtype is not a floating-point one.
        """
        log_weights, loc, scale = (moved(p, target) for p in self._univariate())
        return FactorisedMixture(
            Categorical(logits=log_weights, validate_args=self._validate_args),
            Normal(loc, scale, validate_args=self._validate_args),
            validate_args=self._validate_args,
        )

    def expand(
        self, batch_shape: Sequence[int], _instance: FactorisedMixture | None = None
    ) -> FactorisedMixture:
        new = self._get_checked_instance(FactorisedMixture, _instance)
        shape = Size((*batch_shape, *self.event_shape))
        new.mixture_distribution = self.mixture_distribution.expand(shape)
        components = self.component_distribution
        new.component_distribution = components.expand(Size((*shape, components.batch_shape[-1])))
        super(FactorisedMixture, new).__init__(
            Size(batch_shape), self.event_shape, validate_args=False
        )
        new._validate_args = self._validate_args
        return new

    def __repr__(self) -> str:
        return (
            f"FactorisedMixture(components={self.component_distribution.batch_shape[-1]},"
            f" batch_shape={tuple(self.batch_shape)}, event_shape={tuple(self.event_shape)})"
        )

    @linalg.full_precision
    def _joint(self, value: Tensor) -> Tensor:
        """Returns log pi_dk + log N_dk(y_d), (*sample, *batch, D, K)."""
        loc, scale = self.component_distribution.loc, self.component_distribution.scale
        standard = (value.unsqueeze(-1) - loc) / scale
        constant = 0.5 * math.log(2 * math.pi)
        return self.mixture_distribution.logits - scale.log() - 0.5 * standard.square() - constant

    def _as_mixtures(self) -> tuple[Tensor, LowRankPrecisionNormal]:
        """Returns log-weights (*batch, D, K) and components (*batch, D, K) of one feature each."""
        log_weights, loc, scale = (p.unsqueeze(-1) for p in self._univariate())
        return log_weights.squeeze(-1), LowRankPrecisionNormal(
            loc, scale.square().reciprocal(), validate_args=False
        )

    def _rosenblatt(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        return mixture_cdf(value, *self._univariate())  # no feature depends on another

    def _inverse_rosenblatt(self, u: Tensor) -> Tensor:
        return mixture_icdf(u, *self._univariate())

    def _univariate(self) -> tuple[Tensor, Tensor, Tensor]:
        components = self.component_distribution  # (*batch, D, K)
        return self.mixture_distribution.logits, components.loc, components.scale
