"""First and second moments of a circuit, node by node."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from seqmdn import linalg
from seqmdn.distributions.gaussian import LowRankPrecisionNormal
from seqmdn.distributions.nodes import Nodes, Upward
from seqmdn.distributions.regions import Regions

__all__ = ["moments"]


@linalg.full_precision
def moments(
    regions: Regions, nodes: Nodes, up: Upward, leaves: LowRankPrecisionNormal | None
) -> tuple[Tensor, Tensor]:  # (*batch, D), (*batch, D, D)
    r"""Returns :math:`E[y]` and :math:`E[y y^\top]`, given what was seen on the way up.

    Variables of different parts of a product are independent given the node, a sum is the mean of
    what it mixes; of categories, the numbers count. Columns that were given hold nothing to be
    read.

    Args:
        regions: the trees.
        nodes: the parameters.
        up: what was seen on the way up.
        leaves: the Gaussian leaves given what was seen.
    """
    mean, second = _of_leaves(regions, nodes, leaves)  # (*batch, R, M, K, D), (..., D, D)
    for weights, below in zip(nodes.sums, up.levels, strict=False):
        left, right = mean[..., 0::2, :, :], mean[..., 1::2, :, :]
        cross = left.unsqueeze(-1) * right.unsqueeze(-2)
        second = second[..., 0::2, :, :, :] + second[..., 1::2, :, :, :] + cross + cross.mT
        mean = left + right
        product = below[..., 0::2, :] + below[..., 1::2, :]
        given = torch.softmax(weights + product.unsqueeze(-2), dim=-1)  # (*batch, R, m, K, K)
        mean = (given.unsqueeze(-1) * mean.unsqueeze(-3)).sum(-2)
        second = (given[..., None, None] * second.unsqueeze(-4)).sum(-3)
    mean, second = mean.squeeze(-3), second.squeeze(-4)  # (*batch, R, K, D)
    top = (nodes.root + up.top - up.total[..., None, None]).exp()
    if nodes.labels is not None:
        for t, column in enumerate(regions.top):
            mean, second = _beside(nodes.labels[..., t, :, :, :].exp(), mean, second, column)
    return (
        (top.unsqueeze(-1) * mean).sum((-3, -2)),
        (top[..., None, None] * second).sum((-4, -3)),
    )


def _of_leaves(
    regions: Regions, nodes: Nodes, leaves: LowRankPrecisionNormal | None
) -> tuple[Tensor, Tensor]:
    """Returns the moments of each leaf, 0 at columns that are not its own."""
    features = regions.features
    mean = nodes.root.new_zeros(1, 1, 1, features)
    covariance = nodes.root.new_zeros(1, 1, 1, features, features)
    if leaves is not None:
        # Where a region has fewer variables than slots, what is beyond falls off the end.
        place = F.one_hot(regions.slots(continuous=True), features + 1)[..., :features]
        place = place.to(mean).unsqueeze(-3)  # (R, M, 1, S, D)
        mean = mean + (leaves.loc.unsqueeze(-2) @ place).squeeze(-2)
        covariance = covariance + place.mT @ leaves.covariance_matrix @ place
    if nodes.choices is not None:
        place = F.one_hot(regions.slots(continuous=False), features + 1)[..., :features]
        place = place.to(mean).unsqueeze(-3)  # (R, M, 1, S', D)
        probabilities = nodes.choices.exp()
        numbers = torch.arange(probabilities.shape[-1]).to(probabilities)
        own = (probabilities * numbers).sum(-1)  # (*batch, R, M, S', K)
        spread = (probabilities * (numbers - own.unsqueeze(-1)).square()).sum(-1)
        mean = mean + (own.mT.unsqueeze(-2) @ place).squeeze(-2)
        covariance = covariance + place.mT @ torch.diag_embed(spread.mT) @ place
    return mean, covariance + mean.unsqueeze(-1) * mean.unsqueeze(-2)


def _beside(
    probabilities: Tensor, mean: Tensor, second: Tensor, column: int
) -> tuple[Tensor, Tensor]:
    """Returns the moments with one more variable, independent of the others given the node."""
    numbers = torch.arange(probabilities.shape[-1]).to(probabilities)
    own = (probabilities * numbers).sum(-1).unsqueeze(-1)  # (*batch, R, K, 1)
    unit = F.one_hot(torch.tensor(column), mean.shape[-1]).to(mean)
    cross = (own * unit).unsqueeze(-1) * mean.unsqueeze(-2)
    square = (probabilities * numbers.square()).sum(-1)[..., None, None]
    second = second + cross + cross.mT + square * unit.unsqueeze(-1) * unit
    return mean + own * unit, second
