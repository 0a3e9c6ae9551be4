"""Models: a backbone and a head put together, with ``loss(batch)`` and ``log_prob(batch)``."""

from seqmdn.models.circuit import GenerativeNetwork
from seqmdn.models.ensemble import Ensemble
from seqmdn.models.exact import ExactModel
from seqmdn.models.frames import FrameModel
from seqmdn.models.model import DensityBatch, DensityModel
from seqmdn.models.neural_process import (
    AdaptedProcess,
    AttentionEncoder,
    ConvolutionalEncoder,
    DeepSetEncoder,
    DistanceEncoder,
    FunctionModel,
    MixtureProcess,
    NeuralProcess,
    TaskEncoder,
    TransformerEncoder,
)
from seqmdn.models.regression import MDN, conditional
from seqmdn.models.sequence import SequenceModel
from seqmdn.models.vae import FrameVAE, encoder_sha256
from seqmdn.models.vrnn import VRNN
from seqmdn.models.world import WorldModel

__all__ = [
    "MDN",
    "VRNN",
    "AdaptedProcess",
    "AttentionEncoder",
    "ConvolutionalEncoder",
    "DeepSetEncoder",
    "DensityBatch",
    "DensityModel",
    "DistanceEncoder",
    "Ensemble",
    "ExactModel",
    "FrameModel",
    "FrameVAE",
    "FunctionModel",
    "GenerativeNetwork",
    "MixtureProcess",
    "NeuralProcess",
    "SequenceModel",
    "TaskEncoder",
    "TransformerEncoder",
    "WorldModel",
    "conditional",
    "encoder_sha256",
]
