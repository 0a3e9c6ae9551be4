"""A long short-term memory whose gates are layers of mixtures."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from seqmdn.backbones.ugmm.linear import UGMMLinear

__all__ = ["UGMMCell"]


class UGMMCell(nn.Module):
    r"""One step of an LSTM in which neurons that are mixtures take the place of affine maps.

    .. math:: (i, f, g, o) = G \circ y + b, \quad y = \text{UGMMLinear}(x_t, h_{t-1}), \quad
        c_t = \sigma(f) \circ c_{t-1} + \sigma(i) \circ \tanh(g), \quad
        h_t = \sigma(o) \circ \tanh(c_t)

    A log-density has a level of its own and falls with the square of a distance, while a gate wants
    numbers around 0; each neuron therefore has a gain and a bias behind it, two numbers beside
    3 (X + H). The gain lets a gate close where its inputs are as expected, by a negative sign. The
    bias begins such that a gate sees 0, and the forget gate 1, where all inputs are 0.

    Args:
        input_size: X.
        hidden_size: H.
        dropout: Of components of the neurons, in training; the same for all rows.
        tied_means: Whether the neurons' means are tied (:class:`UGMMLinear`).

    Raises:
        ValueError: As :class:`UGMMLinear` does, and if the state does not fit.

    Example:
        >>> cell = UGMMCell(3, 8)
        >>> h, c = cell(torch.zeros(5, 3))
        >>> h, c = cell(torch.ones(5, 3), (h, c))
        >>> h.shape, c.shape
        (torch.Size([5, 8]), torch.Size([5, 8]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        dropout: float = 0.0,
        tied_means: bool = False,
    ) -> None:
        super().__init__()
        for name, size in {"input_size": input_size, "hidden_size": hidden_size}.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, found {size}")
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.gates = UGMMLinear(input_size + hidden_size, 4 * hidden_size, dropout, tied_means)
        self.gain = nn.Parameter(torch.ones(4 * hidden_size))
        self.bias = nn.Parameter(torch.empty(4 * hidden_size))
        self._begin()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the neurons anew, and place gains and biases for them."""
        self.gates.reset_parameters()
        nn.init.ones_(self.gain)
        self._begin()

    @torch.no_grad()
    def _begin(self) -> None:
        training = self.gates.training
        level = self.gates.eval()(self.gates.log_scale.new_zeros(self.gates.in_features))
        self.gates.train(training)
        self.bias.copy_(-level)
        # Gates lie in the order input, forget, cell, output.
        self.bias[self.hidden_size : 2 * self.hidden_size] += 1

    def forward(
        self, x: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Go one step on.

        Args:
            x: Inputs ``(B, X)``.
            state: h and c ``(B, H)`` of the step before, None at the start of a sequence.

        Returns:
            h and c ``(B, H)``.
        """
        return self._step(self.gates.drawn(), x, state)

    def run(
        self, x: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Go over a stretch of a sequence, with the same components dropped in all of its steps.

        Args:
            x: Inputs ``(B, T, X)``.
            state: h and c ``(B, H)`` of the step before, None at the start of a sequence.

        Returns:
            h of all steps ``(B, T, H)``, and h and c ``(B, H)`` of the last.
        """
        gates, outputs = self.gates.drawn(), []
        for step in x.unbind(1):
            state = self._step(gates, step, state)
            outputs.append(state[0])
        if state is None:
            raise ValueError(f"x must have a step or more, found shape {tuple(x.shape)}")
        return torch.stack(outputs, dim=1), state

    def extra_repr(self) -> str:
        return f"input_size={self.input_size}, hidden_size={self.hidden_size}"

    def _step(
        self, gates: Callable[[Tensor], Tensor], x: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        if state is None:
            zero = x.new_zeros(*x.shape[:-1], self.hidden_size)
            state = zero, zero
        h, c = state
        expected = (*x.shape[:-1], self.hidden_size)
        if h.shape != expected or c.shape != expected:
            raise ValueError(
                f"state must hold 2 tensors of shape {expected}, found {tuple(h.shape)} and "
                f"{tuple(c.shape)}"
            )
        y = gates(torch.cat((x, h.to(x.dtype)), dim=-1))
        i, f, g, o = torch.addcmul(self.bias, y, self.gain).chunk(4, dim=-1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c
