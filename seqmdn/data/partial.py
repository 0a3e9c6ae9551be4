"""A reversible transform of some features, beside others that stay as they are."""

from __future__ import annotations

__all__ = ["Partial"]

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor

from seqmdn.data.transforms import Standardise, Transform


class Partial(Transform):
    r"""Transforms the first C features and leaves the others, such as bits, as they are.

    .. math:: z = (f(y_{1:C}), y_{C+1:D}), \qquad \log |\det \partial z / \partial y|
        = \log |\det \partial f / \partial y_{1:C}|

    Args:
        features: D.
        transform: Makes f from its number of features C.
        columns: C, between 1 and D.

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
    ) -> None:
        super().__init__()
        if not 1 <= columns <= features:
            raise ValueError(
                f"Partial expected to transform between 1 and all {features} features, found "
                f"{columns}"
            )
        self.columns = columns
        self.first = transform(columns)

    def fit(self, values: Tensor, observed: Tensor | None = None) -> Self:
        C = self.columns
        self.first.fit(values[..., :C], None if observed is None else observed[..., :C])
        return self

    def call_and_ladj(self, y: Tensor, observed: Tensor | None = None) -> tuple[Tensor, Tensor]:
        C, rest = self.columns, y[..., self.columns :]
        if observed is None:
            z, ladj = self.first.call_and_ladj(y[..., :C])
        else:
            z, ladj = self.first.call_and_ladj(y[..., :C], observed[..., :C])
            rest = rest.where(observed[..., C:], 0)
        return torch.cat((z, rest), dim=-1), ladj

    def inverse(self, z: Tensor) -> Tensor:
        C = self.columns
        return torch.cat((self.first.inverse(z[..., :C]), z[..., C:]), dim=-1)

    def ladj(self) -> float | None:
        return self.first.ladj()

    def extra_repr(self) -> str:
        return f"columns={self.columns}"
