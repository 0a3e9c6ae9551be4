"""Importance weights over time: random numbers of a sequence's own, and systematic resampling."""

import zlib

import torch
from torch import Tensor

from seqmdn.data import Batch

__all__ = ["own_generators", "own_noise", "resample"]


def own_generators(batch: Batch) -> list[torch.Generator]:
    """Return a generator of each sequence, whose seed is the CRC-32 of its frames.

    What is drawn with it is a function of the sequence alone, and does not depend on its batch.

    Args:
        batch: B sequences of at most T frames.

    Example:
        >>> batch = Batch(torch.arange(8.0).reshape(2, 4, 1), torch.tensor([4, 2]))
        >>> first, second = own_generators(batch)
        >>> (again,) = own_generators(batch.part(1, 2))
        >>> torch.equal(torch.rand(3, generator=second), torch.rand(3, generator=again))
        True
    """
    frames, lengths = batch.values.detach().cpu().numpy(), batch.lengths.tolist()
    seeds = [zlib.crc32(frames[row, :length].tobytes()) for row, length in enumerate(lengths)]
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def own_noise(batch: Batch, draws: int, size: int) -> tuple[Tensor, Tensor]:
    """Draw random numbers whose seed is a sequence itself (:func:`own_generators`).

    What they estimate is then a function of the sequence alone: the same in every batch, whatever
    stands beside or behind it, and independent from sequence to sequence.

    Args:
        batch: B sequences of at most T frames.
        draws: Number of draws S a frame.
        size: Numbers Z of each draw.

    Returns:
        Standard normal numbers ``(B, T, S, Z)`` and uniform ones ``(B, T)``, 0 in the padding.

    Example:
        >>> batch = Batch(torch.arange(8.0).reshape(2, 4, 1), torch.tensor([4, 2]))
        >>> normal, uniform = own_noise(batch, draws=3, size=5)
        >>> normal.shape, uniform.shape
        (torch.Size([2, 4, 3, 5]), torch.Size([2, 4]))
        >>> torch.equal(normal[1, :2], own_noise(batch.part(1, 2), 3, 5)[0][0, :2])
        True
    """
    B, T, _ = batch.values.shape
    normal, uniform = torch.zeros(B, T, draws, size), torch.zeros(B, T)
    pairs = zip(batch.lengths.tolist(), own_generators(batch), strict=True)
    for row, (length, generator) in enumerate(pairs):
        normal[row, :length] = torch.randn(length, draws, size, generator=generator)
        uniform[row, :length] = torch.rand(length, generator=generator)
    return normal.to(batch.values), uniform.to(batch.values)


def resample(log_weights: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
    r"""Draw particles in proportion to their weights, where few of them carry nearly all of it.

    That is where the effective number :math:`1 / \sum_s w_s^2` has fallen below half of S. Draws
    are systematic: particle s is taken :math:`\lfloor S w_s \rfloor` times or once more.

    Args:
        log_weights: Of the S particles of each sequence ``(B, S)``, each row normalised.
        uniform: A number of [0, 1) for each sequence ``(B,)``.

    Returns:
        Which particle each one is now ``(B, S)``, and the log-weights ``(B, S)`` from here on.

    References:
        Monte Carlo Filter and Smoother for Non-Gaussian Nonlinear State Space Models (Kitagawa,
        1996).

    Example:
        >>> weights = torch.tensor([[0.97, 0.01, 0.01, 0.01], [0.25, 0.25, 0.25, 0.25]])
        >>> chosen, log_weights = resample(weights.log(), torch.tensor([0.5, 0.5]))
        >>> chosen.tolist(), log_weights.exp().tolist()
        ([[0, 0, 0, 0], [0, 1, 2, 3]], [[0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25]])
    """
    S = log_weights.shape[-1]
    weights = log_weights.exp()
    few = (weights.square().sum(-1, keepdim=True) > 2 / S).expand_as(weights)
    own = torch.arange(S, device=weights.device)
    places = (own + uniform.unsqueeze(-1)) / S
    drawn = torch.searchsorted(weights.cumsum(-1), places, right=True).clamp(max=S - 1)
    even = torch.full_like(log_weights, 1 / S).log()
    return drawn.where(few, own), even.where(few, log_weights)
