"""Frames of numbers and bits: any head for the numbers, and what ends beside it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from seqmdn.distributions import Bits, Joint
from seqmdn.distributions.bits import draw_bits
from seqmdn.heads.mixture import MixtureHead
from seqmdn.linalg import widen

__all__ = ["JointHead"]


class JointHead(nn.Module):
    r"""Any head for the continuous features of a frame, beside the bits behind them.

    .. math:: p(y, b | h) = p(y | h) \prod_e P(b_e | b_{<e}, h)

    The last bit says that the sequence ends with its frame, which the data mark (``mark_end``): a
    draw ends by itself then. Of a pen, another bit ends strokes (:class:`StrokeHead`).

    Args:
        features: Number of features D of a frame: C continuous ones and at least one bit.
        context: Number of features H of h.
        columns: Number C of continuous features.
        continuous: Makes their head from (C, H).

    Raises:
        ValueError: If there is no bit behind the continuous features, and what their head raises.

    References:
        A Neural Representation of Sketch Drawings (Ha, Eck, 2018), for an end that is learnt.

    Example:
        >>> head = JointHead(features=201, context=16, columns=200)
        >>> distribution = head(torch.zeros(5, 10, 16))
        >>> distribution.batch_shape, distribution.sample()[0, 0, 200:].shape
        (torch.Size([5, 10]), torch.Size([1]))
    """

    def __init__(
        self,
        features: int,
        context: int,
        columns: int,
        continuous: Callable[[int, int], nn.Module] = MixtureHead,
    ) -> None:
        super().__init__()
        if not 1 <= columns < features:
            raise ValueError(
                f"expected frames of {columns} continuous features and at least one bit behind "
                f"them, found {features} features: use data with bits, such as the eos of strokes "
                "or the mark of the end (--data.mark_end true), or another head"
            )
        self.features = features
        self.context = context
        self.columns = columns
        self.continuous = continuous(columns, context)
        bits = features - columns
        self.bits = nn.Linear(context, bits + bits * (bits - 1) // 2)
        with torch.no_grad():
            # Like the parameters of the others, they hardly depend on h in the beginning.
            self.bits.weight.mul_(0.1)
            self.bits.bias.zero_()

    def forward(self, h: Tensor) -> Joint:
        """Return the density of the next frame.

        Args:
            h: Features ``(*batch, H)``.

        Returns:
            A distribution with batch shape ``batch`` and event shape ``(D,)``.

        Raises:
            ValueError: If h does not have H features.
        """
        return Joint(self.continuous(h), Bits(*self._split(widen(self.bits(h)))))

    def draw(self, h: Tensor, mixing: float = 1.0, scale: float = 1.0, bits: float = 1.0) -> Tensor:
        """Draw a frame of each context, see :meth:`MixtureHead.draw`.

        Args:
            h: Features ``(*batch, H)``.
            mixing: Temperature of the mixing weights of the continuous features.
            scale: Temperature of their covariances.
            bits: Temperature of the bits.

        Returns:
            ``(*batch, D)``.
        """
        if torch.is_grad_enabled():  # asked, as a decorator costs more in a loop that has none
            with torch.no_grad():
                return self.draw(h, mixing, scale, bits)
        draw: Any = getattr(self.continuous, "draw", None)
        if draw is None:
            y = self.continuous(h).tempered(mixing, scale).sample()
        else:
            y = draw(h, mixing, scale)
        raw = widen(self.bits(h))
        logits, couplings = self._split(raw if bits == 1 else raw / bits)
        return torch.cat((y, draw_bits(logits, couplings).to(y.dtype)), dim=-1)

    @torch.no_grad()
    def initialise(self, values: Tensor) -> None:
        """Place the continuous features' head on the data, and the bits at how often they are set.

        Args:
            values: Frames ``(N, D)`` in the head's units.

        Raises:
            ValueError: If the frames have other features than the head, or are too few for it.
        """
        if values.ndim != 2 or values.shape[1] != self.features:
            raise ValueError(
                f"values must have shape (N, {self.features}), found {tuple(values.shape)}"
            )
        place = getattr(self.continuous, "initialise", None)
        if place is not None:
            place(values[:, : self.columns])
        bits = values[:, self.columns :]
        # Half a frame more of each kind: a bit that was never set may be, one day.
        often = (bits.sum(0) + 0.5) / (len(bits) + 1)
        self.bits.bias.zero_()
        self.bits.bias[: bits.shape[1]] = often.logit()

    def last(self, frame: Tensor) -> Tensor | None:
        """Say which frames ``(..., D)`` end their sequence: the last bit does."""
        return frame[..., -1] > 0.5

    def _split(self, raw: Tensor) -> tuple[Tensor, Tensor | None]:
        """Name the parts of what the bits' projection gives: logits and couplings."""
        count = self.features - self.columns
        return raw[..., :count], raw[..., count:] if count > 1 else None

    def extra_repr(self) -> str:
        return f"features={self.features}, columns={self.columns}"
