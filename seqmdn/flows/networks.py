"""Networks that give the parameters of univariate maps, frames last."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Parameters", "frames_last"]

# Frames at a time: few enough that what an operation takes and gives stays near a core, and enough
# that calling it costs little beside it.
BLOCK = 2048


class Parameters:
    r"""Evaluates a network for frames and their contexts, with the frames along the last axis.

    What is innermost in memory is what univariate maps go along: were it a few features or bins,
    each operation would be many short loops. The part of the first layer that looks at the context
    is computed once for each context, not for each draw.

    Args:
        network: Linear layers with activations between them.
        weights: Their weights as they are to be used; the first takes frames before contexts.
        count: Number P of parameters of one map, innermost in what the network gives.
        context: ``(*batch, H)``, or None.
    """

    def __init__(
        self, network: nn.Sequential, weights: Sequence[Tensor], count: int, context: Tensor | None
    ) -> None:
        self.count = count
        self.batch: torch.Size = torch.Size() if context is None else context.shape[:-1]
        self.weights = list(weights)
        linear: list[Any] = [layer for layer in network if hasattr(layer, "bias")]
        self.biases: list[Tensor] = [layer.bias.unsqueeze(1) for layer in linear]
        self.activations = [layer for layer in network if not hasattr(layer, "bias")]
        # The parameters of one kind side by side, so that each is one block of memory.
        for tensors in (self.weights, self.biases):
            tensors[-1] = tensors[-1].unflatten(0, (-1, count)).transpose(0, 1).flatten(0, 1)
        if context is not None:
            seen = self.weights[0].shape[1] - context.shape[-1]
            self.weights[0], looks = self.weights[0][:, :seen], self.weights[0][:, seen:]
            columns = context.reshape(-1, context.shape[-1]).mT
            self.biases[0] = torch.addmm(self.biases[0], looks, columns)  # (W, B)

    def each(
        self, apply: Callable[..., Sequence[Tensor]], lead: torch.Size, *frames: Tensor
    ) -> list[Tensor]:
        """Return what a function gives for all frames, block by block.

        Args:
            apply: Called with the first layer's share of the context and a block of each of the
                frames; returns tensors with the block along their last axis.
            lead: The leading shape of the frames, to which that of the contexts broadcasts.
            frames: ``(..., N)`` each.
        """
        count = frames[0].shape[-1]
        given = self._given(lead)
        # A graph leaves the number of frames open, and with it that of the blocks.
        if torch.compiler.is_exporting() or count <= BLOCK:
            return list(apply(given, *frames))
        parts = [given] * -(-count // BLOCK) if given.shape[1] == 1 else given.split(BLOCK, dim=1)
        blocks = zip(parts, *(tensor.split(BLOCK, dim=-1) for tensor in frames), strict=True)
        return [torch.cat(made, dim=-1) for made in zip(*(apply(*b) for b in blocks), strict=True)]

    def __call__(self, given: Tensor, seen: Tensor) -> Tensor:
        """Return the parameters ``(P, M, N)`` for what the network sees of N frames ``(A, N)``."""
        x = torch.addmm(given, self.weights[0], seen)
        if len(self.weights) > 1:
            x = torch.addmm(self.biases[-1], self.weights[-1], self._last(x))
        return x.unflatten(0, (self.count, -1))

    def see(self, x: Tensor, value: Tensor, feature: int) -> Tensor:
        """Return what the first layer gives ``(W, N)``, with one feature ``(1, N)`` more."""
        return torch.addmm(x, self.weights[0][:, feature : feature + 1], value)

    def of(self, x: Tensor, feature: int) -> Tensor:
        """Return the parameters ``(P, 1, N)`` of one map, by what the first layer gives."""
        if len(self.weights) > 1:
            bias, weight = (
                tensors[-1].unflatten(0, (self.count, -1))[:, feature]
                for tensors in (self.biases, self.weights)
            )
            x = torch.addmm(bias, weight, self._last(x))
        else:
            x = x.unflatten(0, (self.count, -1))[:, feature]
        return x.unsqueeze(1)

    def _last(self, x: Tensor) -> Tensor:
        """Return what the last layer sees, by what the first one gives."""
        for activation, weight, bias in zip(
            self.activations, self.weights[1:-1], self.biases[1:-1], strict=False
        ):
            x = torch.addmm(bias, weight, activation(x))
        last: Tensor = self.activations[-1](x)
        return last

    def _given(self, lead: torch.Size) -> Tensor:  # (W, 1) or (W, N)
        given = self.biases[0]
        if given.shape[1] == 1 or self.batch == lead:
            return given
        batch = (*(1,) * (len(lead) - len(self.batch)), *self.batch)
        return given.unflatten(1, batch).expand(-1, *lead).flatten(1)


def frames_last(
    frames: Tensor,  # (*sample, D)
    batch: torch.Size,
) -> tuple[Tensor, torch.Size]:  # (D, N), the leading shape of N frames
    """Return the frames as columns, one for each place of the batch that they broadcast to."""
    lead = torch.broadcast_shapes(frames.shape[:-1], batch)
    return frames.expand(*lead, -1).reshape(-1, frames.shape[-1]).mT, lead
