"""Layers whose neurons are one-dimensional mixtures, and networks of them."""

from seqmdn.backbones.ugmm.cell import UGMMCell
from seqmdn.backbones.ugmm.linear import UGMMLinear
from seqmdn.backbones.ugmm.network import UGMMBlock, UGMMNetwork
from seqmdn.backbones.ugmm.published import convert_published
from seqmdn.backbones.ugmm.recurrent import UGMMLSTMBackbone

__all__ = [
    "UGMMBlock",
    "UGMMCell",
    "UGMMLSTMBackbone",
    "UGMMLinear",
    "UGMMNetwork",
    "convert_published",
]
