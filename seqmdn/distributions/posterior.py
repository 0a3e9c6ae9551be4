"""What one variable of a circuit is by itself, given what was seen of the others."""

from __future__ import annotations

import torch
from torch import Tensor

from seqmdn.distributions.gaussian import LowRankPrecisionNormal
from seqmdn.distributions.nodes import Nodes, Paths
from seqmdn.distributions.regions import Regions

__all__ = ["category_log_probs", "feature_mixture"]


def feature_mixture(
    regions: Regions, found: Paths, leaves: LowRankPrecisionNormal, column: int
) -> tuple[Tensor, Tensor, Tensor]:  # three of (*batch, R K)
    r"""Returns log-weights, means and standard deviations of one continuous variable.

    .. math:: p(y_d) = \sum_{r,k} q_{rk} \, N_{rk}(y_d)

    with q how likely each leaf of its regions is taken, one region a tree.

    Args:
        regions: the trees.
        found: how likely each leaf is, given what was seen.
        leaves: the Gaussian leaves, given what was seen.
        column: which variable.

    Example:
        >>> from seqmdn.distributions.nodes import Nodes, paths, upward
        >>> regions = Regions((((0,),),), (0,))
        >>> leaves = LowRankPrecisionNormal(torch.tensor([[[[-1.0], [1.0]]]]), torch.tensor([4.0]))
        >>> nodes = Nodes(leaves, (), torch.tensor([[0.25, 0.75]]).log())
        >>> found = paths(nodes, upward(regions, nodes, torch.zeros(1), torch.tensor([False])))
        >>> log_weights, loc, scale = feature_mixture(regions, found, leaves, 0)
        >>> log_weights.exp(), loc, scale
        (tensor([0.2500, 0.7500]), tensor([-1.,  1.]), tensor([0.5000, 0.5000]))
    """
    region, slot = regions.place(column)
    trees = torch.arange(regions.trees)
    log_weights = found.leaves[..., trees, region, :]
    loc = leaves.loc.mT[..., trees, region, slot, :]
    scale = leaves.variance.mT[..., trees, region, slot, :].sqrt()
    shape = torch.broadcast_shapes(log_weights.shape, loc.shape)
    log_weights, loc, scale = (p.expand(shape).flatten(-2) for p in (log_weights, loc, scale))
    return log_weights, loc, scale


def category_log_probs(
    regions: Regions, nodes: Nodes, found: Paths, column: int
) -> Tensor:  # (*batch, C)
    """Returns the log-probabilities of the categories of one variable.

    Args:
        regions: the trees.
        nodes: the parameters.
        found: how likely each leaf is, given what was seen.
        column: which variable.

    Example:
        >>> from seqmdn.distributions.nodes import paths, upward
        >>> regions = Regions((((0,),),), (2,))
        >>> own = torch.tensor([[0.9, 0.1], [0.5, 0.5]]).log().reshape(1, 1, 1, 2, 2)
        >>> nodes = Nodes(None, (), torch.tensor([[0.25, 0.75]]).log(), own)
        >>> found = paths(nodes, upward(regions, nodes, torch.zeros(1), torch.tensor([False])))
        >>> category_log_probs(regions, nodes, found, 0).exp()
        tensor([0.6000, 0.4000])
    """
    if column in regions.top:
        assert nodes.labels is not None
        labels = nodes.labels[..., regions.top.index(column), :, :, :]
        return torch.logsumexp(found.root.unsqueeze(-1) + labels, dim=(-3, -2))
    assert nodes.choices is not None
    region, slot = regions.place(column)
    trees = torch.arange(regions.trees)
    choices = nodes.choices[..., trees, region, slot, :, :]  # (*batch, R, K, C)
    log_q = found.leaves[..., trees, region, :]
    return torch.logsumexp(log_q.unsqueeze(-1) + choices, dim=(-3, -2))
