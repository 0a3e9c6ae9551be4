"""Recurrent backbones: (x, state) -> (h, state), state in and state out."""

from seqmdn.backbones.backbone import Backbone
from seqmdn.backbones.encoders import ConvolutionEncoder, FrameEncoder, MLPEncoder
from seqmdn.backbones.stacked import GRUBackbone, LSTMBackbone
from seqmdn.backbones.window import WindowBackbone

__all__ = [
    "Backbone",
    "ConvolutionEncoder",
    "FrameEncoder",
    "GRUBackbone",
    "LSTMBackbone",
    "MLPEncoder",
    "WindowBackbone",
]
