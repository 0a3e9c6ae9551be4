"""Encoders that the tests run over, and tasks for them."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from seqmdn.data import Batch
from seqmdn.models.neural_process import (
    AttentionEncoder,
    ConvolutionalEncoder,
    DeepSetEncoder,
    DistanceEncoder,
    TaskEncoder,
    TransformerEncoder,
)

ENCODERS: dict[str, Callable[[int, int], TaskEncoder]] = {
    "deep sets": partial(DeepSetEncoder, hidden=16, layers=1),
    "attention": partial(AttentionEncoder, hidden=16, layers=1),
    "self-attention": partial(AttentionEncoder, hidden=16, layers=1, self_attention=1),
    "transformer": partial(TransformerEncoder, hidden=16, blocks=2, feedforward=16, layers=1),
    "differences": partial(
        TransformerEncoder, hidden=16, blocks=2, feedforward=16, layers=1, waves=5, frequency=4.0
    ),
    "convolutional": partial(
        ConvolutionalEncoder,
        hidden=16,
        layers=1,
        channels=(4, 6),
        kernel=3,
        depth=1,
        reach=2.5,
        resolution=1.0,
    ),
    "distance": partial(DistanceEncoder, hidden=16, layers=1, places=4, maps=2),
}
# What these say of an x where nothing is given is the same for all x.
STATIONARY = {"differences", "convolutional"}
X, D = 2, 3
LENGTHS, GIVEN = [7, 4, 5], [3, 0, 1]


def points(seed: int = 1) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Three tasks of unequal length and context, one of which has none; NaN in the padding."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(3, 7, X, generator=generator).double()
    y = torch.randn(3, 7, D, generator=generator).double()
    time = torch.arange(7)
    given = time < torch.tensor(GIVEN).unsqueeze(1)
    present = time < torch.tensor(LENGTHS).unsqueeze(1)
    hidden = ~present.unsqueeze(-1)
    return x.masked_fill(hidden, torch.nan), y.masked_fill(hidden, torch.nan), given, present


def tasks(seed: int = 1, unit: float = 1.0) -> Batch:
    """The same as a batch, y in units of their own."""
    x, y, _, _ = points(seed)
    return Batch(5 + unit * y, torch.tensor(LENGTHS), x, torch.tensor(GIVEN))


def waves(count: int, seed: int, length: int = 24, given: tuple[int, int] = (0, 12)) -> Batch:
    """Sines of random phase, each with points in random order and a number of them given."""
    generator = torch.Generator().manual_seed(seed)
    x = 4 * torch.rand(count, length, 1, generator=generator) - 2
    phase = 6.3 * torch.rand(count, 1, 1, generator=generator)
    start = torch.randint(given[0], given[1] + 1, (count,), generator=generator)
    return Batch((x + phase).sin(), torch.full((count,), length), x, start)
