"""The order in which the features of a frame are taken, group by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

__all__ = ["Turns"]


@dataclass(frozen=True)
class Turns:
    """An order of D features that are taken in G groups of S, D = G S.

    Args:
        order: the features 0 to D - 1, each once, in the order in which they are taken.
        group: S, features a group; divides D.

    Raises:
        ValueError: If the order is no permutation, or the group does not divide it.

    Example:
        >>> import torch
        >>> turns = Turns([2, 3, 0, 1], group=2)
        >>> frame = torch.tensor([0.0, 1.0, 2.0, 3.0])
        >>> turns.grouped(turns.ordered(frame))
        tensor([[2., 3.],
                [0., 1.]])
        >>> turns.front([3, 2])
        [2, 3]
    """

    order: list[int]
    group: int

    def __post_init__(self) -> None:
        if sorted(self.order) != list(range(len(self.order))):
            raise ValueError(
                f"order must name each of the features 0 to {len(self.order) - 1} once; found"
                f" {self.order}."
            )
        if self.group < 1 or len(self.order) % self.group:
            raise ValueError(
                f"groups must have one size that divides the {len(self.order)} features; found"
                f" {self.group}."
            )

    @property
    def groups(self) -> int:
        """G, the number of groups."""
        return len(self.order) // self.group

    def ordered(self, value: Tensor) -> Tensor:
        """Returns values (*batch, D) with their features in this order."""
        return value[..., self.order]

    def restored(self, frame: Tensor) -> Tensor:
        """Returns frames (*batch, D) in this order with their features as they were."""
        places = sorted(range(len(self.order)), key=self.order.__getitem__)
        return frame[..., places]

    def grouped(self, frame: Tensor) -> Tensor:  # (*batch, G, S)
        """Returns frames (*batch, D) in this order by groups."""
        return frame.unflatten(-1, (-1, self.group))

    def front(self, known: Sequence[int]) -> list[int]:
        """Returns the known features in this order.

        Raises:
            NotImplementedError: If they are not whole groups at its front.
        """
        front = self.order[: len(known)]
        if set(front) != set(known) or len(known) % self.group:
            raise NotImplementedError(_ONLY_FRONT.format("condition", self.order))
        return front

    def check_no_gap(self, seen: Tensor) -> None:  # (*batch, G, S)
        """Raises NotImplementedError if a feature was seen after a group that was not, or in part.

        Args:
            seen: by groups, True where a feature was observed.
        """
        gap = (~seen.all(-1)).cumsum(-1)  # groups with a gap, up to this one
        if bool((seen[..., 1:, :].any(-1) & (gap[..., :-1] > 0)).any()):
            raise NotImplementedError(
                _ONLY_FRONT.format("log_prob of some features (a mask)", self.order)
            )


_ONLY_FRONT = (
    "{} of an autoregressive density is exact for whole groups at the front of its order {} only:"
    " any other features would have to be integrated out. Give the head an order with what is known"
    " at its front, or use a MixtureHead, which has them all."
)
