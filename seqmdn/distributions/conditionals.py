"""What makes the mixture of each group of features, given the groups before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Size, Tensor

from seqmdn.distributions.gaussian import LowRankPrecisionNormal
from seqmdn.distributions.mixture import Mixture
from seqmdn.distributions.weights import normalised_weights

__all__ = ["Conditionals", "Rest", "Tempered"]


class Conditionals(Protocol):
    """Makes the mixtures of G groups of S features, D = G S, each given the groups before it.

    A frame has its features in the order of the density here: group g is features g S to (g + 1) S.
    """

    def every(self, frame: Tensor) -> Mixture:
        """Returns the mixture of each group, of batch shape (*sample, *batch, G), in one pass.

        Args:
            frame: (*sample, *batch, D), of which the mixture of group g depends on groups before g.
        """
        ...

    def one(self, group: int, before: Tensor) -> Mixture:
        """Returns the mixture of group g, of batch shape (*sample, *batch).

        Args:
            group: g.
            before: the groups before it, (*sample, *batch, g S).
        """
        ...

    def nothing(self, shape: Size) -> Tensor:
        """Returns frames without a feature yet, (*shape, 0), of the mixtures' device and dtype."""
        ...


@dataclass(frozen=True)
class Rest:
    r"""The conditionals of the groups from `first` on, given the features before them.

    .. math:: p(y_{\ge g}) = \prod_{j \ge g} p(y_j \mid y_{<j})

    with :math:`y_{<g}` fixed at what is known.

    Args:
        whole: the conditionals of all groups.
        known: the features of the groups before `first`, (*sample, *batch, first S).
        first: the group g that is the first one here.
    """

    whole: Conditionals
    known: Tensor  # (*sample, *batch, first S)
    first: int

    def every(self, frame: Tensor) -> Mixture:
        mixtures: Any = self.whole.every(self._joined(frame))
        if hasattr(mixtures, "after"):  # levels, which are no Gaussians
            own: Mixture = mixtures.after(self.first)
            return own
        rest, components = slice(self.first, None), mixtures.component_distribution
        return Mixture(
            normalised_weights(mixtures.mixture_distribution.logits[..., rest, :]),
            LowRankPrecisionNormal(
                components.loc[..., rest, :, :],
                components.diagonal[..., rest, :, :],
                components.factor[..., rest, :, :, :],
            ),
        )

    def one(self, group: int, before: Tensor) -> Mixture:
        return self.whole.one(self.first + group, self._joined(before))

    def nothing(self, shape: Size) -> Tensor:
        return self.whole.nothing(shape)

    def _joined(self, frame: Tensor) -> Tensor:
        """Returns the frame after what is known of it, (*sample, *batch, first S + ...)."""
        batch = torch.broadcast_shapes(frame.shape[:-1], self.known.shape[:-1])
        return torch.cat((self.known.expand(*batch, -1), frame.expand(*batch, -1)), dim=-1)


@dataclass(frozen=True)
class Tempered:
    """The conditionals with tempered weights and covariances; see :meth:`Mixture.tempered`.

    Args:
        whole: the conditionals as they are.
        mixing: positive, a number or (*batch,).
        scale: positive, a number or (*batch,).

    Raises:
        ValueError: If one of them is not positive.
    """

    whole: Conditionals
    mixing: float | Tensor
    scale: float | Tensor

    def __post_init__(self) -> None:
        # Here and not with the first mixture: whoever asks for a temperature hears of it at once.
        for name, number in (("mixing", self.mixing), ("scale", self.scale)):
            if not bool((torch.as_tensor(number) > 0).all()):
                raise ValueError(f"{name} must be positive; found {number}.")

    def every(self, frame: Tensor) -> Mixture:
        mixing, scale = (
            t.unsqueeze(-1) if isinstance(t, Tensor) and t.dim() else t
            for t in (self.mixing, self.scale)
        )
        return self.whole.every(frame).tempered(mixing, scale)

    def one(self, group: int, before: Tensor) -> Mixture:
        return self.whole.one(group, before).tempered(self.mixing, self.scale)

    def nothing(self, shape: Size) -> Tensor:
        return self.whole.nothing(shape)
