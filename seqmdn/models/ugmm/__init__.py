"""Models of neurons that are one-dimensional mixtures, and the layers they are made of."""

from seqmdn.backbones.ugmm import UGMMCell, UGMMLinear, UGMMNetwork, convert_published

__all__ = ["UGMMCell", "UGMMLinear", "UGMMNetwork", "convert_published"]
