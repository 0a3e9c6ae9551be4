r"""The nodes of a circuit: leaves, products, sums, and how densities go up and draws go down.

Each leaf region m of each tree r has K leaves, densities of its variables: a Gaussian of the
continuous ones, of precision D + UU', times a probability of each that has categories. A product
joins the k-th nodes of two regions without a common variable, a sum mixes the K products of its
region,

.. math:: \log s_i(y) = \log \sum_j \exp\left(\log w_{ij}
    + \log c_{2m, j}(y) + \log c_{2m+1, j}(y)\right),

and the root mixes the K nodes of all trees. Each is normalised because its parts are: weights of a
sum add up to 1, and a product of densities of different variables is one of them together. A
feature that is not observed is integrated out where it stands, at its leaf, at no cost.

References:
    Sum-Product Networks: A New Deep Architecture (Poon, Domingos, 2011).
    Einsum Networks: Fast and Scalable Learning of Tractable Probabilistic Circuits (Peharz et al.,
    2020), for layers over all regions at once.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Size, Tensor
from torch.distributions import Categorical
from torch.nn import functional as F

from seqmdn import linalg
from seqmdn.distributions.gaussian import LowRankPrecisionNormal
from seqmdn.distributions.regions import Regions

__all__ = ["Nodes", "Paths", "Upward", "condition_leaves", "draw", "draw_from", "paths", "upward"]


class Nodes(NamedTuple):
    """Holds the parameters of a circuit, all normalised; batch shapes broadcast.

    Attributes:
        gaussians: the Gaussian leaves, of batch shape (*batch, R, M, K) and event shape (S,).
        sums: log-weights (*batch, R, M / 2^l, K, K) of each level l, a row a sum.
        root: log-weights (*batch, R, K), normalised over both.
        choices: log-probabilities (*batch, R, M, S', K, C) of the slots with categories.
        labels: log-probabilities (*batch, T, R, K, C) of the columns at the top.
    """

    gaussians: LowRankPrecisionNormal | None
    sums: tuple[Tensor, ...]
    root: Tensor
    choices: Tensor | None = None
    labels: Tensor | None = None


class Upward(NamedTuple):
    """Holds log-densities on the way up: of each level's nodes, and of the whole.

    Attributes:
        levels: (*batch, R, M / 2^l, K), leaves first.
        top: (*batch, R, K), those of the last level with the columns at the top.
        total: (*batch,).
    """

    levels: list[Tensor]
    top: Tensor
    total: Tensor


class Paths(NamedTuple):
    """Holds how likely each node is taken on the way down, given what was seen on the way up.

    Attributes:
        root: log-probabilities (*batch, R, K).
        leaves: log-probabilities (*batch, R, M, K), those of a region sum to the probability of
            its tree.
    """

    root: Tensor
    leaves: Tensor


@linalg.full_precision
def upward(
    regions: Regions,
    nodes: Nodes,
    value: Tensor,  # (*sample, *batch, D)
    mask: Tensor | None = None,  # (*sample, *batch, D)
) -> Upward:
    """Returns the log-densities of what was observed, of every node; others' values are 0.

    Example:
        >>> regions = Regions((((0,),),), (2,))
        >>> own = torch.tensor([[0.9, 0.1], [0.5, 0.5]]).log().reshape(1, 1, 1, 2, 2)
        >>> nodes = Nodes(None, (), torch.tensor([[0.25, 0.75]]).log(), own)
        >>> up = upward(regions, nodes, torch.tensor([0.0]))
        >>> up.total.exp(), paths(nodes, up).root.exp()  # 0.9 / 4 and 0.5 * 3 / 4 of 0.6
        (tensor(0.6000), tensor([[0.3750, 0.6250]]))
    """
    levels = [_leaves(regions, nodes, value, mask)]
    for weights in nodes.sums:
        levels.append(torch.logsumexp(weights + _products(levels[-1]).unsqueeze(-2), dim=-1))
    top = levels[-1].squeeze(-2)
    if nodes.labels is not None:
        for t, column in enumerate(regions.top):
            label = nodes.labels[..., t, :, :, :]  # (*batch, R, K, C)
            index = value[..., column, None, None, None].long()
            found = torch.take_along_dim(*_aligned(label, index), dim=-1).squeeze(-1)
            top = top + (found if mask is None else found.where(mask[..., column, None, None], 0))
    return Upward(levels, top, torch.logsumexp(nodes.root + top, dim=(-2, -1)))


def paths(nodes: Nodes, up: Upward) -> Paths:
    """Returns how likely each node is taken, given what was seen on the way up."""
    root = nodes.root + up.top - up.total[..., None, None]
    log_q = root.unsqueeze(-2)  # (*batch, R, 1, K)
    for weights, below in zip(nodes.sums[::-1], up.levels[-2::-1], strict=True):
        given = torch.log_softmax(weights + _products(below).unsqueeze(-2), dim=-1)
        log_q = torch.logsumexp(log_q.unsqueeze(-1) + given, dim=-2)
        log_q = log_q.repeat_interleave(2, dim=-2)
    return Paths(root, log_q)


def condition_leaves(
    regions: Regions, nodes: Nodes, value: Tensor, mask: Tensor
) -> LowRankPrecisionNormal:
    r"""Returns the Gaussian leaves of the features that the mask hides, given the others.

    In place: those that were observed keep their slots, in which nothing is to be read. As U has
    rows of 0 there, nothing else depends on them.
    """
    gaussians = nodes.gaussians
    assert gaussians is not None
    if not gaussians.rank:
        return gaussians
    order = regions.slots(continuous=True).to(value.device)
    seen = F.pad(mask, (0, 1))[..., order].unsqueeze(-2)
    apart = (F.pad(value, (0, 1))[..., order].unsqueeze(-2) - gaussians.loc).where(seen, 0)
    factor = gaussians.factor.masked_fill(seen.unsqueeze(-1), 0)
    weights = linalg.project(gaussians.factor, apart)
    loc = gaussians.loc - linalg.solve_factor(gaussians.diagonal, factor, weights)
    return LowRankPrecisionNormal(loc, gaussians.diagonal, factor, validate_args=False)


def draw(
    regions: Regions,
    nodes: Nodes,
    up: Upward,
    leaves: LowRankPrecisionNormal | None,
    shape: Size,
) -> Tensor:  # (*shape, D)
    """Draws a path from the root to the leaves for each of a shape, and at the leaves values.

    Args:
        regions: the trees.
        nodes: the parameters.
        up: what was seen on the way up.
        leaves: the Gaussian leaves given what was seen.
        shape: (*sample, *batch).
    """
    size, width = regions.size, nodes.root.shape[-1]
    chosen = draw_from((nodes.root + up.top).flatten(-2), shape)
    tree = chosen // width
    pairs = chosen.unsqueeze(-1)
    node = (chosen % width).unsqueeze(-1)  # (*shape, 1)
    for weights, below in zip(nodes.sums[::-1], up.levels[-2::-1], strict=True):
        joint = (weights + _products(below).unsqueeze(-2)).flatten(-4, -2)
        parts = node.shape[-1]
        index = (tree.unsqueeze(-1) * parts + torch.arange(parts, device=tree.device)) * width
        node = draw_from(_taken(joint, index + node, 1), (*shape, parts))
        node = node.repeat_interleave(2, dim=-1)
    index = (tree.unsqueeze(-1) * size + torch.arange(size, device=tree.device)) * width + node
    drawn = nodes.root.new_zeros(*shape, regions.features + 1)
    if leaves is not None:
        factor = leaves.factor.flatten(-5, -3)
        own = LowRankPrecisionNormal(
            _taken(leaves.loc.flatten(-4, -2), index, 1),
            _taken(leaves.diagonal.flatten(-4, -2), index, 1),
            _taken(factor, index, 2),
            validate_args=False,
        )
        places = regions.slots(continuous=True).to(tree.device)[tree].flatten(-2)
        drawn = drawn.scatter(-1, places, own.sample().flatten(-2))
    if nodes.choices is not None:
        # (*batch, R M K, S', C)
        choices = nodes.choices.transpose(-3, -2).flatten(-5, -3)
        logits = _taken(choices, index, 2)
        places = regions.slots(continuous=False).to(tree.device)[tree].flatten(-2)
        found = draw_from(logits, logits.shape[:-1]).to(drawn.dtype)
        drawn = drawn.scatter(-1, places, found.flatten(-2))
    drawn = drawn[..., : regions.features]
    if nodes.labels is not None:
        for t, column in enumerate(regions.top):
            logits = _taken(nodes.labels[..., t, :, :, :].flatten(-3, -2), pairs, 1).squeeze(-2)
            drawn[..., column] = draw_from(logits, shape).to(drawn.dtype)
    return drawn


def draw_from(logits: Tensor, shape: tuple[int, ...] | Size) -> Tensor:  # (*shape,)
    """Draws indices by logits (*batch, K), of which the shape ends with batch.

    Example:
        >>> draw_from(torch.tensor([-100.0, 100.0]), (3,))
        tensor([1, 1, 1])
    """
    own = Categorical(logits=logits, validate_args=False)
    found: Tensor = own.sample(Size(shape[: len(shape) - logits.dim() + 1]))
    return found


def _leaves(regions: Regions, nodes: Nodes, value: Tensor, mask: Tensor | None) -> Tensor:
    """Returns the log-densities of the leaves, (*sample, *batch, R, M, K)."""
    parts: list[Tensor] = []
    padded = F.pad(value, (0, 1))
    if nodes.gaussians is not None:
        order = regions.slots(continuous=True).to(value.device)
        seen = order < regions.features if mask is None else F.pad(mask, (0, 1))[..., order]
        own = padded[..., order].unsqueeze(-2)
        if mask is None and bool(seen.all()):
            parts.append(nodes.gaussians._log_density(own))
        else:
            parts.append(nodes.gaussians._log_density_of_observed(own, seen.unsqueeze(-2)))
    if nodes.choices is not None:
        order = regions.slots(continuous=False).to(value.device)
        seen = order < regions.features if mask is None else F.pad(mask, (0, 1))[..., order]
        index = padded[..., order].long()[..., None, None]  # (*batch, R, M, S', 1, 1)
        found = torch.take_along_dim(*_aligned(nodes.choices, index), dim=-1).squeeze(-1)
        parts.append(found.where(seen.unsqueeze(-1), 0).sum(-2))
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]


def _products(level: Tensor) -> Tensor:  # (*batch, R, M, K) -> (*batch, R, M / 2, K)
    return level[..., 0::2, :] + level[..., 1::2, :]


def _aligned(table: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Returns both with as many dimensions as the one that has more, which broadcast."""
    most = max(table.dim(), index.dim())
    return (
        table.reshape(*[1] * (most - table.dim()), *table.shape),
        index.reshape(*[1] * (most - index.dim()), *index.shape),
    )


def _taken(table: Tensor, index: Tensor, event_dims: int) -> Tensor:
    """Returns rows (*shape, I, *event) of a table (*batch, N, *event) by index (*shape, I)."""
    event = table.shape[table.dim() - event_dims :]
    rows = table.shape[table.dim() - event_dims - 1]
    table = table.expand(*index.shape[:-1], rows, *event)
    index = index.reshape(*index.shape, *[1] * event_dims).expand(*index.shape, *event)
    return table.gather(index.dim() - event_dims - 1, index)
