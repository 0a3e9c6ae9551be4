"""Models: a backbone and a head put together, with ``loss(batch)`` and ``log_prob(batch)``."""

from seqmdn.models.model import DensityBatch, DensityModel
from seqmdn.models.sequence import SequenceModel

__all__ = ["DensityBatch", "DensityModel", "SequenceModel"]
