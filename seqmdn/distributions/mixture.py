"""The joint mixture: one set of weights for a whole frame."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Size, Tensor
from torch.distributions import Categorical, Distribution, MixtureSameFamily

from seqmdn import linalg
from seqmdn.distributions.closed import ClosedDistribution
from seqmdn.distributions.density import mixture_log_prob
from seqmdn.distributions.entropy import EntropyBounds, entropy_bounds
from seqmdn.distributions.features import check_event, split_features
from seqmdn.distributions.gaussian import LowRankPrecisionNormal
from seqmdn.distributions.implicit import attach
from seqmdn.distributions.modes import highest, mean_shift
from seqmdn.distributions.moving import moved
from seqmdn.distributions.rosenblatt import inverse_rosenblatt, rosenblatt
from seqmdn.distributions.weights import check_weights, tempered_weights, with_log_weights

__all__ = ["Mixture"]


class Mixture(ClosedDistribution, MixtureSameFamily):
    r"""Defines a joint mixture of K Gaussians: one set of weights :math:`\pi` for the whole frame.

    .. math:: \log p(y) = \log \sum_k \exp\left(\log \pi_k + \log N(y; \mu_k, \Lambda_k^{-1})\right)

    Computed in log space. Conditionals and marginals are mixtures again, exactly, weights included.

    Args:
        mixture_distribution: the weights, of batch shape (*batch) over K.
        component_distribution: the Gaussians, of batch shape (*batch, K) and event shape (D,).
        validate_args: checks parameters and values; None follows torch's setting.

    `sample` draws the component first; `rsample` gives the same draws with gradients of weights,
    means and precisions, for a loss that has draws in it. To fit data, `log_prob` is cheaper.

    Raises:
        TypeError: If the components are not `LowRankPrecisionNormal`.
        ValueError: If batch shapes do not fit.

    References:
        Mixture Density Networks, Christopher M. Bishop, 1994.

    Example:
        >>> components = LowRankPrecisionNormal(torch.tensor([[-2.0], [2.0]]), torch.ones(2, 1))
        >>> mixture = Mixture(Categorical(logits=torch.zeros(2)), components)
        >>> mixture.log_prob(torch.tensor([2.0])), mixture.variance
        (tensor(-1.6118), tensor([5.]))
        >>> mixture.responsibilities(torch.tensor([0.0]))
        tensor([0.5000, 0.5000])
    """

    support = ClosedDistribution.support  # torch's asks the components
    _component_distribution: LowRankPrecisionNormal

    def __init__(
        self,
        mixture_distribution: Categorical,
        component_distribution: LowRankPrecisionNormal,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(component_distribution, LowRankPrecisionNormal):
            raise TypeError(
                "component_distribution must be a LowRankPrecisionNormal, whose factor may be None;"
                f" found {type(component_distribution).__name__}."
            )
        weights, components = mixture_distribution, component_distribution
        misfit = (
            "expected logits of mixture_distribution and batch of component_distribution to be"
            f" (*batch, K), or to broadcast but for K; found {tuple(weights.param_shape)} and"
            f" {tuple(components.batch_shape)}."
        )
        if components.batch_shape[-1:] != weights.param_shape[-1:]:
            raise ValueError(misfit)
        try:
            batch = torch.broadcast_shapes(weights.batch_shape, components.batch_shape[:-1])
        except RuntimeError:
            raise ValueError(misfit) from None
        dtype = torch.promote_types(linalg.widen(weights._param).dtype, components.loc.dtype)
        if Distribution._validate_args if validate_args is None else validate_args:
            check_weights(weights)
        super().__init__(
            with_log_weights(weights, dtype, validate_args).expand(batch),
            components.expand((*batch, components.batch_shape[-1])),
            validate_args=validate_args,
        )

    @property
    def component_distribution(self) -> LowRankPrecisionNormal:
        """The Gaussians, of batch shape (*batch, K)."""
        return self._component_distribution

    @property
    def mean(self) -> Tensor:  # (*batch, D)
        return (
            self.mixture_distribution.probs.unsqueeze(-1) * self.component_distribution.loc
        ).sum(-2)

    @property
    def variance(self) -> Tensor:  # (*batch, D)
        spread = (self.component_distribution.loc - self.mean.unsqueeze(-2)).square()
        weights = self.mixture_distribution.probs.unsqueeze(-1)
        return (weights * (self.component_distribution.variance + spread)).sum(-2)

    @property
    @linalg.full_precision
    def covariance_matrix(self) -> Tensor:  # (*batch, D, D)
        """The dense covariance: the mean of the components' plus the covariance of their means."""
        weights = self.mixture_distribution.probs[..., None, None]
        within = (weights * self.component_distribution.covariance_matrix).sum(-3)
        spread = self.component_distribution.loc - self.mean.unsqueeze(-2)  # (*batch, K, D)
        return within + spread.mT @ (weights.squeeze(-1) * spread)

    @property
    def mode(self) -> Tensor:  # (*batch, D)
        """The highest of `modes`."""
        return highest(*self.modes())

    def modes(self) -> tuple[Tensor, Tensor]:
        """Returns the mode reached from the mean of each component by mean-shift.

        Its cost, its limits and its source are those of `seqmdn.distributions.modes.mean_shift`.

        Returns:
            The modes (*batch, K, D) and their log-densities (*batch, K). Not differentiable.
        """
        places = mean_shift(self.mixture_distribution.logits, self.component_distribution)
        with torch.no_grad():
            return places, self.log_prob(places.movedim(-2, 0)).movedim(0, -1)

    def entropy_bounds(self) -> EntropyBounds:
        """Returns a lower and an upper bound of the entropy in nats, each (*batch,).

        Their formulas and source are those of `seqmdn.distributions.entropy.entropy_bounds`.
        """
        return entropy_bounds(self.mixture_distribution.logits, self.component_distribution)

    def _log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        log_weights, components = self.mixture_distribution.logits, self.component_distribution
        if mask is None:
            return mixture_log_prob(log_weights, *components._own, value)
        density = components._log_density_of_observed(value.unsqueeze(-2), mask.unsqueeze(-2))
        return torch.logsumexp(log_weights + density, dim=-1)

    def responsibilities(self, value: Tensor) -> Tensor:
        r"""Returns :math:`p(k \mid y)`, (*sample, *batch, K), of values (*sample, *batch, D)."""
        return torch.softmax(self._joint(value), dim=-1)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Returns draws (*sample, *batch, D), each from its one chosen component."""
        with torch.no_grad():
            chosen = self.mixture_distribution.sample(Size(sample_shape))  # (*sample, *batch)
            components = self.component_distribution
            return LowRankPrecisionNormal(
                _gather(components.loc, chosen, 1),
                _gather(components.diagonal, chosen, 1),
                _gather(components.factor, chosen, 2) if components.rank else None,
                validate_args=False,
            ).rsample()

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Returns draws (*sample, *batch, D) whose gradients reach weights, means and precisions.

        By implicit reparametrisation; see `seqmdn.distributions.implicit`. First derivatives only.
        """
        components = self.component_distribution
        return attach(self.sample(sample_shape), self.mixture_distribution.logits, components)

    def condition(self, values: Tensor, observed: Tensor) -> Mixture:
        r"""Returns the mixture of the unobserved features A, in their order, given the rest B.

        .. math:: p(y_A \mid y_B) = \sum_k \pi'_k N_k(y_A \mid y_B),
            \quad \pi'_k \propto \pi_k N_k(y_B)

        Args:
            values: (*sample, *batch, D); its unobserved entries are not read and may be NaN.
            observed: a boolean mask (D,), True where known. With no True, the mixture itself.

        Raises:
            ValueError: If the mask does not fit or marks every feature, or a value it marks is NaN.
        """
        _, known = split_features(observed, self.event_shape[0])
        check_event(values, self.event_shape[0], "values", self.batch_shape)
        values = linalg.widen(values).unsqueeze(-2)  # (*sample, *batch, 1, D)
        components = self.component_distribution.condition(values, observed)
        log_weights = self.mixture_distribution.logits
        if known:
            evidence = self.component_distribution.marginal(known).log_prob(values[..., known])
            log_weights = log_weights + evidence  # (*sample, *batch, K)
        return Mixture(
            Categorical(logits=log_weights, validate_args=self._validate_args),
            components,
            validate_args=self._validate_args,
        )

    def marginal(self, features: Sequence[int]) -> Mixture:
        """Returns the mixture of some features, distinct indices 0 <= i < D, in the order given.

        Raises:
            ValueError: If an index is repeated or out of range, or there is none.
        """
        components = self.component_distribution.marginal(features)
        return Mixture(self.mixture_distribution, components, validate_args=self._validate_args)

    def tempered(self, mixing: float | Tensor = 1.0, scale: float | Tensor = 1.0) -> Mixture:
        r"""Returns the mixture of tempered weights, with covariances times `scale`.

        The weights are :math:`\propto \pi_k^{1/\text{mixing}}`. With both equal to t, every
        weighted component is raised to the power 1/t, up to its normaliser. Below 1, draws are
        closer to the likeliest; above 1, more varied.

        Args:
            mixing: positive, a number or (*batch,).
            scale: positive, a number or (*batch,).

        Raises:
            ValueError: If one of them is not positive.
        """
        if isinstance(scale, Tensor) and scale.dim():
            scale = scale.unsqueeze(-1)
        return Mixture(
            tempered_weights(self.mixture_distribution, mixing),
            self.component_distribution.tempered(scale),
            validate_args=self._validate_args,
        )

    def to(self, target: torch.device | torch.dtype | str) -> Mixture:
        """Returns the mixture on another device or in another dtype, at least float32.

        Raises:
            TypeError: If the dtype is not a floating-point one.
        """
        logits = moved(self.mixture_distribution.logits, target)
        return Mixture(
            Categorical(logits=logits, validate_args=self._validate_args),
            self.component_distribution.to(target),
            validate_args=self._validate_args,
        )

    def expand(self, batch_shape: Sequence[int], _instance: Mixture | None = None) -> Mixture:
        new = self._get_checked_instance(Mixture, _instance)
        return super().expand(Size(batch_shape), _instance=new)

    def __repr__(self) -> str:
        components = self.component_distribution
        return (
            f"Mixture(components={components.batch_shape[-1]}, rank={components.rank},"
            f" batch_shape={tuple(self.batch_shape)}, event_shape={tuple(self.event_shape)})"
        )

    @linalg.full_precision
    def _joint(self, value: Tensor) -> Tensor:
        """Returns log pi_k + log N_k(y), (*sample, *batch, K)."""
        value, _ = self._checked(value, None)
        log_density = self.component_distribution._log_density(value.unsqueeze(-2))
        return self.mixture_distribution.logits + log_density

    def _rosenblatt(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        log_weights = self.mixture_distribution.logits
        return rosenblatt(value, log_weights, self.component_distribution, mask)

    def _inverse_rosenblatt(self, u: Tensor) -> Tensor:
        return inverse_rosenblatt(u, self.mixture_distribution.logits, self.component_distribution)

    def _univariate(self) -> tuple[Tensor, Tensor, Tensor]:
        log_weights = self.mixture_distribution.logits.unsqueeze(-2)  # (*batch, 1, K)
        components = self.component_distribution
        return log_weights, components.loc.mT, components.variance.sqrt().mT  # (*batch, D, K)


def _gather(parameter: Tensor, chosen: Tensor, event_dims: int) -> Tensor:
    """Returns the chosen component's parameter (*sample, *batch, *event) of (*batch, K, *event)."""
    event = parameter.shape[parameter.dim() - event_dims :]
    components = parameter.shape[parameter.dim() - event_dims - 1]
    index = chosen.reshape(*chosen.shape, *[1] * (event_dims + 1)).expand(*chosen.shape, 1, *event)
    parameter = parameter.expand(*chosen.shape, components, *event)
    return parameter.gather(chosen.dim(), index).squeeze(chosen.dim())
