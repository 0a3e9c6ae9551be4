r"""Products, inverses and determinants of a precision :math:`\Lambda = D + U U^\top`.

By the formulas of Woodbury and of the determinant, from the capacitance.

References:
    Inverting Modified Matrices, Max A. Woodbury, 1950.
    The Matrix Cookbook, Kaare B. Petersen and Michael S. Pedersen, 2012.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from seqmdn.linalg.arithmetic import doubled, full_precision
from seqmdn.linalg.capacitance import (
    UNROLLED_RANK,
    capacitance_cholesky,
    capacitance_solve,
    solve_lower,
)

__all__ = [
    "colour",
    "covariance_diagonal",
    "covariance_matrix",
    "log_determinant",
    "precision_matrix",
    "project",
    "quadratic_form",
    "solve",
    "solve_factor",
]


@full_precision
def log_determinant(
    diagonal: Tensor,  # (*batch, D)
    factor: Tensor,  # (*batch, D, R)
) -> Tensor:  # (*batch,)
    r"""Returns :math:`\log|\Lambda| = \sum_i \log d_i + \log|C|`.

    Example:
        >>> log_determinant(torch.ones(3), torch.ones(3, 1))  # log(1 + 3)
        tensor(1.3863)
    """
    total = diagonal.log().sum(-1)
    if factor.shape[-1] == 0:
        return total
    cholesky = capacitance_cholesky(diagonal, factor)
    return total + 2 * cholesky.diagonal(dim1=-2, dim2=-1).log().sum(-1)


@full_precision
def quadratic_form(
    diagonal: Tensor,  # (*batch, D)
    factor: Tensor,  # (*batch, D, R)
    residual: Tensor,  # (*batch, D)
) -> Tensor:  # (*batch,)
    r"""Returns :math:`e^\top \Lambda e = \sum_i d_i e_i^2 + \|U^\top e\|^2`, never negative.

    Example:
        >>> quadratic_form(torch.ones(3), torch.ones(3, 1), torch.ones(3))  # 3 + 3^2
        tensor(12.)
    """
    total = (diagonal * residual.square()).sum(-1)
    if factor.shape[-1] == 0:
        return total
    return total + project(factor, residual).square().sum(-1)


@full_precision
def project(
    factor: Tensor,  # (*batch, D, R)
    vector: Tensor,  # (*batch, D)
) -> Tensor:  # (*batch, R)
    r"""Returns :math:`U^\top e`.

    Example:
        >>> project(torch.ones(3, 2), torch.ones(3))
        tensor([3., 3.])
    """
    if factor.shape[-1] == 0 or factor.shape[-1] > UNROLLED_RANK:
        return (vector.unsqueeze(-2) @ factor).squeeze(-2)
    return torch.stack([(column * vector).sum(-1) for column in factor.unbind(-1)], dim=-1)


@full_precision
def solve(
    diagonal: Tensor,  # (*batch, D)
    factor: Tensor,  # (*batch, D, R)
    vector: Tensor,  # (*batch, D)
) -> Tensor:  # (*batch, D)
    r"""Returns :math:`\Lambda^{-1} b = D^{-1} (b - U C^{-1} U^\top D^{-1} b)`.

    Example:
        >>> solve(torch.ones(3), torch.ones(3, 1), torch.ones(3))  # (I + 11') times 1/4 is 1
        tensor([0.2500, 0.2500, 0.2500])
    """
    if factor.shape[-1] == 0:
        return vector / diagonal
    weights = capacitance_solve(diagonal, factor, project(factor, vector / diagonal))
    return (vector - _combine(factor, weights)) / diagonal


@full_precision
def solve_factor(
    diagonal: Tensor,  # (*batch, D)
    factor: Tensor,  # (*batch, D, R)
    weights: Tensor,  # (*batch, R)
) -> Tensor:  # (*batch, D)
    r"""Returns :math:`\Lambda^{-1} U w = D^{-1} U C^{-1} w`.

    Without the cancellation that `solve` has for a large U.

    Example:
        >>> solve_factor(torch.ones(3), torch.ones(3, 1), torch.ones(1))
        tensor([0.2500, 0.2500, 0.2500])
    """
    if factor.shape[-1] == 0:
        return diagonal.new_zeros(torch.broadcast_shapes(diagonal.shape, (*weights.shape[:-1], 1)))
    return _combine(factor, capacitance_solve(diagonal, factor, weights)) / diagonal


@full_precision
def colour(
    diagonal: Tensor,  # (*batch, D)
    factor: Tensor,  # (*batch, D, R)
    noise: Tensor,  # (*batch, D)
) -> Tensor:  # (*batch, D)
    r"""Maps white noise z to noise of the covariance :math:`\Lambda^{-1}`.

    .. math:: x = D^{-1/2} \left(z - V L^{-\top} (I + L)^{-1} V^\top z\right), \quad
        V = D^{-1/2} U, \quad C = L L^\top

    Example:
        >>> colour(torch.tensor([4.0]), torch.zeros(1, 0), torch.tensor([1.0]))  # a precision of 4
        tensor([0.5000])
        >>> colour(torch.tensor([1.0]), torch.tensor([[3.0**0.5]]), torch.tensor([1.0]))
        tensor([0.5000])
    """
    scale = diagonal.rsqrt()
    if factor.shape[-1] == 0:
        return scale * noise
    if factor.shape[-1] == 1:  # C is one number, and a draw of a few features a few operations
        column = scale * factor.squeeze(-1)
        length = (1 + column.square().sum(-1, keepdim=True)).sqrt()
        share = (column * noise).sum(-1, keepdim=True) / (length * (1 + length))
        return scale * (noise - column * share)
    cholesky = capacitance_cholesky(diagonal, factor)
    identity = torch.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device)
    weights = project(factor, scale * noise).unsqueeze(-1)  # (*batch, R, 1)
    weights = solve_lower(cholesky, solve_lower(identity + cholesky, weights), transpose=True)
    return scale * (noise - scale * _combine(factor, weights.squeeze(-1)))


@full_precision
def covariance_diagonal(
    diagonal: Tensor,  # (*batch, D)
    factor: Tensor,  # (*batch, D, R)
) -> Tensor:  # (*batch, D)
    r"""Returns the diagonal of :math:`\Lambda^{-1}`, the variances.

    Example:
        >>> covariance_diagonal(torch.ones(3), torch.ones(3, 1))
        tensor([0.7500, 0.7500, 0.7500])
    """
    if factor.shape[-1] == 0:
        return diagonal.reciprocal()
    inverse, whitened = _woodbury(diagonal, factor)
    return (inverse - whitened.square().sum(-2)).to(diagonal.dtype)


@full_precision
def covariance_matrix(
    diagonal: Tensor,  # (*batch, D)
    factor: Tensor,  # (*batch, D, R)
) -> Tensor:  # (*batch, D, D)
    r"""Returns the dense :math:`\Lambda^{-1} = D^{-1} - D^{-1} U C^{-1} U^\top D^{-1}`.

    Example:
        >>> covariance_matrix(torch.ones(2), torch.ones(2, 1)).mul(3)
        tensor([[ 2., -1.],
                [-1.,  2.]])
    """
    if factor.shape[-1] == 0:
        return torch.diag_embed(diagonal.reciprocal())
    inverse, whitened = _woodbury(diagonal, factor)
    return (torch.diag_embed(inverse) - whitened.mT @ whitened).to(diagonal.dtype)


@full_precision
def precision_matrix(
    diagonal: Tensor,  # (*batch, D)
    factor: Tensor,  # (*batch, D, R)
) -> Tensor:  # (*batch, D, D)
    r"""Returns the dense :math:`\Lambda = \mathrm{diag}(d) + U U^\top`.

    Example:
        >>> precision_matrix(torch.ones(2), torch.ones(2, 1))
        tensor([[2., 1.],
                [1., 2.]])
    """
    return torch.diag_embed(diagonal) + factor @ factor.mT


def _combine(factor: Tensor, weights: Tensor) -> Tensor:
    """Returns U w (*batch, D) of U (*batch, D, R) and w (*batch, R)."""
    if factor.shape[-1] > UNROLLED_RANK:
        return (factor @ weights.unsqueeze(-1)).squeeze(-1)
    pairs = zip(factor.unbind(-1), weights.unbind(-1), strict=True)
    terms = [column * weight.unsqueeze(-1) for column, weight in pairs]
    return functools.reduce(torch.add, terms)


def _woodbury(diagonal: Tensor, factor: Tensor) -> tuple[Tensor, Tensor]:
    """Returns D^-1 (*batch, D) and W = L^-1 U' D^-1 (*batch, R, D), for Lambda^-1 = D^-1 - W' W.

    A direction of a precision far above the others cancels in this difference, so both are float64.
    """
    diagonal, factor = doubled(diagonal), doubled(factor)
    cholesky = capacitance_cholesky(diagonal, factor)
    return diagonal.reciprocal(), solve_lower(cholesky, factor.mT / diagonal.unsqueeze(-2))
