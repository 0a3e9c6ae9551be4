"""Drawing sequences from a model, one frame after another."""

from seqmdn.generation.generate import bias, generate, stream
from seqmdn.generation.interaction import Interaction
from seqmdn.generation.streaming import stream_sequences

__all__ = ["Interaction", "bias", "generate", "stream", "stream_sequences"]
