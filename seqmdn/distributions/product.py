"""Frames of parts that are independent of each other, such as latents and a reward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Size, Tensor
from torch.distributions import Distribution

from seqmdn.distributions.features import check_event
from seqmdn.distributions.open import OpenDistribution

__all__ = ["Product"]


class Product(OpenDistribution):
    r"""Defines frames of parts that are independent of each other, one behind the other.

    .. math:: \log p(y) = \sum_i \log p_i(y_i)

    In a sequence each depends on all that was before, and so the parts on each other.

    Args:
        parts: the distributions of :math:`y_i`, of event shapes :math:`(D_i,)` and one batch shape.
        validate_args: checks values; None follows torch's setting. The parts follow their own.

    Raises:
        ValueError: If there is no part, or the batch shapes differ.

    Example:
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> def normal(*mean):
        ...     return LowRankPrecisionNormal(torch.tensor(mean), torch.ones(len(mean)))
        >>> product = Product([normal(0.0, 0.0), normal(1.0)])
        >>> product.log_prob(torch.tensor([0.0, 0.0, 1.0]))  # -3/2 log(2 pi)
        tensor(-2.7568)
        >>> [float(part) for part in product.log_probs(torch.tensor([0.0, 0.0, 1.0]))]
        [-1.8378..., -0.9189...]
    """

    without_formula = (
        "{} of independent parts together is not offered. Take it of one of `parts`, which stand in"
        " the order of their features."
    )
    tied = "move the head and its input to the device, and make the distribution again."

    def __init__(self, parts: Sequence[Distribution], validate_args: bool | None = None) -> None:
        self.parts: list[Any] = list(parts)
        batches = [tuple(part.batch_shape) for part in self.parts]
        # Compared, as the sizes of a graph that is exported have no hash.
        if not batches or any(batch != batches[0] for batch in batches):
            raise ValueError(f"expected one batch shape of one part or more; found {batches}.")
        features = sum(self.sizes)
        super().__init__(Size(batches[0]), Size([features]), validate_args=validate_args)

    @property
    def sizes(self) -> list[int]:
        """The number of features of each part."""
        return [part.event_shape[0] for part in self.parts]

    def log_prob(self, value: Tensor) -> Tensor:
        """Returns the log-density in nats (*sample, *batch) of values (*sample, *batch, D).

        Raises:
            ValueError: If the shape does not fit, or a part refuses its value.
        """
        first, *others = self.log_probs(value)
        return sum(others, first)

    def log_probs(self, value: Tensor) -> tuple[Tensor, ...]:
        """Returns the log-density of each part, whose sum is that of the whole.

        Raises:
            ValueError: As of `log_prob`.
        """
        check_event(value, self.event_shape[0], batch=self.batch_shape)
        values = value.split(self.sizes, dim=-1)
        return tuple(part.log_prob(own) for part, own in zip(self.parts, values, strict=True))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Returns draws (*sample, *batch, D), of the first part's dtype."""
        drawn = [part.sample(Size(sample_shape)) for part in self.parts]
        return torch.cat([part.to(drawn[0].dtype) for part in drawn], dim=-1)

    def tempered(self, mixing: float | Tensor = 1.0, scale: float | Tensor = 1.0) -> Product:
        """Returns the product of the tempered parts (:meth:`Mixture.tempered`).

        Raises:
            ValueError: If one of the temperatures is not positive.
        """
        parts = [part.tempered(mixing=mixing, scale=scale) for part in self.parts]
        return Product(parts, validate_args=self._validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Product | None = None) -> Product:
        new = self._get_checked_instance(Product, _instance)
        new.parts = [part.expand(Size(batch_shape)) for part in self.parts]
        super(Product, new).__init__(Size(batch_shape), self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.parts))})"
