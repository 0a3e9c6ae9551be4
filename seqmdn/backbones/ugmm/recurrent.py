"""Recurrent layers whose gates are layers of mixtures, as a backbone."""

from __future__ import annotations

from torch import Tensor, nn

from seqmdn.backbones.backbone import State
from seqmdn.backbones.stacked import StackedBackbone
from seqmdn.backbones.ugmm.cell import UGMMCell

__all__ = ["UGMMLSTMBackbone"]


class UGMMLSTMBackbone(StackedBackbone):
    """Layers of :class:`UGMMCell`: an LSTM whose gates are neurons that are mixtures.

    Arguments, state and shapes are those of :class:`seqmdn.backbones.LSTMBackbone`, whose place it
    takes in a configuration. A step is a step of Python, as there is no fused kernel over time;
    what is derived from the parameters is shared by all steps. A layer has 12 H (X + H) + 8 H
    parameters, three times those of an LSTM.

    Args:
        inputs: Number of input features X.
        hidden: Units of each layer.
        layers: Number of layers.
        dropout: Dropout on every layer's output, in training.
        skip: Connect the input to every layer and every layer to the output.
        bypass: Hand the input on beside the layers.
        clip: Largest entry of the gradient in every layer's output.
        encoder: What sees each input before the layers do.

    Example:
        >>> import torch
        >>> backbone = UGMMLSTMBackbone(inputs=3, hidden=8)
        >>> h, state = backbone(torch.zeros(5, 7, 3))
        >>> h.shape, [part.shape for part in state]
        (torch.Size([5, 7, 8]), [torch.Size([5, 1, 8]), torch.Size([5, 1, 8])])
    """

    parts = 2

    @staticmethod
    def layer(inputs: int, hidden: int) -> nn.Module:
        return UGMMCell(inputs, hidden)

    def run_layer(self, layer: nn.Module, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        assert isinstance(layer, UGMMCell)
        given = None if state is None else (state[0], state[1])
        h, after = layer.run(x, given)
        return h, after
