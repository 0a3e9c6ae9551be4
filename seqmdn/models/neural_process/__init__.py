"""Neural processes: densities of functions, from a handful of their points."""

from seqmdn.models.neural_process.adapted import AdaptedProcess
from seqmdn.models.neural_process.attention import AttentionEncoder
from seqmdn.models.neural_process.convolutional import ConvolutionalEncoder
from seqmdn.models.neural_process.deep_sets import DeepSetEncoder
from seqmdn.models.neural_process.distance import DistanceEncoder
from seqmdn.models.neural_process.encoder import TaskEncoder
from seqmdn.models.neural_process.function import FunctionModel
from seqmdn.models.neural_process.mixture_process import MixtureProcess
from seqmdn.models.neural_process.process import NeuralProcess
from seqmdn.models.neural_process.transformer import TransformerEncoder

__all__ = [
    "AdaptedProcess",
    "AttentionEncoder",
    "ConvolutionalEncoder",
    "DeepSetEncoder",
    "DistanceEncoder",
    "FunctionModel",
    "MixtureProcess",
    "NeuralProcess",
    "TaskEncoder",
    "TransformerEncoder",
]
