"""What a sequence model asks of its backbone."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.autograd import Function

__all__ = ["Backbone", "State", "check_arguments", "clip_gradient"]

State = tuple[Tensor, ...]


class Backbone(nn.Module, ABC):
    """A network over time whose state goes in and comes out.

    ``forward(x, state)`` takes x ``(B, T, X)`` and returns h ``(B, T, H)`` and the state after the
    last step. Running one step at a time, handing the state on, gives what running all at once
    gives. Every tensor of a state is batch first, so that a batch can be cut or gathered.

    Attributes:
        inputs: X.
        features: H.
    """

    inputs: int
    features: int

    @abstractmethod
    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Run over a stretch of a sequence.

        Args:
            x: Inputs ``(B, T, X)``.
            state: What the call before returned, or None at the start of a sequence.

        Returns:
            h ``(B, T, H)`` and the state after step T.

        Raises:
            ValueError: If the inputs or the state do not fit.
        """

    def begin(self, text: Tensor) -> State:
        """Return the state before the first step of sequences that say these texts.

        Args:
            text: Unicode code points ``(B, U)``, padded with 0.

        Raises:
            ValueError: If this backbone does not read texts.
        """
        raise ValueError(
            f"a {type(self).__name__} does not read texts: use seqmdn.backbones.WindowBackbone, or "
            "data without text (--data.text false)"
        )

    def finished(self, state: State) -> Tensor | None:
        """Say which sequences ``(B,)`` have said all of their text, None where there is none."""
        return None

    def _check_inputs(self, x: Tensor) -> None:
        if x.ndim != 3 or x.shape[-1] != self.inputs:
            raise ValueError(f"x must have shape (B, T, {self.inputs}), found {tuple(x.shape)}")


def check_arguments(sizes: Mapping[str, int], dropout: float, clip: float | None) -> None:
    """Refuse what no backbone can be made of.

    Raises:
        ValueError: If a size is below 1, dropout is outside [0, 1), or the clip is not positive.

    Example:
        >>> check_arguments({"hidden": 8}, dropout=0.0, clip=None)
    """
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, found {size}")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must lie in [0, 1), found {dropout}")
    if clip is not None and not clip > 0:
        raise ValueError(f"clip must be positive, found {clip}")


def clip_gradient(x: Tensor, limit: float | None) -> Tensor:
    """Return x, and let no entry of its gradient through that is larger than the limit.

    Example:
        >>> import torch
        >>> x = torch.zeros(2, requires_grad=True)
        >>> (clip_gradient(x, 0.5) * torch.tensor([0.1, 3.0])).sum().backward()
        >>> x.grad
        tensor([0.1000, 0.5000])
    """
    clipped: Tensor = x if limit is None else _ClipGradient.apply(x, limit)
    return clipped


class _ClipGradient(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, limit: float) -> Tensor:
        ctx.limit = limit
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient.clamp(-ctx.limit, ctx.limit), None
