"""Frames of continuous features and bits together, such as a pen's offset and what ends with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.distributions import Distribution, constraints

from seqmdn.distributions.bits import Bits
from seqmdn.distributions.product import Product

__all__ = ["Joint"]


class Joint(Product):
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
        >>> import torch
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

    def __init__(
        self, continuous: Distribution, bits: Bits, validate_args: bool | None = None
    ) -> None:
        if continuous.batch_shape != bits.batch_shape:
            raise ValueError(
                f"expected one batch shape; found {tuple(continuous.batch_shape)} of the continuous"
                f" features and {tuple(bits.batch_shape)} of the bits."
            )
        super().__init__([continuous, bits], validate_args=validate_args)

    @property
    def continuous(self) -> Any:
        """The distribution of the continuous features."""
        return self.parts[0]

    @property
    def bits(self) -> Bits:
        """The distribution of the bits."""
        bits: Bits = self.parts[1]
        return bits

    @property
    def support(self) -> constraints.Constraint:  # type: ignore[override]  # torch: one of a class
        """Real numbers, then 0 or 1."""
        parts = constraints.cat([constraints.real, constraints.boolean], -1, self.sizes)
        return constraints.independent(parts, 1)

    @property
    def columns(self) -> int:
        """The number C of continuous features, which come first."""
        return self.sizes[0]

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

    def expand(self, batch_shape: Sequence[int], _instance: Product | None = None) -> Joint:
        new = self._get_checked_instance(Joint, _instance)
        super().expand(batch_shape, new)
        return new
