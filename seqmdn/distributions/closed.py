"""What the families that are closed under conditioning and marginalising have in common."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from seqmdn.distributions.features import check_event
from seqmdn.distributions.missing import check_mask, observed_only
from seqmdn.distributions.rosenblatt import check_levels
from seqmdn.distributions.univariate import mixture_cdf, mixture_icdf

__all__ = ["ClosedDistribution"]


class ClosedDistribution(Distribution):
    r"""Defines frames y of D features of which any part has an exact density, given any other part.

    .. math:: p(y_A, y_B) = p(y_A \mid y_B) \, p(y_B)

    `marginal` and `condition` stay in the family. From that follow, with nothing approximated,
    the likelihood of frames with missing features, the distribution function and the quantiles of
    each feature, and the Rosenblatt transform. Each feature by itself is a mixture of Gaussians.

    A family gives its own `_log_prob`, `_rosenblatt`, `_inverse_rosenblatt` and `_univariate`,
    whose arguments are checked here.

    Example:
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> gaussian = LowRankPrecisionNormal(torch.zeros(2), torch.ones(2), torch.ones(2, 1))
        >>> isinstance(gaussian, ClosedDistribution), gaussian.cdf(torch.zeros(2))
        (True, tensor([0.5000, 0.5000]))
    """

    support = constraints.real_vector
    has_rsample = True

    def marginal(self, features: Sequence[int]) -> ClosedDistribution:
        """Returns the distribution of some features, distinct indices 0 <= i < D, in their order.

        Raises:
            ValueError: If an index is repeated or out of range, or there is none.
        """
        raise NotImplementedError  # every family has its own

    def condition(self, values: Tensor, observed: Tensor) -> ClosedDistribution:
        """Returns the distribution of the unobserved features, in their order, given the others.

        Args:
            values: (*sample, *batch, D); its unobserved entries are not read and may be NaN.
            observed: a boolean mask (D,), True where known.

        Raises:
            ValueError: If the mask does not fit or marks every feature, or a value it marks is NaN.
        """
        raise NotImplementedError  # every family has its own

    def log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns the log-density in nats, (*sample, *batch), of values (*sample, *batch, D).

        Args:
            value: (*sample, *batch, D).
            mask: boolean, True where a feature was observed, of the value's shape or one that
                broadcasts to it; None is True everywhere. What was not observed is not read and may
                be NaN. The result is the log-density of what was; 0 where nothing was.

        Raises:
            ValueError: If a shape or the mask's dtype does not fit, or an observed value is NaN.

        Example:
            >>> from seqmdn.distributions import LowRankPrecisionNormal
            >>> gaussian = LowRankPrecisionNormal(torch.zeros(2), torch.ones(2), torch.ones(2, 1))
            >>> value, seen = torch.tensor([0.0, float("nan")]), torch.tensor([True, False])
            >>> gaussian.log_prob(value, seen)  # of a variance of 2/3
            tensor(-0.7162)
        """
        value, mask = self._checked(value, mask)
        if mask is None:
            return self._log_prob(value)
        return self._log_prob(value, mask).where(mask.any(-1), 0)

    def cdf(self, value: Tensor) -> Tensor:
        """Returns each feature's own distribution function, (*batch, D), at values (*batch, D).

        NaN where the value is NaN. Gradients reach the value and every parameter.

        Raises:
            ValueError: If a shape does not fit.
        """
        check_event(value, self.event_shape[0], batch=self.batch_shape)
        return mixture_cdf(value, *self._univariate())

    def icdf(self, q: Tensor) -> Tensor:
        """Returns each feature's own quantile, (*batch, D), at q, which broadcasts to (*batch, D).

        To float precision; 0 and 1 give infinities. Derivatives of any order reach q and every
        parameter.

        Raises:
            ValueError: If a q is outside [0, 1] or its shape does not broadcast.
        """
        log_weights, loc, scale = self._univariate()
        q = torch.as_tensor(q).to(loc)
        shape = (*self.batch_shape, *self.event_shape)
        try:
            torch.broadcast_shapes(q.shape, shape)
        except RuntimeError:
            raise ValueError(
                f"q must be a number or broadcast to the shape {shape}, a level of each feature;"
                f" found {tuple(q.shape)}."
            ) from None
        return mixture_icdf(q, log_weights, loc, scale)

    def rosenblatt(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        r"""Returns :math:`u_d = F(y_d \mid y_{<d})`, (*sample, *batch, D), of values of that shape.

        Independent and uniform on (0, 1) for draws, also those of which the mask hides a part; see
        `seqmdn.distributions.rosenblatt`.

        Args:
            value: (*sample, *batch, D).
            mask: as of `log_prob`. Each observed feature is then taken given the observed ones
                before it, with the missing ones integrated out; the u of a missing one is NaN.

        Raises:
            ValueError: If a shape or the mask's dtype does not fit, or an observed value is NaN.

        Example:
            >>> from seqmdn.distributions import LowRankPrecisionNormal
            >>> gaussian = LowRankPrecisionNormal(torch.zeros(2), torch.ones(2), torch.ones(2, 1))
            >>> value = torch.tensor([float("nan"), 1.0])
            >>> gaussian.rosenblatt(value, ~value.isnan())  # Phi of 1 over sqrt(2/3)
            tensor([   nan, 0.8897])
        """
        value, mask = self._checked(value, mask)
        if mask is None:
            return self._rosenblatt(value)
        return self._rosenblatt(value, mask).where(mask, torch.nan)

    def inverse_rosenblatt(self, u: Tensor) -> Tensor:
        """Returns the value, (*sample, *batch, D), of which `rosenblatt` gives u.

        To float precision; derivatives of any order reach u and every parameter.

        Raises:
            ValueError: If a u is not inside (0, 1) or the shape does not fit.
        """
        check_event(u, self.event_shape[0], "u", self.batch_shape)
        check_levels(u)
        return self._inverse_rosenblatt(u)

    def _log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns the log-density (*sample, *batch), with a mask that of what was observed.

        Where the mask is False, the value is 0.
        """
        raise NotImplementedError  # every family has its own

    def _rosenblatt(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns u (*sample, *batch, D), anything where the mask is False and the value 0."""
        raise NotImplementedError  # every family has its own

    def _inverse_rosenblatt(self, u: Tensor) -> Tensor:
        """Returns the value of which `_rosenblatt` gives u inside (0, 1)."""
        raise NotImplementedError  # every family has its own

    def _univariate(self) -> tuple[Tensor, Tensor, Tensor]:
        """Returns log-weights, means and standard deviations of each feature, (*batch, D, K)."""
        raise NotImplementedError  # every family has its own

    def _checked(self, value: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Returns values and mask of one shape, the value 0 where it was not observed."""
        features = self.event_shape[0]
        check_event(value, features, batch=self.batch_shape)
        if mask is not None:
            mask = check_mask(value, mask, features)
            return observed_only(value, mask, self._validate_args), mask
        if self._validate_args:
            self._validate_sample(value)
        return value, None
