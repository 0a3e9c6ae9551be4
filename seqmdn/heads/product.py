"""Frames of independent parts: a head for each of them."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from seqmdn.distributions import Product

__all__ = ["ProductHead"]


class ProductHead(nn.Module):
    r"""A head for each part of a frame; given h, the parts are independent of each other.

    .. math:: p(y | h) = \prod_i p_i(y_i | h)

    Args:
        features: Number of features D of a frame, those of all parts together.
        context: Number of features H of h.
        parts: Of each part its number of features, and what makes its head from that and H, in the
            order in which they stand in a frame.

    Raises:
        ValueError: If the parts' features are not those of the frame, and what a head raises.

    Example:
        >>> from seqmdn.heads import MixtureHead
        >>> head = ProductHead(features=33, context=16, parts=[(32, MixtureHead), (1, MixtureHead)])
        >>> distribution = head(torch.zeros(5, 10, 16))
        >>> distribution.batch_shape, [part.event_shape[0] for part in distribution.parts]
        (torch.Size([5, 10]), [32, 1])
    """

    def __init__(
        self,
        features: int,
        context: int,
        parts: Sequence[tuple[int, Callable[[int, int], nn.Module]]],
    ) -> None:
        super().__init__()
        self.sizes = [size for size, _ in parts]
        if not parts or min(self.sizes) < 1 or sum(self.sizes) != features:
            raise ValueError(
                f"expected parts of 1 feature or more, {features} together, found {self.sizes}"
            )
        self.features = features
        self.context = context
        self.parts = nn.ModuleList(make(size, context) for size, make in parts)

    def forward(self, h: Tensor) -> Product:
        """Return the density of the next frame.

        Args:
            h: Features ``(*batch, H)``.

        Returns:
            A distribution with batch shape ``batch`` and event shape ``(D,)``.

        Raises:
            ValueError: If h does not have H features.
        """
        return Product([part(h) for part in self.parts])

    def draw(self, h: Tensor, mixing: float = 1.0, scale: float = 1.0) -> Tensor:
        """Draw a frame of each context, see :meth:`MixtureHead.draw`.

        Args:
            h: Features ``(*batch, H)``.
            mixing: Temperature of the mixing weights of every part.
            scale: Temperature of their covariances.

        Returns:
            ``(*batch, D)``.
        """
        if torch.is_grad_enabled():  # asked, as a decorator costs more in a loop that has none
            with torch.no_grad():
                return self.draw(h, mixing, scale)
        drawn = [_draw(part, h, mixing, scale) for part in self.parts]
        return torch.cat([part.to(drawn[0].dtype) for part in drawn], dim=-1)

    @torch.no_grad()
    def initialise(self, values: Tensor) -> None:
        """Place every part's head on its features of the data, where it can be placed.

        Args:
            values: Frames ``(N, D)`` in the head's units.

        Raises:
            ValueError: If the frames have other features than the head, or are too few for a part.
        """
        if values.ndim != 2 or values.shape[1] != self.features:
            raise ValueError(
                f"values must have shape (N, {self.features}), found {tuple(values.shape)}"
            )
        for part, own in zip(self.parts, values.split(self.sizes, dim=1), strict=True):
            place = getattr(part, "initialise", None)
            if place is not None:
                place(own)

    def extra_repr(self) -> str:
        return f"features={self.features}, sizes={self.sizes}"


def _draw(head: Any, h: Tensor, mixing: float, scale: float) -> Tensor:
    """Draw by the head's own way, if it has one."""
    if hasattr(head, "draw"):
        drawn: Tensor = head.draw(h, mixing, scale)
    else:
        drawn = head(h).tempered(mixing, scale).sample()
    return drawn
