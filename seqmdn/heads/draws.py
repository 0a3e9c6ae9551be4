"""Draws from the numbers of a mixture's projection, with those of the chosen component alone."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from seqmdn import linalg

__all__ = ["component_columns", "draw_component"]


def component_columns(components: int, sizes: Sequence[int]) -> Tensor:
    """Return where the numbers of each component stand, in a row of K logits and then of blocks.

    Args:
        components: K.
        sizes: How many numbers of each block a component has.

    Returns:
        ``(K, sum(sizes))``.

    Example:
        >>> component_columns(2, [2, 1])  # logits 0 1, means 2 3 | 4 5, one number each 6 | 7
        tensor([[2, 3, 6],
                [4, 5, 7]])
    """
    columns, first = [], components
    for size in sizes:
        columns.append(first + torch.arange(components * size).view(components, size))
        first += components * size
    return torch.cat(columns, dim=1)


def draw_component(
    raw: Tensor,
    own: Tensor,
    features: int,
    floor: float,
    mixing: float = 1.0,
    scale: float = 1.0,
    positive: Callable[[Tensor], Tensor] = F.softplus,
) -> Tensor:
    r"""Draw the component of each context, and then a frame of it.

    .. math:: k = \arg\max_k (\log \pi_k / \text{mixing} + g_k), \quad
        y \sim N(\mu_k, \text{scale} \, \Lambda_k^{-1}), \quad g_k \sim \text{Gumbel}(0, 1)

    Args:
        raw: A mixture's numbers ``(*batch, K + K D (2 + R))``: logits, means, diagonals before
            they are made positive, factors.
        own: Of :func:`component_columns`, ``(K, D (2 + R))``.
        features: D.
        floor: Lower bound of the diagonal.
        mixing: Temperature of the weights.
        scale: Temperature of the covariances.
        positive: Makes the diagonals positive, before the floor.

    Returns:
        ``(*batch, D)``.

    References:
        A* Sampling (Maddison, Tarlow, Minka, 2014), for the choice by Gumbel variables.

    Example:
        >>> raw = torch.tensor([-100.0, 0.0, 7.0, 3.0, 1e8, 1e8])  # K = 2, D = 1, R = 0
        >>> draw_component(raw, component_columns(2, [1, 1, 0]), features=1, floor=1e-3).round()
        tensor([3.])
    """
    logits = raw[..., : len(own)]
    if mixing != 1:
        logits = logits / mixing
    # -log of a standard exponential is a standard Gumbel variable.
    chosen = (logits - torch.empty_like(logits).exponential_().log()).argmax(-1)
    numbers = raw.gather(-1, F.embedding(chosen, own))  # (*batch, D (2 + R))
    loc, diagonal, factor = numbers.tensor_split((features, 2 * features), dim=-1)
    factor = factor.reshape(*loc.shape, own.shape[1] // features - 2)  # (*batch, D, R)
    noise = torch.randn_like(loc)
    if scale != 1:
        noise = noise * scale**0.5
    return loc + linalg.colour(positive(diagonal) + floor, factor, noise)
