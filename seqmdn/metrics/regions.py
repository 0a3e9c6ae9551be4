"""How large the highest-density regions are that a density gives."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from seqmdn.metrics.coverage import check_levels

__all__ = ["region_side"]


def region_side(log_density: Tensor, features: int, levels: Sequence[float]) -> Tensor:
    r"""Returns the side of a cube as large as the highest-density region of each level.

    .. math:: |R_a|^{1/D}, \qquad |R_a| = \int 1[p(x) > c_a] \, dx
        = E_p\left[1[p(x) > c_a] / p(x)\right]

    In the unit of the features; of one feature it is the region's length, however many pieces the
    region has. Estimated from the densities of S draws, of which the densest share a is in the
    region; weights 1 / p are bounded by that of the border. No interval that holds a is shorter
    than the region, so at D = 1 its length beside that of the central interval says how far a
    density is from having one mode.

    Args:
        log_density: log-densities of draws from p, (S, *batch), S at least 2.
        features: D.
        levels: L levels a, strictly between 0 and 1.

    Returns:
        (*batch, L).

    Raises:
        ValueError: If there are too few draws or a level is outside (0, 1).

    References:
        Computing and Graphing Highest Density Regions, Rob J. Hyndman, 1996.

    Example:
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> _ = torch.manual_seed(0)
        >>> normal = LowRankPrecisionNormal(torch.zeros(1), torch.ones(1))
        >>> draws = normal.log_prob(normal.sample((20_000,)))
        >>> region_side(draws, 1, [0.95]).round(decimals=1)  # 2 * 1.96
        tensor([3.9000])
    """
    levels = check_levels(levels)
    count = log_density.shape[0] if log_density.dim() else 0
    if count < 2 or features < 1:
        raise ValueError(
            f"expected log-densities (S, *batch) of 2 draws or more and 1 feature or more; found"
            f" {tuple(log_density.shape)} and {features}."
        )
    rarity = -log_density.double().sort(dim=0, descending=True).values
    inside = rarity.logcumsumexp(dim=0) - math.log(count)  # of the densest 1, 2, ... draws
    # Between two draws the region grows in proportion: a whole number of them is a coarse level.
    sizes = []
    for level in levels:
        place = level * count - 1
        lower = min(max(int(place), 0), count - 2)
        sizes.append(torch.lerp(inside[lower], inside[lower + 1], max(place - lower, 0.0)))
    return (torch.stack(sizes, dim=-1) / features).exp().to(log_density.dtype)
