r"""The Rosenblatt transform of a mixture of Gaussians of precision D + UU', and its inverse.

The marginal of the features up to d is in the family, and so is feature d given those before it:
a Gaussian whose precision and mean follow from two sums, one over the features after d and one over
those before it. With the residuals e and the rows :math:`u_d` of U,

.. math:: p_d = d_d + u_d^\top C_{>d}^{-1} u_d, \quad
    m_d = \mu_d - u_d^\top C_{>d}^{-1} h_{<d} / p_d

.. math:: C_{>d} = I_R + \sum_{j>d} u_j u_j^\top / d_j, \quad h_{<d} = \sum_{j<d} u_j e_j

where each inverse follows from the one before it by a rank-one update, last feature first:
:math:`C_{\ge d}^{-1} = C_{>d}^{-1} - C_{>d}^{-1} u_d u_d^\top C_{>d}^{-1} / p_d`. All of them
together cost O(D R^2), with no conditional made. The update loses as many digits as
:math:`\|U\|^2 / d` has, so it is in float64 where the device has it, whatever the dtype given.

References:
    Remarks on a Multivariate Transformation, Murray Rosenblatt, 1952.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from seqmdn import linalg
from seqmdn.distributions.univariate import mixture_icdf
from seqmdn.linalg import doubled

if TYPE_CHECKING:
    from seqmdn.distributions.gaussian import LowRankPrecisionNormal

__all__ = [
    "Chain",
    "chain",
    "check_levels",
    "inverse_rosenblatt",
    "prefix_means",
    "prefix_weights",
    "rosenblatt",
]


class Chain(NamedTuple):
    """Holds what the conditionals of each feature, given those before it, share over all values."""

    loc: Tensor  # (*batch, K, D)
    factor: Tensor  # (*batch, K, D, R)
    precision: Tensor  # p, (*batch, K, D)
    gain: Tensor  # c_d = C_{>d}^-1 u_d / p_d, (*batch, K, D, R)
    inverse: Tensor  # C_{>d}^-1, (*batch, K, D, R, R)


@linalg.full_precision
def chain(components: LowRankPrecisionNormal) -> Chain:
    """Returns the parts of the components' conditionals that do not depend on a value.

    Example:
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> gaussian = LowRankPrecisionNormal(torch.zeros(2), torch.ones(2), torch.ones(2, 1))
        >>> chain(gaussian).precision  # one over the variance 2/3, and the last given the first
        tensor([1.5000, 2.0000], dtype=torch.float64)
    """
    loc, diagonal, factor = map(doubled, (components.loc, components.diagonal, components.factor))
    rank = factor.shape[-1]
    if rank == 0:
        return Chain(loc, factor, diagonal, factor, factor.new_zeros(*factor.shape, 0))
    inverse = torch.eye(rank).to(factor).expand(*factor.shape[:-2], rank, rank)
    precisions, gains, inverses = [], [], []
    rows = zip(diagonal.unbind(-1), factor.unbind(-2), strict=True)
    for own, row in reversed(list(rows)):  # (*batch, K), (*batch, K, R)
        solved = (inverse * row.unsqueeze(-2)).sum(-1)
        precisions.append(own + (row * solved).sum(-1))
        gains.append(solved / precisions[-1].unsqueeze(-1))
        inverses.append(inverse)
        inverse = inverse - solved.unsqueeze(-1) * gains[-1].unsqueeze(-2)
    return Chain(
        loc,
        factor,
        torch.stack(precisions[::-1], dim=-1),
        torch.stack(gains[::-1], dim=-2),
        torch.stack(inverses[::-1], dim=-3),
    )


def prefix_means(
    links: Chain,
    residual: Tensor,  # (*sample, *batch, K, D)
) -> tuple[Tensor, Tensor]:  # (*sample, *batch, K, D), (*sample, *batch, K, D, R)
    r"""Returns each feature's mean given the residuals before it, and :math:`h_{<d}`.

    Example:
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> links = chain(LowRankPrecisionNormal(torch.zeros(2), torch.ones(2), torch.ones(2, 1)))
        >>> prefix_means(links, torch.tensor([1.0, 9.0]).double())[0]
        tensor([ 0.0000, -0.5000], dtype=torch.float64)
    """
    terms = links.factor * residual.unsqueeze(-1)
    before = terms.cumsum(-2).roll(1, -2)
    before = torch.cat((torch.zeros_like(terms[..., :1, :]), before[..., 1:, :]), dim=-2)
    return links.loc - (links.gain * before).sum(-1), before


@linalg.full_precision
def rosenblatt(
    value: Tensor,  # (*sample, *batch, D)
    log_weights: Tensor,  # (*batch, K)
    components: LowRankPrecisionNormal,  # of batch shape (*batch, K)
    mask: Tensor | None = None,  # (*sample, *batch, D)
) -> Tensor:  # (*sample, *batch, D)
    r"""Returns :math:`u_d = F(y_d \mid y_{<d})`, which are independent and uniform for draws.

    .. math:: u_d = \sum_k w_{kd} \, \Phi\left((y_d - m_{kd}) \sqrt{p_{kd}}\right), \quad
        w_{kd} \propto \pi_k N_k(y_{<d})

    The order of the features matters. The Jacobian is lower triangular, and its determinant is the
    density. Every u is in (0, 1), but a y beyond 8 standard deviations rounds to 1 (in float32,
    beyond 5), and one below -38 to 0. Gradients reach the value and every parameter.

    With a mask, :math:`y_{<d}` are the observed features before d, and the missing ones are
    integrated out. Their value must be 0; their u is meaningless.

    Example:
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> two = LowRankPrecisionNormal(torch.tensor([[-2.0, 5.0], [2.0, 7.0]]), torch.ones(2, 2))
        >>> rosenblatt(torch.tensor([2.0, 7.0]), torch.tensor([0.5, 0.5]).log(), two)
        tensor([0.7500, 0.5002])
    """
    dtype = torch.promote_types(value.dtype, components.loc.dtype)
    links = chain(components if mask is None else components._of_observed(mask.unsqueeze(-2)))
    value = doubled(value).unsqueeze(-2)  # (*sample, *batch, 1, D)
    means, _ = prefix_means(links, value - links.loc)
    log_mix, standard = prefix_weights(value, doubled(log_weights), means, links.precision)
    return (log_mix.exp() * torch.special.ndtr(standard)).sum(-2).to(dtype)


def prefix_weights(
    value: Tensor,  # (*sample, *batch, 1, D)
    log_weights: Tensor,  # (*batch, K)
    means: Tensor,  # (*sample, *batch, K, D)
    precision: Tensor,  # (*batch, K, D)
) -> tuple[Tensor, Tensor]:  # two of (*sample, *batch, K, D)
    """Returns each feature's log-weights given what is before it, and its standardised residuals.

    Example:
        >>> zero = torch.zeros(2, 1)
        >>> prefix_weights(torch.ones(1, 1), torch.tensor([0.5, 0.5]).log(), zero, 1 + zero)[1]
        tensor([[1.],
                [1.]])
    """
    standard = (value - means) * precision.sqrt()
    terms = 0.5 * (precision.log() - standard.square() - math.log(2 * math.pi))
    evidence = torch.cat((torch.zeros_like(terms[..., :1]), terms[..., :-1].cumsum(-1)), dim=-1)
    return torch.log_softmax(log_weights.unsqueeze(-1) + evidence, dim=-2), standard


@linalg.full_precision
def inverse_rosenblatt(
    u: Tensor,  # (*sample, *batch, D)
    log_weights: Tensor,  # (*batch, K)
    components: LowRankPrecisionNormal,  # of batch shape (*batch, K)
) -> Tensor:  # (*sample, *batch, D)
    r"""Returns the y of which `rosenblatt` gives u, one quantile of a mixture after the other.

    To float precision; first derivatives reach u and every parameter. D steps of O(K R).

    Raises:
        ValueError: If a u is not inside (0, 1): with an infinite feature there is nothing to
            condition the next one on.

    Example:
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> two = LowRankPrecisionNormal(torch.tensor([[-2.0, 5.0], [2.0, 7.0]]), torch.ones(2, 2))
        >>> inverse_rosenblatt(torch.tensor([0.75, 0.5002]), torch.tensor([0.5, 0.5]).log(), two)
        tensor([2.0001, 7.0001])
    """
    check_levels(u)
    dtype = torch.promote_types(u.dtype, components.loc.dtype)
    links = chain(components)
    log_mix = doubled(log_weights)  # (*sample, *batch, K)
    before = links.factor.new_zeros(links.factor.shape[-1])  # h, (*sample, *batch, K, R)
    values: list[Tensor] = []
    for d, level in enumerate(doubled(u).unbind(-1)):
        precision = links.precision[..., d]  # (*batch, K)
        mean = links.loc[..., d] - (links.gain[..., d, :] * before).sum(-1)
        value = mixture_icdf(level, log_mix, mean, precision.rsqrt())
        values.append(value)
        residual = value.unsqueeze(-1) - mean
        evidence = 0.5 * (precision.log() - precision * residual.square())
        log_mix = torch.log_softmax(log_mix + evidence, dim=-1)
        apart = (value.unsqueeze(-1) - links.loc[..., d]).unsqueeze(-1)
        before = before + links.factor[..., d, :] * apart
    return torch.stack(values, dim=-1).to(dtype)


def check_levels(u: Tensor) -> None:
    """Refuses levels that are not inside (0, 1).

    Raises:
        ValueError: If so.

    Example:
        >>> check_levels(torch.tensor([0.5, 1.0]))
        Traceback (most recent call last):
            ...
        ValueError: u must be probabilities inside (0, 1); found 0.5 to 1. For the ...
    """
    if not bool(((u > 0) & (u < 1)).all()):
        raise ValueError(
            f"u must be probabilities inside (0, 1); found {u.min():.6g} to {u.max():.6g}."
            " For the infinite quantiles of one feature, use icdf of its marginal."
        )
