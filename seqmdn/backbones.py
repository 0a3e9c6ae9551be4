"""Recurrent backbones: (x, state) -> (h, state), state in and state out."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

__all__ = ["Backbone", "GRUBackbone", "LSTMBackbone"]

State = tuple[Tensor, ...]


class Backbone(nn.Module, ABC):
    r"""What a sequence model asks of its backbone.

    ``forward(x, state)`` takes x ``(B, T, X)`` and returns h ``(B, T, H)`` and the state after the
    last step. Running one step at a time, handing the state on, gives what running all at once
    gives. ``features`` is H. With layers :math:`h^1 \dots h^N`:

    .. math:: h_t^n = f(x_t^n, h_{t-1}^n), \quad
        x_t^n = \begin{cases} h_t^{n-1} \\ (h_t^{n-1}, x_t) & \text{skip} \end{cases}, \quad
        h_t = \begin{cases} h_t^N \\ (h_t^1, \dots, h_t^N) & \text{skip} \end{cases}

    and with ``bypass`` :math:`(h_t, x_t)` in place of :math:`h_t`.

    Args:
        inputs: Number of input features X.
        hidden: Units of each layer.
        layers: Number of layers.
        dropout: Probability with which each unit of every layer's output is dropped in training.
        skip: Connect the input to every layer, and every layer to the output (Graves' form): h is
            then the concatenation of all layers, ``H = layers * hidden``.
        bypass: Hand the input on beside the layers, so that what is made of h can follow the last
            frame linearly, also beyond where the layers' bounded units reach: H grows by X.

    Raises:
        ValueError: If a size is below 1, dropout is outside [0, 1), or an input or a state does not
            fit.
    """

    parts: int  # tensors of a state

    def __init__(
        self,
        inputs: int,
        hidden: int = 128,
        layers: int = 1,
        dropout: float = 0.0,
        skip: bool = False,
        bypass: bool = False,
    ) -> None:
        super().__init__()
        for name, size in {"inputs": inputs, "hidden": hidden, "layers": layers}.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, found {size}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), found {dropout}")
        self.inputs = inputs
        self.hidden = hidden
        self.skip = skip
        self.bypass = bypass
        self.features = (layers * hidden if skip else hidden) + inputs * bypass
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            self.layer(inputs if i == 0 else hidden + inputs * skip, hidden) for i in range(layers)
        )

    @staticmethod
    @abstractmethod
    def layer(inputs: int, hidden: int) -> nn.Module:
        """Make one recurrent layer, batch first."""

    @abstractmethod
    def run_layer(self, layer: nn.Module, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Run one layer over x ``(B, T, ·)``; each state tensor is ``(B, hidden)``."""

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Run over a stretch of a sequence.

        Args:
            x: Inputs ``(B, T, X)``.
            state: What the call before returned, or None at the start of a sequence: a tuple of
                tensors ``(B, layers, hidden)``, batch first so that a batch can be cut or gathered.

        Returns:
            h ``(B, T, H)`` and the state after step T.
        """
        if x.ndim != 3 or x.shape[-1] != self.inputs:
            raise ValueError(f"x must have shape (B, T, {self.inputs}), found {tuple(x.shape)}")
        if state is not None:
            self._check_state(state, x.shape[0])
        outputs: list[Tensor] = []
        states: list[State] = []
        below = x
        for i, layer in enumerate(self.layers):
            given = None if state is None else tuple(part[:, i] for part in state)
            if i > 0 and self.skip:
                below = torch.cat((below, x), dim=-1)
            below, after = self.run_layer(layer, below, given)
            below = self.dropout(below)
            outputs.append(below)
            states.append(after)
        parts = outputs if self.skip else [below]
        if self.bypass:
            parts.append(x)
        h = torch.cat(parts, dim=-1) if len(parts) > 1 else below
        return h, tuple(torch.stack(parts, dim=1) for parts in zip(*states, strict=True))

    def _check_state(self, state: State, batch: int) -> None:
        expected = (batch, len(self.layers), self.hidden)
        found = [tuple(part.shape) for part in state]
        if found != [expected] * self.parts:
            raise ValueError(
                f"state must hold {self.parts} tensors of shape {expected}, found {found}"
            )


class LSTMBackbone(Backbone):
    """Long short-term memory layers.

    The forget gates begin with a bias of 1, so that a new network remembers.

    Args:
        inputs: Number of input features X.
        hidden: Units of each layer.
        layers: Number of layers.
        dropout: Dropout on every layer's output, in training.
        skip: Connect the input to every layer and every layer to the output.
        bypass: Hand the input on beside the layers.

    References:
        Generating Sequences With Recurrent Neural Networks (Graves, 2013), for the skip
        connections.
        An Empirical Exploration of Recurrent Network Architectures (Jozefowicz, Zaremba, Sutskever,
        2015), for the forget bias.

    Example:
        >>> backbone = LSTMBackbone(inputs=3, hidden=8, layers=2, skip=True)
        >>> h, state = backbone(torch.zeros(5, 7, 3))
        >>> h.shape, [part.shape for part in state]
        (torch.Size([5, 7, 16]), [torch.Size([5, 2, 8]), torch.Size([5, 2, 8])])
    """

    parts = 2

    @staticmethod
    def layer(inputs: int, hidden: int) -> nn.Module:
        lstm = nn.LSTM(inputs, hidden, batch_first=True)
        with torch.no_grad():
            # Gates lie in the order input, forget, cell, output; the two biases are added.
            lstm.get_parameter("bias_ih_l0")[hidden : 2 * hidden] = 1.0
            lstm.get_parameter("bias_hh_l0")[hidden : 2 * hidden] = 0.0
        return lstm

    def run_layer(self, layer: nn.Module, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        given = None if state is None else tuple(part.unsqueeze(0).contiguous() for part in state)
        h, (hidden, cell) = layer(x, given)
        return h, (hidden.squeeze(0), cell.squeeze(0))


class GRUBackbone(Backbone):
    """Gated recurrent layers: a lighter memory than the LSTM's.

    Args:
        inputs: Number of input features X.
        hidden: Units of each layer.
        layers: Number of layers.
        dropout: Dropout on every layer's output, in training.
        skip: Connect the input to every layer and every layer to the output.
        bypass: Hand the input on beside the layers.

    References:
        Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine
        Translation (Cho, van Merriënboer, Gulcehre, Bahdanau, Bougares, Schwenk, Bengio, 2014).

    Example:
        >>> h, state = GRUBackbone(inputs=3, hidden=8)(torch.zeros(5, 7, 3))
        >>> h.shape, [part.shape for part in state]
        (torch.Size([5, 7, 8]), [torch.Size([5, 1, 8])])
    """

    parts = 1

    @staticmethod
    def layer(inputs: int, hidden: int) -> nn.Module:
        return nn.GRU(inputs, hidden, batch_first=True)

    def run_layer(self, layer: nn.Module, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        given = None if state is None else state[0].unsqueeze(0).contiguous()
        h, hidden = layer(x, given)
        return h, (hidden.squeeze(0),)
