"""The Gaussian whose precision is a diagonal plus a low rank."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Size, Tensor
from torch.distributions import Distribution, constraints

from seqmdn import linalg
from seqmdn.distributions.closed import ClosedDistribution
from seqmdn.distributions.density import gaussian_log_density, mixture_log_prob
from seqmdn.distributions.features import check_event, select_features, split_features
from seqmdn.distributions.missing import marginal_of_mask, missing_constant
from seqmdn.distributions.moving import moved
from seqmdn.distributions.parameters import check_parameters, common_shape
from seqmdn.distributions.rosenblatt import inverse_rosenblatt, rosenblatt
from seqmdn.linalg import doubled

__all__ = ["LowRankPrecisionNormal"]


class LowRankPrecisionNormal(ClosedDistribution):
    r"""Defines a Gaussian by mean and precision, :math:`\Lambda = \mathrm{diag}(d) + U U^\top`.

    .. math:: \log N(y; \mu, \Lambda^{-1}) = \tfrac12 \left(\log|\Lambda|
        - (y - \mu)^\top \Lambda (y - \mu) - D \log 2\pi\right)

    Costs O(D R + R^3): no D x D matrix is formed. Conditionals and marginals stay in the family.

    Args:
        loc: the mean :math:`\mu`, (*batch, D).
        diagonal: d, (*batch, D), positive: a precision, one over a variance where R = 0.
        factor: U, (*batch, D, R); None is R = 0, the diagonal Gaussian, and costs what that costs.
        validate_args: checks parameters and values; None follows torch's setting.

    Half-precision arguments are widened to float32, and autocast is off inside every method.

    Raises:
        ValueError: If shapes do not fit; with validation, if a parameter is NaN or a diagonal not
            positive.

    References:
        Gaussian Markov Random Fields: Theory and Applications, H. Rue and L. Held, 2005.

    Example:
        >>> gaussian = LowRankPrecisionNormal(torch.zeros(2), torch.ones(2), torch.ones(2, 1))
        >>> gaussian.log_prob(torch.zeros(2))  # log(3) / 2 - log(2 pi)
        tensor(-1.2886)
        >>> gaussian.covariance_matrix.mul(3)
        tensor([[ 2., -1.],
                [-1.,  2.]])
        >>> gaussian.condition(torch.tensor([1.0, 0.0]), torch.tensor([True, False])).loc
        tensor([-0.5000])
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "diagonal": constraints.independent(constraints.positive, 1),
        "factor": constraints.independent(constraints.real, 2),
    }

    def __init__(
        self,
        loc: Tensor,  # (*batch, D)
        diagonal: Tensor,  # (*batch, D)
        factor: Tensor | None = None,  # (*batch, D, R)
        validate_args: bool | None = None,
    ) -> None:
        if factor is None:
            factor = diagonal.new_zeros((*diagonal.shape, 0))
        batch_shape, features = common_shape(loc, diagonal, factor)
        # Not expanded: what is shared by many contexts has a gradient of its own size.
        self._own = linalg.widen(loc), linalg.widen(diagonal), linalg.widen(factor)
        loc, diagonal, factor = self._own
        self.loc = loc.expand(*batch_shape, features)
        self.diagonal = diagonal.expand(*batch_shape, features)
        self.factor = factor.expand(*batch_shape, features, factor.shape[-1])
        # torch's own check costs as much as a diagonal density and fails on an empty factor.
        super().__init__(batch_shape, Size([features]), validate_args=False)
        self._validate_args = (
            Distribution._validate_args if validate_args is None else validate_args
        )
        if self._validate_args:
            check_parameters(loc, diagonal, factor)

    @property
    def rank(self) -> int:
        """The rank R of the factor; 0 for a diagonal Gaussian."""
        return self.factor.shape[-1]

    @property
    def mean(self) -> Tensor:  # (*batch, D)
        return self.loc

    @property
    def mode(self) -> Tensor:  # (*batch, D)
        return self.loc

    @property
    def variance(self) -> Tensor:  # (*batch, D)
        return linalg.covariance_diagonal(self.diagonal, self.factor)

    @property
    def covariance_matrix(self) -> Tensor:  # (*batch, D, D)
        """The dense covariance."""
        return linalg.covariance_matrix(self.diagonal, self.factor)

    @property
    def precision_matrix(self) -> Tensor:  # (*batch, D, D)
        """The dense precision."""
        return linalg.precision_matrix(self.diagonal, self.factor)

    def _log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is not None:
            return self._log_density_of_observed(value, mask)
        loc, diagonal, factor = self._own
        return mixture_log_prob(  # a mixture of one
            loc.new_zeros(1), loc.unsqueeze(-2), diagonal.unsqueeze(-2), factor.unsqueeze(-3), value
        )

    def _log_density(self, value: Tensor) -> Tensor:
        return gaussian_log_density(self.loc, self.diagonal, self.factor, value)

    @linalg.full_precision
    def _log_density_of_observed(self, value: Tensor, mask: Tensor) -> Tensor:
        """Returns the log-density of the observed features of values with 0 in the others."""
        parameters = marginal_of_mask(self.loc, self.diagonal, self.factor, mask)
        density = LowRankPrecisionNormal(*parameters, validate_args=False)._log_density(value)
        return density + missing_constant(mask, density)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Returns differentiable draws (*sample, *batch, D)."""
        shape = self._extended_shape(Size(sample_shape))
        noise = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + linalg.colour(self.diagonal, self.factor, noise)

    def entropy(self) -> Tensor:
        """Returns the differential entropy in nats (*batch,)."""
        constant = 0.5 * self.event_shape[0] * (1 + math.log(2 * math.pi))
        return constant - 0.5 * linalg.log_determinant(self.diagonal, self.factor)

    def condition(self, values: Tensor, observed: Tensor) -> LowRankPrecisionNormal:
        r"""Returns the Gaussian of the unobserved features A, in their order, given the rest B.

        .. math:: \Lambda' = D_A + U_A U_A^\top, \quad
            \mu' = \mu_A - \Lambda'^{-1} U_A U_B^\top (y_B - \mu_B)

        Args:
            values: (*sample, *batch, D); its unobserved entries are not read and may be NaN.
            observed: a boolean mask (D,), True where known. With no True, the Gaussian itself.

        Raises:
            ValueError: If the mask does not fit or marks every feature, or a value it marks is NaN.
        """
        wanted, known = split_features(observed, self.event_shape[0])
        check_event(values, self.event_shape[0], "values", self.batch_shape)
        values = linalg.widen(values[..., known])  # (*sample, *batch, B)
        if self._validate_args and torch.isnan(values).any():
            raise ValueError(
                "values must not be NaN where observed is True; mark those as unobserved."
            )
        loc, diagonal, factor = self._take(wanted)
        weights = linalg.project(self.factor[..., known, :], values - self.loc[..., known])
        loc = loc - linalg.solve_factor(diagonal, factor, weights)
        return LowRankPrecisionNormal(loc, diagonal, factor, validate_args=self._validate_args)

    def marginal(self, features: Sequence[int]) -> LowRankPrecisionNormal:
        r"""Returns the Gaussian of the features A, in the order given, without the rest B.

        .. math:: \Lambda' = D_A + U_A M (U_A M)^\top, \quad
            M M^\top = \left(I_R + U_B^\top D_B^{-1} U_B\right)^{-1}

        Args:
            features: distinct indices, 0 <= i < D.

        Raises:
            ValueError: If an index is repeated or out of range, or there is none.
        """
        chosen = select_features(features, self.event_shape[0])
        rest = [i for i in range(self.event_shape[0]) if i not in set(chosen)]
        loc, diagonal, factor = self._take(chosen)
        if self.rank and rest:
            _, rest_diagonal, rest_factor = self._take(rest)
            cholesky = linalg.capacitance_cholesky(rest_diagonal, rest_factor)
            factor = linalg.solve_lower(cholesky, factor.mT).mT
        return LowRankPrecisionNormal(loc, diagonal, factor, validate_args=self._validate_args)

    def tempered(self, scale: float | Tensor = 1.0) -> LowRankPrecisionNormal:
        """Returns the Gaussian with its covariance multiplied by `scale`.

        Its density is this one's to the power 1/scale, renormalised.

        Args:
            scale: positive, a number or (*batch,).

        Raises:
            ValueError: If it is not positive.
        """
        scale = torch.as_tensor(scale, dtype=self.loc.dtype, device=self.loc.device)
        if not bool((scale > 0).all()):
            raise ValueError(f"scale must be positive; found {scale}.")
        diagonal = self.diagonal / scale.unsqueeze(-1)
        factor = self.factor * scale.rsqrt()[..., None, None]
        return LowRankPrecisionNormal(self.loc, diagonal, factor, validate_args=self._validate_args)

    def to(self, target: torch.device | torch.dtype | str) -> LowRankPrecisionNormal:
        """Returns the Gaussian on another device or in another dtype, at least float32.

        Raises:
            TypeError: If the dtype is not a floating-point one.
        """
        loc, diagonal, factor = (moved(p, target) for p in (self.loc, self.diagonal, self.factor))
        return LowRankPrecisionNormal(loc, diagonal, factor, validate_args=self._validate_args)

    def expand(
        self, batch_shape: Sequence[int], _instance: LowRankPrecisionNormal | None = None
    ) -> LowRankPrecisionNormal:
        new = self._get_checked_instance(LowRankPrecisionNormal, _instance)
        batch_shape, features = Size(batch_shape), self.event_shape[0]
        new._own = self._own
        new.loc = self.loc.expand(*batch_shape, features)
        new.diagonal = self.diagonal.expand(*batch_shape, features)
        new.factor = self.factor.expand(*batch_shape, features, self.rank)
        super(LowRankPrecisionNormal, new).__init__(
            batch_shape, self.event_shape, validate_args=False
        )
        new._validate_args = self._validate_args
        return new

    def _rosenblatt(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        return rosenblatt(value, *self._as_mixture(), mask)

    def _inverse_rosenblatt(self, u: Tensor) -> Tensor:
        return inverse_rosenblatt(u, *self._as_mixture())

    def _univariate(self) -> tuple[Tensor, Tensor, Tensor]:
        loc = self.loc.unsqueeze(-1)  # (*batch, D, 1)
        return torch.zeros_like(loc), loc, self.variance.sqrt().unsqueeze(-1)

    def _of_observed(self, mask: Tensor) -> LowRankPrecisionNormal:
        """Returns the Gaussian of each frame's observed features, in float64.

        The missing ones are standard normal and independent of everything: values of 0 there tell
        nothing about the others.
        """
        loc, diagonal, factor = map(doubled, (self.loc, self.diagonal, self.factor))
        parameters = marginal_of_mask(loc, diagonal, factor, mask)
        return LowRankPrecisionNormal(*parameters, validate_args=False)

    def _as_mixture(self) -> tuple[Tensor, LowRankPrecisionNormal]:
        """Returns the log-weight (*batch, 1) and the Gaussian as its one component."""
        loc, diagonal = self.loc.unsqueeze(-2), self.diagonal.unsqueeze(-2)
        component = LowRankPrecisionNormal(
            loc, diagonal, self.factor.unsqueeze(-3), validate_args=False
        )
        return loc.new_zeros(loc.shape[:-1]), component

    def _take(self, features: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Returns loc, diagonal and factor of some features."""
        return self.loc[..., features], self.diagonal[..., features], self.factor[..., features, :]
