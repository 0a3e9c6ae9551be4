"""A flow that sees some of the context."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Transform

from seqmdn.flows.flow import Flow, require_sizes

__all__ = ["Conditioned", "context_columns"]


class Conditioned(Flow):
    r"""Conditions a flow on some columns of the context, :math:`f(y | h_C)`.

    In a :class:`seqmdn.flows.Sequential`, this gives each part a context of its own; with no
    columns at all, the part is the same map at every step.

    Args:
        features: Number of features D.
        context: Number of context features H.
        flow: Makes the flow from (features, number of columns).
        columns: Indices of the columns of the context, from 0, a list or a range.

    Raises:
        ValueError: If a column is out of range or named twice, and what the flow raises.

    Example:
        >>> from seqmdn.flows import AffineCoupling
        >>> flow = Conditioned(3, 100, AffineCoupling, columns=range(20))
        >>> flow(torch.zeros(7, 100))(torch.randn(7, 3)).shape
        torch.Size([7, 3])
    """

    columns: Tensor  # (C,)

    def __init__(
        self,
        features: int,
        context: int,
        flow: Callable[[int, int], nn.Module],
        columns: list[int] | range,
    ) -> None:
        require_sizes(context, features=features)
        chosen = context_columns(columns, context)
        super().__init__(features, context, [])
        self.transforms.append(flow(features, len(chosen)))
        self.register_buffer("columns", chosen, persistent=False)

    @torch.no_grad()
    def initialise(self, values: Tensor, context: Tensor | None = None) -> None:
        """Set what the flow takes from data; see :meth:`Flow.initialise`."""
        super().initialise(values, self._given(context))

    def _transform(self, context: Tensor | None) -> Transform:
        return self.transforms[0](self._given(context))

    def _given(self, context: Tensor | None) -> Tensor | None:
        if context is None or not len(self.columns):
            return None
        return context.index_select(-1, self.columns)


def context_columns(columns: Sequence[int], context: int) -> Tensor:
    """Return the columns as indices (C,), or raise ValueError if they do not fit the context."""
    chosen = list(columns)
    outside = [column for column in chosen if not 0 <= column < context]
    if outside:
        whole = f"has columns 0 to {context - 1}" if context else "has none"
        raise ValueError(f"the context {whole}, found {outside} among the columns to condition on")
    twice = sorted({column for column in chosen if chosen.count(column) > 1})
    if twice:
        raise ValueError(f"each column of the context is named once, found {twice} more often")
    return torch.tensor(chosen, dtype=torch.long)
