"""Drawing sequences from a model, one frame after another."""

from seqmdn.generation.generate import bias, generate, stream

__all__ = ["bias", "generate", "stream"]
