r"""How far apart two Gaussians of precision D + UU' are: Kullback-Leibler and Bhattacharyya.

Both cost O(D R^2 + R^3) and form no D x D matrix. They are differences of numbers that may be far
larger than they are, hence computed in float64 where the device has it, and returned in the
parameters' dtype. Gradients reach the parameters of both.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions.kl import register_kl

from seqmdn import linalg
from seqmdn.distributions.gaussian import LowRankPrecisionNormal
from seqmdn.linalg import doubled

__all__ = ["bhattacharyya", "kl_gaussians"]

_Parameters = tuple[Tensor, Tensor, Tensor]


@register_kl(LowRankPrecisionNormal, LowRankPrecisionNormal)
def kl_gaussians(
    p: LowRankPrecisionNormal,  # of batch shape (*batch)
    q: LowRankPrecisionNormal,  # of batch shape (*batch)
) -> Tensor:  # (*batch,)
    r"""Returns the Kullback-Leibler divergence in nats; `torch.distributions.kl_divergence` too.

    .. math:: \mathrm{KL}(p \,\|\, q) = \tfrac12 \left(
        \mathrm{tr}(\Lambda_q \Lambda_p^{-1}) - D + \delta^\top \Lambda_q \delta
        + \log|\Lambda_p| - \log|\Lambda_q|\right), \quad \delta = \mu_q - \mu_p

    .. math:: \mathrm{tr}(\Lambda_q \Lambda_p^{-1}) = \sum_i d_{q,i} (\Lambda_p^{-1})_{ii}
        + \|D_p^{-1/2} U_q\|_F^2 - \|L_p^{-1} U_p^\top D_p^{-1} U_q\|_F^2

    with :math:`L_p L_p^\top` the capacitance of p. Batch shapes broadcast.

    Raises:
        ValueError: If the two are not of one number of features.

    References:
        On Information and Sufficiency, Solomon Kullback and Richard A. Leibler, 1951.

    Example:
        >>> p = LowRankPrecisionNormal(torch.zeros(2), torch.ones(2))
        >>> q = LowRankPrecisionNormal(torch.ones(2), torch.ones(2), torch.ones(2, 1))
        >>> torch.distributions.kl_divergence(p, q)  # (4 - 2 + 6 - log 3) / 2
        tensor(3.4507)
    """
    dtype, (p_loc, p_diagonal, p_factor), (q_loc, q_diagonal, q_factor) = _both(p, q)
    spread = (q_diagonal * linalg.covariance_diagonal(p_diagonal, p_factor)).sum(-1)
    if q_factor.shape[-1]:
        scaled = q_factor / p_diagonal.unsqueeze(-1)  # (*batch, D, R_q)
        spread = spread + (scaled * q_factor).sum((-2, -1))
        if p_factor.shape[-1]:
            cholesky = linalg.capacitance_cholesky(p_diagonal, p_factor)
            shared = linalg.solve_lower(cholesky, p_factor.mT @ scaled)  # (*batch, R_p, R_q)
            spread = spread - shared.square().sum((-2, -1))
    distance = linalg.quadratic_form(q_diagonal, q_factor, q_loc - p_loc)
    sizes = linalg.log_determinant(p_diagonal, p_factor) - linalg.log_determinant(
        q_diagonal, q_factor
    )
    return (0.5 * (spread - p.event_shape[0] + distance + sizes)).to(dtype)


def bhattacharyya(
    p: LowRankPrecisionNormal,  # of batch shape (*batch)
    q: LowRankPrecisionNormal,  # of batch shape (*batch)
) -> Tensor:  # (*batch,)
    r"""Returns the Bhattacharyya distance :math:`-\log \int \sqrt{p(y)\, q(y)}\, dy` in nats.

    .. math:: \tfrac14 \delta^\top (\Lambda_p^{-1} + \Lambda_q^{-1})^{-1} \delta
        + \tfrac12 \log\left|\tfrac12 (\Lambda_p + \Lambda_q)\right|
        - \tfrac14 \log|\Lambda_p| - \tfrac14 \log|\Lambda_q|, \quad \delta = \mu_q - \mu_p

    The sum of the precisions is D + UU' again, of rank R_p + R_q. The first term is the least of
    :math:`\tfrac14 \left(t^\top \Lambda_p t + (\delta - t)^\top \Lambda_q (\delta - t)\right)`,
    which is reached at :math:`t = (\Lambda_p + \Lambda_q)^{-1} \Lambda_q \delta`: a sum of squares
    where rounding counts only in second order. Batch shapes broadcast.

    Raises:
        ValueError: If the two are not of one number of features.

    References:
        On a Measure of Divergence between Two Statistical Populations Defined by their Probability
        Distributions, Anil Bhattacharyya, 1943.

    Example:
        >>> p = LowRankPrecisionNormal(torch.zeros(1), torch.ones(1))
        >>> bhattacharyya(p, LowRankPrecisionNormal(torch.tensor([4.0]), torch.ones(1)))  # 4^2 / 8
        tensor(2.)
    """
    dtype, (p_loc, p_diagonal, p_factor), (q_loc, q_diagonal, q_factor) = _both(p, q)
    batch = torch.broadcast_shapes(p.batch_shape, q.batch_shape)
    diagonal = p_diagonal + q_diagonal
    factor = torch.cat([f.expand(*batch, -1, -1) for f in (p_factor, q_factor)], dim=-1)
    apart = (q_loc - p_loc).expand(*batch, -1)  # (*batch, D)
    pulled = q_diagonal * apart
    if q_factor.shape[-1]:
        pulled = pulled + (q_factor @ linalg.project(q_factor, apart).unsqueeze(-1)).squeeze(-1)
    step = linalg.solve(diagonal, factor, pulled)
    distance = linalg.quadratic_form(p_diagonal, p_factor, step)
    distance = distance + linalg.quadratic_form(q_diagonal, q_factor, apart - step)
    middle = linalg.log_determinant(0.5 * diagonal, 0.5**0.5 * factor)
    ends = linalg.log_determinant(p_diagonal, p_factor) + linalg.log_determinant(
        q_diagonal, q_factor
    )
    return (0.25 * distance + 0.5 * middle - 0.25 * ends).to(dtype)


def _both(
    p: LowRankPrecisionNormal, q: LowRankPrecisionNormal
) -> tuple[torch.dtype, _Parameters, _Parameters]:
    """Returns the dtype of the result and the parameters of both in float64."""
    if p.event_shape != q.event_shape:
        raise ValueError(
            "expected two Gaussians of the same features, found"
            f" {p.event_shape[0]} and {q.event_shape[0]}. Take the marginal of what they share."
        )
    first, second = (
        (doubled(one.loc), doubled(one.diagonal), doubled(one.factor)) for one in (p, q)
    )
    return torch.promote_types(p.loc.dtype, q.loc.dtype), first, second
