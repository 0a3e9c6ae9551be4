"""Bounds of the entropy of a mixture, which has no closed form."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Size, Tensor

from seqmdn.distributions.divergence import bhattacharyya, kl_gaussians
from seqmdn.distributions.gaussian import LowRankPrecisionNormal

__all__ = ["EntropyBounds", "entropy_bounds"]


class EntropyBounds(NamedTuple):
    """Holds a lower and an upper bound of a differential entropy in nats, each (*batch,)."""

    lower: Tensor
    upper: Tensor


def entropy_bounds(
    log_weights: Tensor,  # (*batch, K)
    components: LowRankPrecisionNormal,  # of batch shape (*batch, K)
) -> EntropyBounds:
    r"""Returns bounds of the differential entropy H of a mixture in nats, from pairs of components.

    .. math:: \sum_i \pi_i \left(H_i - \log \sum_j \pi_j e^{-B_{ij}}\right) \le H \le
        \sum_i \pi_i \left(H_i - \log \sum_j \pi_j e^{-\mathrm{KL}_{ij}}\right)

    with :math:`H_i` the entropy of component i, B the Bhattacharyya distance and KL the
    Kullback-Leibler divergence of components i and j. Both lie between the components' mean entropy
    and that plus the entropy of the weights, and both are H itself where the components are all the
    same, or so far apart that they do not overlap. Costs O(K^2 (D R^2 + R^3)); differentiable.

    References:
        Estimating Mixture Entropy with Pairwise Distances, Artemy Kolchinsky and Brendan D. Tracey,
        2017.

    Example:
        >>> same = LowRankPrecisionNormal(torch.zeros(2, 1), torch.ones(2, 1))
        >>> entropy_bounds(torch.tensor([0.5, 0.5]).log(), same)  # (1 + log(2 pi)) / 2
        EntropyBounds(lower=tensor(1.4189), upper=tensor(1.4189))
    """
    weights, own = log_weights.exp(), components.entropy()  # (*batch, K)
    rows, columns = _at(components, -1), _at(components, -2)

    def bound(distance: Tensor) -> Tensor:  # (*batch, K, K) -> (*batch,)
        overlap = torch.logsumexp(log_weights.unsqueeze(-2) - distance, dim=-1)
        return (weights * (own - overlap)).sum(-1)

    return EntropyBounds(
        bound(bhattacharyya(rows, columns)),  # (*batch, K, K)
        bound(kl_gaussians(rows, columns)),
    )


def _at(components: LowRankPrecisionNormal, dim: int) -> LowRankPrecisionNormal:
    """Returns components of batch shape (*batch, K, 1) for the dim -1, (*batch, 1, K) for -2."""
    *batch, count = components.batch_shape
    shape = Size((*batch, count, 1) if dim == -1 else (*batch, 1, count))
    return LowRankPrecisionNormal(
        components.loc.unsqueeze(dim - 1),
        components.diagonal.unsqueeze(dim - 1),
        components.factor.unsqueeze(dim - 2),
        validate_args=False,
    ).expand(shape)
