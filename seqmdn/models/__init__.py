"""Models: a backbone and a head put together, with ``loss(batch)`` and ``log_prob(batch)``."""

from seqmdn.models.frames import FrameModel
from seqmdn.models.model import DensityBatch, DensityModel
from seqmdn.models.sequence import SequenceModel
from seqmdn.models.vrnn import VRNN
from seqmdn.models.world import WorldModel

__all__ = ["VRNN", "DensityBatch", "DensityModel", "FrameModel", "SequenceModel", "WorldModel"]
