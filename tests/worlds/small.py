"""Small worlds for the tests of this room."""

from functools import partial

import numpy as np
import torch

from seqmdn.backbones import LSTMBackbone
from seqmdn.models import FrameVAE, WorldModel
from seqmdn.worlds import World

LOW, HIGH = [-1.0, 0.0, 0.0], [1.0, 0.5, 0.75]


def small_world(eyes: bool = True, rewarded: bool = True, ends: float = -3.0) -> World:
    """A world of random weights, whose latents have a scale; dreams end at odds of exp(ends)."""
    torch.manual_seed(0)
    backbone = partial(LSTMBackbone, hidden=12)
    memory = WorldModel(34 if rewarded else 32, 3, latents=32, backbone=backbone).eval()
    if rewarded:
        with torch.no_grad():
            memory.head.bits.bias.fill_(ends)
    scale = (torch.linspace(-1, 1, 32), torch.linspace(0.5, 2, 32))
    return World(memory, LOW, HIGH, FrameVAE(width=1).eval() if eyes else None, *scale)


def random_frames(num: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (num, 64, 64, 3)).astype(np.uint8)
