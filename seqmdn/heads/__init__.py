"""Heads: modules that turn features h into a distribution over the next frame."""

from seqmdn.heads.autoregressive import AutoregressiveHead
from seqmdn.heads.categorical import CategoricalHead
from seqmdn.heads.circuit import CircuitHead
from seqmdn.heads.discretised import DiscretisedMixtureHead
from seqmdn.heads.floored import FlooredMixtureHead
from seqmdn.heads.flow import FlowMixtureHead
from seqmdn.heads.joint import JointHead
from seqmdn.heads.mixture import MixtureHead
from seqmdn.heads.product import ProductHead
from seqmdn.heads.squared_error import SquaredErrorHead
from seqmdn.heads.stroke import StrokeHead

__all__ = [
    "AutoregressiveHead",
    "CategoricalHead",
    "CircuitHead",
    "DiscretisedMixtureHead",
    "FlooredMixtureHead",
    "FlowMixtureHead",
    "JointHead",
    "MixtureHead",
    "ProductHead",
    "SquaredErrorHead",
    "StrokeHead",
]
