"""Layers of LSTM or GRU cells on top of each other."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from seqmdn.backbones.backbone import Backbone, State, check_arguments, clip_gradient
from seqmdn.backbones.encoders import FrameEncoder

__all__ = ["GRUBackbone", "LSTMBackbone", "StackedBackbone"]


class StackedBackbone(Backbone):
    r"""Recurrent layers :math:`h^1 \dots h^N`, each over the one below.

    .. math:: h_t^n = f(x_t^n, h_{t-1}^n), \quad
        x_t^n = \begin{cases} h_t^{n-1} \\ (h_t^{n-1}, x_t) & \text{skip} \end{cases}, \quad
        h_t = \begin{cases} h_t^N \\ (h_t^1, \dots, h_t^N) & \text{skip} \end{cases}

    and with ``bypass`` :math:`(h_t, x_t)` in place of :math:`h_t`. Each tensor of a state is of
    shape ``(B, layers, hidden)``.

    Args:
        inputs: Number of input features X.
        hidden: Units of each layer.
        layers: Number of layers.
        dropout: Probability with which each unit of every layer's output is dropped in training.
        skip: Connect the input to every layer, and every layer to the output (Graves' form): h is
            then the concatenation of all layers, ``H = layers * hidden``.
        bypass: Hand the input on beside the layers, so that what is made of h can follow the last
            frame linearly, also beyond where the layers' bounded units reach: H grows by X.
        clip: Largest entry of the gradient of the loss, a mean over frames, in every layer's
            output; larger ones are cut to it, as Graves cuts those of a sum to 10. None lets all
            through.
        encoder: Makes, from X, what sees each input before the layers do
            (:class:`seqmdn.backbones.MLPEncoder`): :math:`x_t` is then what it makes of the input,
            except where ``bypass`` hands the input itself on. None by default.

    Raises:
        ValueError: If a size is below 1, dropout is outside [0, 1), the clip is not positive, or an
            input or a state does not fit.
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
        clip: float | None = None,
        encoder: Callable[[int], FrameEncoder] | None = None,
    ) -> None:
        super().__init__()
        sizes = {"inputs": inputs, "hidden": hidden, "layers": layers}
        check_arguments(sizes, dropout, clip)
        self.encoder = None if encoder is None else encoder(inputs)
        seen = inputs if self.encoder is None else self.encoder.features
        self.inputs = inputs
        self.hidden = hidden
        self.skip = skip
        self.bypass = bypass
        self.clip = clip
        self.features = (layers * hidden if skip else hidden) + inputs * bypass
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            self.layer(seen if i == 0 else hidden + seen * skip, hidden) for i in range(layers)
        )

    @staticmethod
    @abstractmethod
    def layer(inputs: int, hidden: int) -> nn.Module:
        """Make one recurrent layer, batch first."""

    @abstractmethod
    def run_layer(self, layer: nn.Module, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Run one layer over x ``(B, T, ·)``; each state tensor is ``(B, hidden)``."""

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        self._check_inputs(x)
        if state is not None:
            self._check_state(state, x.shape[0])
        outputs: list[Tensor] = []
        states: list[State] = []
        seen: Tensor = x if self.encoder is None else self.encoder(x)
        below = seen
        for i, layer in enumerate(self.layers):
            given = None if state is None else tuple(part[:, i] for part in state)
            if i > 0 and self.skip:
                below = torch.cat((below, seen), dim=-1)
            below, after = self.run_layer(layer, below, given)
            below = self.dropout(clip_gradient(below, self.clip))
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


class LSTMBackbone(StackedBackbone):
    """Long short-term memory layers.

    The forget gates begin with a bias of 1, so that a new network remembers.

    Args:
        inputs: Number of input features X.
        hidden: Units of each layer.
        layers: Number of layers.
        dropout: Dropout on every layer's output, in training.
        skip: Connect the input to every layer and every layer to the output.
        bypass: Hand the input on beside the layers.
        clip: Largest entry of the gradient in every layer's output.
        encoder: What sees each input before the layers do.

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
        remember(lstm.get_parameter("bias_ih_l0"), lstm.get_parameter("bias_hh_l0"))
        return lstm

    def run_layer(self, layer: nn.Module, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        return run_lstm(layer, x, state)


def run_lstm(layer: nn.Module, x: Tensor, state: State | None) -> tuple[Tensor, State]:
    """Run an LSTM's one layer over x ``(B, T, X)``; each state tensor is ``(B, hidden)``.

    In float16 on a CPU, for which PyTorch has no recurrent layer, it runs step by step.

    Example:
        >>> h, state = run_lstm(LSTMBackbone.layer(3, 8), torch.zeros(5, 7, 3), None)
        >>> h.shape, [part.shape for part in state]
        (torch.Size([5, 7, 8]), [torch.Size([5, 8]), torch.Size([5, 8])])
    """
    weights: Any = layer._flat_weights
    # A step by itself takes half of the time of a whole layer over one step on a CPU, its gradient
    # included.
    if (x.shape[1] == 1 and x.dtype == weights[1].dtype) or _half_on_cpu(x):
        if state is None:
            zero = weights[1].new_zeros(len(x), weights[1].shape[1])
            state = zero, zero
        hidden, cell = state
        outputs = []
        for step in x.unbind(1):
            hidden, cell = torch.lstm_cell(step, (hidden, cell), *weights)
            outputs.append(hidden.unsqueeze(1))
        return torch.cat(outputs, dim=1) if len(outputs) > 1 else outputs[0], (hidden, cell)
    given = None if state is None else tuple(part.unsqueeze(0).contiguous() for part in state)
    h, (hidden, cell) = layer(x, given)
    return h, (hidden.squeeze(0), cell.squeeze(0))


@torch.no_grad()
def remember(of_inputs: Tensor, of_hidden: Tensor) -> None:
    """Set the forget gates' biases to 1, of an LSTM's two biases ``(4 hidden,)``.

    Gates lie in the order input, forget, cell, output; the two biases are added.

    Example:
        >>> lstm = nn.LSTMCell(1, 2)
        >>> remember(lstm.bias_ih, lstm.bias_hh)
        >>> (lstm.bias_ih + lstm.bias_hh)[2:4].tolist()
        [1.0, 1.0]
    """
    hidden = len(of_inputs) // 4
    of_inputs[hidden : 2 * hidden] = 1.0
    of_hidden[hidden : 2 * hidden] = 0.0


class GRUBackbone(StackedBackbone):
    """Gated recurrent layers: a lighter memory than the LSTM's.

    Args:
        inputs: Number of input features X.
        hidden: Units of each layer.
        layers: Number of layers.
        dropout: Dropout on every layer's output, in training.
        skip: Connect the input to every layer and every layer to the output.
        bypass: Hand the input on beside the layers.
        clip: Largest entry of the gradient in every layer's output.
        encoder: What sees each input before the layers do.

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
        if _half_on_cpu(x):
            weights: Any = layer._flat_weights
            hidden = weights[1].new_zeros(len(x), self.hidden) if state is None else state[0]
            outputs = []
            for step in x.unbind(1):
                hidden = torch.gru_cell(step, hidden, *weights)
                outputs.append(hidden)
            return torch.stack(outputs, dim=1), (hidden,)
        given = None if state is None else state[0].unsqueeze(0).contiguous()
        h, hidden = layer(x, given)
        return h, (hidden.squeeze(0),)


def _half_on_cpu(x: Tensor) -> bool:
    """Say whether autocast would hand a recurrent layer float16 where there is none of it."""
    return (
        x.device.type == "cpu"
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.float16
    )
