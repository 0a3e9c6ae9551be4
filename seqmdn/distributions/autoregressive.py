"""Densities that take the features of a frame in turn, each given those before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Size, Tensor

from seqmdn import linalg
from seqmdn.distributions.conditionals import Conditionals, Rest, Tempered
from seqmdn.distributions.features import check_event, split_features
from seqmdn.distributions.missing import check_mask, observed_only
from seqmdn.distributions.mixture import Mixture
from seqmdn.distributions.open import OpenDistribution
from seqmdn.distributions.rosenblatt import check_levels
from seqmdn.distributions.turns import Turns

__all__ = ["Autoregressive"]


class Autoregressive(OpenDistribution):
    r"""Defines a density as a product over groups of features, each given the groups before it.

    .. math:: p(y) = \prod_{g=1}^G p(y_g \mid y_{<g}), \quad
        p(y_g \mid y_{<g}) = \sum_k \pi_{gk} N(y_g; \mu_{gk}, \Lambda_{gk}^{-1})

    where weights, means and precisions are functions of :math:`y_{<g}`. The density costs one pass,
    a draw one step a group. Each conditional is a mixture, their product is none: moments, modes,
    the entropy, quantiles and marginals of later features have no formula.

    Args:
        conditionals: makes the mixtures.
        order: the features 0 to D - 1, each once, in the order in which they are taken.
        group: S, features a group; divides D.
        batch_shape: of the density.
        validate_args: checks values; None follows torch's setting.

    Raises:
        ValueError: If the order is no permutation, or the group does not divide it.

    References:
        RNADE: The real-valued neural autoregressive density-estimator, Benigno Uria, Iain Murray
        and Hugo Larochelle, 2013.

    Example:
        >>> from torch.distributions import Categorical
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> class Walk:  # y_1 ~ N(0, 1), y_2 ~ N(y_1, 1)
        ...     def every(self, frame):
        ...         return self.one(1, torch.stack((0 * frame[..., 0], frame[..., 0]), dim=-1))
        ...     def one(self, group, before):
        ...         loc = before if group else self.nothing(before.shape[:-1]).sum(-1)
        ...         normal = LowRankPrecisionNormal(loc[..., None, None], torch.ones(1, 1))
        ...         return Mixture(Categorical(logits=torch.zeros(1)), normal)
        ...     def nothing(self, shape):
        ...         return torch.zeros(*shape, 0)
        >>> walk = Autoregressive(Walk(), order=[0, 1], group=1, batch_shape=())
        >>> walk.log_prob(torch.tensor([3.0, 4.0]))  # -log(2 pi) - 9 / 2 - 1 / 2
        tensor(-6.8379)
        >>> rest = walk.condition(torch.tensor([3.0, 0.0]), torch.tensor([True, False]))
        >>> rest.log_prob(torch.tensor([4.0]))  # -log(2 pi) / 2 - 1 / 2
        tensor(-1.4189)
    """

    has_rsample = True
    without_formula = (
        "{} of an autoregressive density has no formula: what comes later in a frame is known only"
        " given what comes before. Estimate it from draws of sample(), or use a MixtureHead where"
        " you need it."
    )
    tied = (
        "the conditionals hold the tensors of the module that made them. Move that module (the"
        " head) and its input, and make the distribution again."
    )

    def __init__(
        self,
        conditionals: Conditionals,
        order: Sequence[int],
        group: int,
        batch_shape: Sequence[int],
        validate_args: bool | None = None,
    ) -> None:
        self.conditionals = conditionals
        self.turns = Turns(list(order), group)
        super().__init__(Size(batch_shape), Size([len(order)]), validate_args=validate_args)

    @property
    def order(self) -> list[int]:
        """The features 0 to D - 1 in the order in which they are taken."""
        return self.turns.order

    @property
    def group(self) -> int:
        """S, features a group."""
        return self.turns.group

    @linalg.full_precision
    def mixtures(self, value: Tensor) -> Mixture:
        """Returns the mixture of each group given those before it, of values (*sample, *batch, D).

        Its batch shape is (*sample, *batch, G) and its event shape (S,), groups and features in the
        order of the density.
        """
        return self.conditionals.every(self._ordered(value))

    @linalg.full_precision
    def log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns the log-density in nats, (*sample, *batch), of values (*sample, *batch, D).

        Args:
            value: (*sample, *batch, D).
            mask: boolean, True where a feature was observed, of the value's shape or one that
                broadcasts to it; None is True everywhere. Of each frame, whole groups at the front
                of the order must have been observed, any features of the group after them, and
                nothing more. What was not observed is not read and may be NaN. The result is the
                log-density of what was; 0 where nothing was.

        Raises:
            ValueError: If a shape or the mask's dtype does not fit, or an observed value is NaN.
            NotImplementedError: If a feature was observed after a group that was not: what lies
                between would have to be integrated out.
        """
        seen = None
        if mask is not None:
            mask = check_mask(value, mask, self.event_shape[0])
            value = observed_only(value, mask, self._validate_args)
            seen = self.turns.grouped(self._ordered(mask))
            self.turns.check_no_gap(seen)
        frame = self._ordered(value)
        return self.conditionals.every(frame).log_prob(self.turns.grouped(frame), seen).sum(-1)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Returns draws (*sample, *batch, D), one group after the other."""
        with torch.no_grad():
            return self._drawn(sample_shape, lambda mixture, _: mixture.sample())

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Returns draws (*sample, *batch, D) whose gradients reach all that the mixtures depend on.

        By implicit reparametrisation of each group; see `seqmdn.distributions.implicit`. First
        derivatives only.
        """
        return self._drawn(sample_shape, lambda mixture, _: mixture.rsample())

    @linalg.full_precision
    def rosenblatt(self, value: Tensor) -> Tensor:
        r"""Returns :math:`u_d = F(y_d \mid \text{features before } d)`, (*sample, *batch, D).

        Before d in the order of the density; each u stands in the place of its feature.
        Independent and uniform on (0, 1) for draws; see `seqmdn.distributions.rosenblatt`.
        """
        frame = self._ordered(value)
        u = self.conditionals.every(frame).rosenblatt(self.turns.grouped(frame))
        return self.turns.restored(u.flatten(-2))

    def inverse_rosenblatt(self, u: Tensor) -> Tensor:
        """Returns the value, (*sample, *batch, D), of which `rosenblatt` gives u.

        To float precision; first derivatives reach u and all that the mixtures depend on.

        Raises:
            ValueError: If a u is not inside (0, 1).
        """
        check_event(u, self.event_shape[0], "u")
        check_levels(u)
        levels = self.turns.grouped(self._ordered(u))
        shape = levels.shape[: levels.dim() - 2 - len(self.batch_shape)]
        return self._drawn(shape, lambda mixture, g: mixture.inverse_rosenblatt(levels[..., g, :]))

    def condition(self, values: Tensor, observed: Tensor) -> Autoregressive:
        r"""Returns the density of the unobserved features, in their order, given the rest.

        .. math:: p(y_{\ge g} \mid y_{<g}) = \prod_{j \ge g} p(y_j \mid y_{<j})

        Args:
            values: (*sample, *batch, D); its unobserved entries are not read and may be NaN.
            observed: a boolean mask (D,), True where known: whole groups at the front of the order.

        Raises:
            ValueError: If the mask does not fit or marks every feature, or a value it marks is NaN.
            NotImplementedError: If it marks anything but whole groups at the front of the order.
        """
        wanted, known = split_features(observed, self.event_shape[0])
        check_event(values, self.event_shape[0], "values")
        before = linalg.widen(values[..., self.turns.front(known)])
        if self._validate_args and torch.isnan(before).any():
            raise ValueError(
                "values must not be NaN where observed is True; mark those as unobserved."
            )
        rest = Rest(self.conditionals, before, len(known) // self.group)
        return Autoregressive(
            rest if known else self.conditionals,
            [wanted.index(i) for i in self.order[len(known) :]],
            self.group,
            torch.broadcast_shapes(values.shape[:-1], self.batch_shape),
            validate_args=self._validate_args,
        )

    def tempered(self, mixing: float | Tensor = 1.0, scale: float | Tensor = 1.0) -> Autoregressive:
        """Returns the product of the tempered conditionals; see :meth:`Mixture.tempered`.

        Args:
            mixing: positive, a number or (*batch,).
            scale: positive, a number or (*batch,).

        Raises:
            ValueError: If one of them is not positive.
        """
        return Autoregressive(
            Tempered(self.conditionals, mixing, scale),
            self.order,
            self.group,
            self.batch_shape,
            validate_args=self._validate_args,
        )

    def expand(
        self, batch_shape: Sequence[int], _instance: Autoregressive | None = None
    ) -> Autoregressive:
        new = self._get_checked_instance(Autoregressive, _instance)
        new.conditionals, new.turns = self.conditionals, self.turns
        OpenDistribution.__init__(new, Size(batch_shape), self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def __repr__(self) -> str:
        return (
            f"Autoregressive(order={self.order}, group={self.group},"
            f" batch_shape={tuple(self.batch_shape)}, event_shape={tuple(self.event_shape)})"
        )

    @linalg.full_precision
    def _drawn(self, sample_shape: Sequence[int], take: Callable[[Mixture, int], Tensor]) -> Tensor:
        """Takes a value of one group after the other, each from the mixture given those before."""
        frame = self.conditionals.nothing(self._extended_shape(Size(sample_shape))[:-1])
        for g in range(self.turns.groups):
            value = take(self.conditionals.one(g, frame), g)
            frame = torch.cat((frame, value.to(frame.dtype)), dim=-1)
        return self.turns.restored(frame)

    def _ordered(self, value: Tensor) -> Tensor:
        """Returns values (*sample, *batch, D) checked, in the order of the density."""
        check_event(value, self.event_shape[0])
        if self._validate_args and value.is_floating_point():
            self._validate_sample(value)
        frames = torch.broadcast_shapes(value.shape[:-1], self.batch_shape)
        return self.turns.ordered(value).expand(*frames, -1)
