"""Models of neurons that are one-dimensional mixtures, and the layers they are made of."""

from seqmdn.backbones.ugmm import (
    UGMMBlock,
    UGMMCell,
    UGMMLinear,
    UGMMNetwork,
    convert_published,
)

__all__ = ["UGMMBlock", "UGMMCell", "UGMMLinear", "UGMMNetwork", "convert_published"]
