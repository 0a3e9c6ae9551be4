"""Bounded frames on the real line."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from torch.distributions import Transform

from seqmdn import data
from seqmdn.flows.flow import Flow, VectorTransform, require_sizes

__all__ = ["Logit"]


class Logit(Flow):
    r"""Maps the open interval (low, high) of each feature to the real line.

    .. math:: z = (\log(y - \text{low}) - \log(\text{high} - y) - \mu) / \sigma

    It is :class:`seqmdn.data.Logit` in the place of a flow: to stand before other flows, or behind
    a data transform that is not the last word. A model of bounded data needs it once, there or
    here. It learns nothing by gradients and looks at no context: :math:`\mu, \sigma` are 0 and 1
    until ``initialise`` takes them from frames. It is not the identity: the density that a head
    with it begins with is that of its mixture of z, and is nothing outside the interval.

    Args:
        features: Number of features D.
        context: Number of context features H, which are not looked at.
        low: Lower border, one for all features or one for each.
        high: Upper border, likewise.

    Raises:
        ValueError: If low is not below high, or a value to map is not inside the interval.

    Example:
        >>> z, ladj = Logit(1, low=0.0, high=17.0)().call_and_ladj(torch.tensor([8.5]))
        >>> z.item(), round(ladj.item(), 4)  # the slope in the middle is 4 / 17
        (0.0, -1.4469)
    """

    def __init__(
        self,
        features: int,
        context: int = 0,
        low: float | list[float] = 0.0,
        high: float | list[float] = 1.0,
    ) -> None:
        require_sizes(context, features=features)
        super().__init__(features, context, [])
        self.logit = data.Logit(
            features, cast("float | Sequence[float]", low), cast("float | Sequence[float]", high)
        )

    @torch.no_grad()
    def initialise(self, values: Tensor, context: Tensor | None = None) -> None:
        """Give the logits of these frames ``(N, D)`` mean 0 and standard deviation 1."""
        self.logit.fit(values)

    def _transform(self, context: Tensor | None) -> Transform:
        return _LogitTransform(self.logit)


class _LogitTransform(VectorTransform):
    def __init__(self, logit: data.Logit) -> None:
        super().__init__()
        self.logit = logit

    def call_and_ladj(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.logit.call_and_ladj(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.logit.inverse(y)
