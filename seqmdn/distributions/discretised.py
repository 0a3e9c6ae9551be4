"""The mixture of logistics on whole levels: probabilities that need no dequantisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import torch
from torch import Size, Tensor
from torch.distributions import Categorical, constraints
from torch.nn import functional as F

from seqmdn import linalg
from seqmdn.distributions.features import check_event
from seqmdn.distributions.missing import check_mask, observed_only
from seqmdn.distributions.open import OpenDistribution
from seqmdn.distributions.weights import log_weights_of, tempered_weights

__all__ = ["DiscretisedMixture", "logistic_level_log_prob"]


@linalg.full_precision
def logistic_level_log_prob(
    level: Tensor,  # (*batch,)
    loc: Tensor,  # (*batch,)
    inverse_scale: Tensor,  # (*batch,)
    levels: int,
) -> Tensor:  # (*batch,)
    r"""Returns the log-probability in nats that a logistic variable falls into the cell of a level.

    The levels n = 0 to L - 1 lie at :math:`2 n / (L - 1) - 1`, and a cell reaches half way to the
    neighbours; its borders a, b are counted from the mean, in units of the scale s. The first and
    the last cell take the tails. As :math:`\sigma(b) - \sigma(a) = \sigma(b) \, \sigma(-a) \, (1 -
    e^{a - b})`,

    .. math:: \log P(n) = [n < L - 1] \log \sigma(b) + [n > 0] \log \sigma(-a)
        + [0 < n < L - 1] \log\left(1 - e^{-2 / (s (L - 1))}\right)

    Nothing is subtracted of what is nearly equal: however far a level lies in a tail, float32 keeps
    its digits, and no epsilon is needed. That is why components are logistic here: the difference
    of two normal distribution functions has no such form.

    Args:
        level: n, whole numbers.
        loc: the mean, on the scale from -1 to 1.
        inverse_scale: 1 / s, positive.
        levels: L.

    Example:
        >>> level = torch.arange(3)
        >>> logistic_level_log_prob(level, torch.zeros(()), torch.tensor(2.0), 3).exp()
        tensor([0.2689, 0.4621, 0.2689])
    """
    level = level.to(loc.dtype)
    # The upper border of a level is the same number as the lower one of the next.
    upper = (2 * level + 2 - levels) / (levels - 1)
    lower = (2 * level - levels) / (levels - 1)
    below = F.logsigmoid((upper - loc) * inverse_scale)
    above = F.logsigmoid((loc - lower) * inverse_scale)
    inside = (-torch.expm1(-2 / (levels - 1) * inverse_scale)).log()
    first, last = level == 0, level == levels - 1
    return (
        torch.where(last, 0, below)
        + torch.where(first, 0, above)
        + torch.where(first | last, 0, inside)
    )


class DiscretisedMixture(OpenDistribution):
    r"""Defines one feature that is one of L levels: a mixture of logistics, cell by cell.

    .. math:: P(n) = \sum_k \pi_k \left(F_k(b_n) - F_k(a_n)\right), \quad
        F_k(z) = \sigma\left((z - \mu_k) / s_k\right)

    with the borders :math:`a_n, b_n` of :func:`logistic_level_log_prob`. The probabilities of the
    levels sum to 1. Values are the levels on the scale from -1 to 1, as :class:`seqmdn.data.Levels`
    gives them.

    Args:
        mixture_distribution: the weights, of batch shape (*batch) over K.
        loc: :math:`\mu`, (*batch, K).
        inverse_scale: :math:`1 / s`, positive, (*batch, K).
        levels: L, at least 2.
        validate_args: checks values; None follows torch's setting.

    Raises:
        ValueError: If shapes do not fit, parameters are NaN, or there are fewer than 2 levels.

    References:
        PixelCNN++: Improving the PixelCNN with Discretized Logistic Mixture Likelihood and Other
        Modifications (Salimans, Karpathy, Chen, Kingma, 2017).

    Example:
        >>> one = DiscretisedMixture(
        ...     Categorical(logits=torch.zeros(1)), torch.zeros(1), torch.ones(1), levels=2
        ... )
        >>> one.log_prob(torch.tensor([1.0])).exp(), one.level_log_prob().exp()
        (tensor(0.5000), tensor([0.5000, 0.5000]))
    """

    arg_constraints: dict[str, constraints.Constraint] = {}
    support = constraints.real_vector
    without_formula = (
        "{} of levels is not offered. Take what you need from the probabilities of all of them,"
        " level_log_prob()."
    )
    tied = "move the parameters to the device, and make the distribution again."

    def __init__(
        self,
        mixture_distribution: Categorical,
        loc: Tensor,
        inverse_scale: Tensor,
        levels: int = 256,
        validate_args: bool | None = None,
    ) -> None:
        weights = mixture_distribution.param_shape
        if not loc.dim() or loc.shape != weights or inverse_scale.shape != weights or levels < 2:
            raise ValueError(
                "expected weights, loc and inverse_scale of one shape (*batch, K), and 2 levels or"
                f" more; found {tuple(weights)}, {tuple(loc.shape)}, {tuple(inverse_scale.shape)}"
                f" and {levels} levels."
            )
        self.mixture_distribution = mixture_distribution
        self.loc, self.inverse_scale = linalg.widen(loc), linalg.widen(inverse_scale)
        self.levels = levels
        super().__init__(loc.shape[:-1], Size([1]), validate_args=validate_args)
        if self._validate_args:
            for name, tensor in (("loc", self.loc), ("inverse_scale", self.inverse_scale)):
                if bool(torch.isnan(tensor.detach().sum())):
                    raise ValueError(
                        f"{name} holds NaN, shape {tuple(tensor.shape)}. Look for a diverged step"
                        " or NaN in the data before it."
                    )

    @property
    def mean(self) -> Tensor:  # type: ignore[override]  # (*batch, 1)
        return (self.level_log_prob().exp() * self._grid()).sum(-1, keepdim=True)

    @property
    def variance(self) -> Tensor:  # type: ignore[override]  # (*batch, 1)
        spread = (self._grid() - self.mean).square()
        return (self.level_log_prob().exp() * spread).sum(-1, keepdim=True)

    def level_log_prob(self) -> Tensor:  # (*batch, L)
        """Returns the log-probability of every level in nats."""
        level = torch.arange(self.levels, device=self.loc.device)
        return self._of_levels(level.view(-1, *[1] * len(self.batch_shape))).movedim(0, -1)

    def log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns the log-probability in nats (*sample, *batch) of levels (*sample, *batch, 1).

        Args:
            value: levels on the scale from -1 to 1.
            mask: boolean, True where the level was observed; elsewhere the result is 0.

        Raises:
            ValueError: If a shape does not fit, or a value is no level.
        """
        if mask is not None:
            mask = check_mask(value, mask, 1)
            value = observed_only(value, mask, self._validate_args)
            value = value.where(mask, -1)
        check_event(value, 1, batch=self.batch_shape)
        place = (linalg.widen(value).squeeze(-1) + 1) * (0.5 * (self.levels - 1))
        level = place.round()
        if self._validate_args:
            # Of 256 levels, float32 keeps one on this scale to a ten-thousandth of its cell.
            wrong = ~((place - level).abs() < 1e-2) | (level < 0) | (level >= self.levels)
            if bool(wrong.any()):
                raise ValueError(
                    f"expected one of {self.levels} levels on the scale from -1 to 1; found"
                    f" {float(value.squeeze(-1)[wrong][0]):g}. Use the transform"
                    " seqmdn.data.Levels, and data without noise (--data.noise null)."
                )
        found = self._of_levels(level)
        return found if mask is None else found.where(mask.squeeze(-1), 0)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Returns draws (*sample, *batch, 1), each one of the levels."""
        with torch.no_grad():
            chosen = self.mixture_distribution.sample(Size(sample_shape)).unsqueeze(-1)
            shape = (*chosen.shape[:-1], self.loc.shape[-1])
            loc, inverse = (
                parameter.expand(shape).gather(-1, chosen)
                for parameter in (self.loc, self.inverse_scale)
            )
            # Never 0 or 1, of which the logit is infinite.
            tiny = torch.finfo(loc.dtype).tiny
            drawn = loc + torch.rand_like(loc).clamp(min=tiny).logit() / inverse
            last = self.levels - 1
            level = ((drawn + 1) * (0.5 * last)).round().clamp(0, last)
            return 2 * level / last - 1

    def tempered(
        self, mixing: float | Tensor = 1.0, scale: float | Tensor = 1.0
    ) -> DiscretisedMixture:
        """Returns the levels of the tempered mixture, see :meth:`Mixture.tempered`.

        Args:
            mixing: temperature of the weights, positive, a number or (*batch,).
            scale: of the components' variances, likewise.

        Raises:
            ValueError: If one of them is not positive.
        """
        width = torch.as_tensor(scale, dtype=self.loc.dtype, device=self.loc.device)
        if not bool((width > 0).all()):
            raise ValueError(f"scale must be positive; found {scale}.")
        return DiscretisedMixture(
            tempered_weights(self.mixture_distribution, mixing),
            self.loc,
            self.inverse_scale / width.sqrt().unsqueeze(-1),
            self.levels,
            validate_args=self._validate_args,
        )

    def rosenblatt(self, value: Tensor) -> NoReturn:
        """Raises NotImplementedError: levels are not uniform on (0, 1) by their probabilities."""
        raise NotImplementedError(self.without_formula.format("rosenblatt"))

    def inverse_rosenblatt(self, u: Tensor) -> NoReturn:
        """Raises NotImplementedError, as `rosenblatt`."""
        raise NotImplementedError(self.without_formula.format("inverse_rosenblatt"))

    def after(self, first: int) -> DiscretisedMixture:
        """Returns those of the groups from `first` on, the last dimension of the batch shape."""
        return DiscretisedMixture(
            Categorical(logits=self.mixture_distribution.logits[..., first:, :]),
            self.loc[..., first:, :],
            self.inverse_scale[..., first:, :],
            self.levels,
            validate_args=self._validate_args,
        )

    def expand(
        self, batch_shape: Sequence[int], _instance: DiscretisedMixture | None = None
    ) -> DiscretisedMixture:
        new = self._get_checked_instance(DiscretisedMixture, _instance)
        new.mixture_distribution = self.mixture_distribution.expand(Size(batch_shape))
        new.loc = self.loc.expand(*batch_shape, -1)
        new.inverse_scale = self.inverse_scale.expand(*batch_shape, -1)
        new.levels = self.levels
        OpenDistribution.__init__(new, Size(batch_shape), self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def __repr__(self) -> str:
        return (
            f"DiscretisedMixture(components={self.loc.shape[-1]}, levels={self.levels},"
            f" batch_shape={tuple(self.batch_shape)}, event_shape={tuple(self.event_shape)})"
        )

    def _of_levels(self, level: Tensor) -> Tensor:  # (*sample, *batch) -> the same
        parts = logistic_level_log_prob(
            level.unsqueeze(-1), self.loc, self.inverse_scale, self.levels
        )
        return torch.logsumexp(log_weights_of(self.mixture_distribution) + parts, dim=-1)

    def _grid(self) -> Tensor:  # (L,)
        return torch.linspace(-1, 1, self.levels).to(self.loc)
