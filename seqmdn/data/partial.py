"""A reversible transform of some features, beside others that have another one or none."""

from __future__ import annotations

__all__ = ["Partial"]

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor

from seqmdn.data.transforms import Identity, Standardise, Transform


class Partial(Transform):
    r"""Transforms the first C features and leaves the others, such as bits, as they are.

    .. math:: z = (f(y_{1:C}), g(y_{C+1:D})), \qquad \log |\det \partial z / \partial y|
        = \log |\det \partial f / \partial y_{1:C}| + \log |\det \partial g / \partial y_{C+1:D}|

    The others may have a transform g of their own, and that be a partial one again.

    Args:
        features: D.
        transform: Makes f from its number of features C.
        columns: C, between 1 and D.
        rest: Makes g from its number of features D - C; the identity by default.

    Raises:
        ValueError: If C is out of range.

    Example:
        >>> partial = Partial(3).fit(torch.tensor([[0.0, 5.0, 0.0], [4.0, 9.0, 1.0]]))
        >>> partial(torch.tensor([6.0, 5.0, 1.0])).tolist()
        [2.0, -1.0, 1.0]
    """

    def __init__(
        self,
        features: int,
        transform: Callable[[int], Transform] = Standardise,
        columns: int = 2,
        rest: Callable[[int], Transform] | None = None,
    ) -> None:
        super().__init__()
        if not 1 <= columns <= features:
            raise ValueError(
                f"Partial expected to transform between 1 and all {features} features, found "
                f"{columns}"
            )
        self.columns = columns
        self.first = transform(columns)
        self.rest = Identity() if rest is None else rest(features - columns)

    def fit(self, values: Tensor, observed: Tensor | None = None) -> Self:
        for transform, own in self._maps():
            transform.fit(values[..., own], None if observed is None else observed[..., own])
        return self

    def call_and_ladj(self, y: Tensor, observed: Tensor | None = None) -> tuple[Tensor, Tensor]:
        found = [
            transform.call_and_ladj(y[..., own], None if observed is None else observed[..., own])
            for transform, own in self._maps()
        ]
        (z, ladj), (others, of_others) = found
        return torch.cat((z, others), dim=-1), ladj + of_others

    def inverse(self, z: Tensor) -> Tensor:
        return torch.cat([each.inverse(z[..., own]) for each, own in self._maps()], dim=-1)

    def ladj(self) -> float | None:
        first, rest = self.first.ladj(), self.rest.ladj()
        return None if first is None or rest is None else first + rest

    def extra_repr(self) -> str:
        return f"columns={self.columns}"

    def _maps(self) -> list[tuple[Transform, slice]]:
        """Gives both maps, and which features are theirs."""
        return [(self.first, slice(None, self.columns)), (self.rest, slice(self.columns, None))]
