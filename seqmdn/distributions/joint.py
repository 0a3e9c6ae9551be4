"""Frames of continuous features and bits together, such as a pen's offset and what ends with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Size, Tensor
from torch.distributions import Distribution, constraints

from seqmdn.distributions.bits import Bits
from seqmdn.distributions.features import check_event
from seqmdn.distributions.open import OpenDistribution

__all__ = ["Joint"]


class Joint(OpenDistribution):
    r"""Defines frames (y, b) of C continuous features and E bits that are independent of them.

    .. math:: \log p(y, b) = \log p(y) + \log P(b)

    A density in y and a probability in b: it integrates over y and sums over b to 1. In a sequence
    both depend on all that was before, and so on each other.

    Args:
        continuous: the distribution of y, of event shape (C,).
        bits: that of b, of event shape (E,) and the same batch shape.

    Raises:
        ValueError: If the batch shapes differ.

    References:
        Generating Sequences With Recurrent Neural Networks (Graves, 2013), equation 23.

    Example:
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> normal = LowRankPrecisionNormal(torch.zeros(2), torch.ones(2))
        >>> stroke = Joint(normal, Bits(torch.zeros(1)))
        >>> stroke.log_prob(torch.tensor([0.0, 0.0, 1.0]))  # -log(2 pi) - log(2)
        tensor(-2.5310)
    """

    without_formula = (
        "{} of continuous features and bits together is not offered. Take it of `continuous` or of"
        " `bits`, which are independent."
    )
    tied = "move the head and its input to the device, and make the distribution again."

    def __init__(
        self, continuous: Distribution, bits: Bits, validate_args: bool | None = None
    ) -> None:
        if continuous.batch_shape != bits.batch_shape:
            raise ValueError(
                f"expected one batch shape; found {tuple(continuous.batch_shape)} of the continuous"
                f" features and {tuple(bits.batch_shape)} of the bits."
            )
        self.continuous: Any = continuous
        self.bits = bits
        features = continuous.event_shape[0] + bits.event_shape[0]
        super().__init__(continuous.batch_shape, Size([features]), validate_args=validate_args)

    @property
    def support(self) -> constraints.Constraint:  # type: ignore[override]  # torch: one of a class
        """Real numbers, then 0 or 1."""
        lengths = [self.columns, self.bits.event_shape[0]]
        parts = constraints.cat([constraints.real, constraints.boolean], -1, lengths)
        return constraints.independent(parts, 1)

    @property
    def columns(self) -> int:
        """The number C of continuous features, which come first."""
        return self.continuous.event_shape[0]

    def log_prob(self, value: Tensor) -> Tensor:
        """Returns the log-density in nats (*sample, *batch) of values (*sample, *batch, C + E).

        Raises:
            ValueError: If the shape does not fit, or a bit is neither 0 nor 1.
        """
        check_event(value, self.event_shape[0], batch=self.batch_shape)
        continuous, bits = value[..., : self.columns], value[..., self.columns :]
        return self.continuous.log_prob(continuous) + self.bits.log_prob(bits)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Returns draws (*sample, *batch, C + E)."""
        y, b = self.continuous.sample(Size(sample_shape)), self.bits.sample(sample_shape)
        return torch.cat((y, b.to(y.dtype)), dim=-1)

    def tempered(
        self, mixing: float | Tensor = 1.0, scale: float | Tensor = 1.0, bits: float = 1.0
    ) -> Joint:
        """Returns the frame with its continuous part tempered by `mixing` and `scale`
        (:meth:`Mixture.tempered`), and the bits' logits divided by `bits`.

        Raises:
            ValueError: If one of them is not positive.
        """
        continuous = self.continuous.tempered(mixing=mixing, scale=scale)
        return Joint(continuous, self.bits.tempered(bits), validate_args=self._validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Joint | None = None) -> Joint:
        new = self._get_checked_instance(Joint, _instance)
        new.continuous = self.continuous.expand(Size(batch_shape))
        new.bits = self.bits.expand(Size(batch_shape))
        super(Joint, new).__init__(Size(batch_shape), self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def __repr__(self) -> str:
        return f"Joint({self.continuous!r}, {self.bits!r})"
