"""Backbones: (x, state) -> (h, state), state in and state out."""

from seqmdn.backbones.backbone import Backbone
from seqmdn.backbones.encoders import ConvolutionEncoder, FrameEncoder, MLPEncoder
from seqmdn.backbones.mlp import MLPBackbone
from seqmdn.backbones.stacked import GRUBackbone, LSTMBackbone
from seqmdn.backbones.ugmm import UGMMBlock, UGMMLinear, UGMMLSTMBackbone, UGMMNetwork
from seqmdn.backbones.window import WindowBackbone

__all__ = [
    "Backbone",
    "ConvolutionEncoder",
    "FrameEncoder",
    "GRUBackbone",
    "LSTMBackbone",
    "MLPBackbone",
    "MLPEncoder",
    "UGMMBlock",
    "UGMMLSTMBackbone",
    "UGMMLinear",
    "UGMMNetwork",
    "WindowBackbone",
]
