"""A range of numbers that is known beforehand, such as that of levels, as the unit of a model."""

from __future__ import annotations

__all__ = ["Range"]

import math

from torch import Tensor

from seqmdn.data.transforms import Transform


class Range(Transform):
    r"""Puts the interval from low to high on that from 0 to 1: :math:`z = (y - \text{low}) / w`.

    With :math:`w = \text{high} - \text{low}`, :math:`\log |\det| = -D \log w`. Nothing is fitted,
    so that what is told in units of z, such as the narrowest deviation of a head, is a share of the
    range whatever the data are: 0.01 is 2.56 of 256 levels. Values beyond the interval have a
    place, too.

    Args:
        features: D.
        low: What becomes 0.
        high: What becomes 1.

    Raises:
        ValueError: If low is not below high, or they are not finite.

    Example:
        >>> import torch
        >>> z, ladj = Range(2, high=256).call_and_ladj(torch.tensor([64.0, 192.0]))
        >>> z.tolist(), round(ladj.item(), 4)  # -2 log 256
        ([0.25, 0.75], -11.0904)
    """

    def __init__(self, features: int, low: float = 0.0, high: float = 256.0) -> None:
        super().__init__()
        if not -math.inf < low < high < math.inf:
            raise ValueError(f"Range expected finite low below high, found {low} and {high}")
        self.features = features
        self.low = low
        self.high = high

    def call_and_ladj(self, y: Tensor, observed: Tensor | None = None) -> tuple[Tensor, Tensor]:
        width = self.high - self.low
        if observed is None:
            return (y - self.low) / width, y.new_full(y.shape[:-1], self.ladj())
        z = (y.where(observed, self.low) - self.low) / width
        return z.where(observed, 0), -math.log(width) * observed.sum(-1).to(y)

    def inverse(self, z: Tensor) -> Tensor:
        return self.low + (self.high - self.low) * z

    def ladj(self) -> float:
        return -self.features * math.log(self.high - self.low)

    def extra_repr(self) -> str:
        return f"features={self.features}, low={self.low:g}, high={self.high:g}"
