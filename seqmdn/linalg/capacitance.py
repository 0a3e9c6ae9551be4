r"""The capacitance :math:`C = I_R + U^\top D^{-1} U` of D + UU' and its Cholesky factor."""

from __future__ import annotations

import torch
from torch import Tensor

from seqmdn.linalg.arithmetic import doubled, full_precision
from seqmdn.linalg.triangular import solve_triangular

__all__ = ["UNROLLED_RANK", "capacitance_cholesky", "capacitance_solve", "solve_lower"]

# Up to this rank, arithmetic on whole columns replaces one LAPACK and BLAS call per matrix of the
# batch: on a CPU a log-determinant, with its gradient, is three times faster at R = 2, even at 8.
# Graphs of ONNX know no LAPACK: what is exported is unrolled at any rank.
UNROLLED_RANK = 8


@full_precision
def capacitance_cholesky(
    diagonal: Tensor,  # (*batch, D)
    factor: Tensor,  # (*batch, D, R)
) -> Tensor:  # (*batch, R, R)
    r"""Returns the lower Cholesky factor L of the capacitance :math:`C = I_R + U^\top D^{-1} U`.

    Example:
        >>> capacitance_cholesky(torch.ones(3), torch.ones(3, 1))
        tensor([[2.]])
    """
    rank = factor.shape[-1]
    if rank <= UNROLLED_RANK or torch.compiler.is_exporting():
        return _assemble(_unrolled_cholesky(diagonal, factor))
    # In float32, C would lose its identity beside a large V, and its Cholesky factor with it.
    scaled = doubled(factor * diagonal.rsqrt().unsqueeze(-1))  # (*batch, D, R)
    identity = torch.eye(rank, dtype=scaled.dtype, device=scaled.device)
    return torch.linalg.cholesky(identity + scaled.mT @ scaled).to(factor.dtype)


@full_precision
def capacitance_solve(
    diagonal: Tensor,  # (*batch, D)
    factor: Tensor,  # (*batch, D, R)
    weights: Tensor,  # (*batch, R)
) -> Tensor:  # (*batch, R)
    r"""Returns :math:`C^{-1} w`.

    Example:
        >>> capacitance_solve(torch.ones(3), torch.ones(3, 1), torch.ones(1))  # 1 / (1 + 3)
        tensor([0.2500])
    """
    cholesky = capacitance_cholesky(diagonal, factor)
    half = solve_lower(cholesky, weights.unsqueeze(-1))
    return solve_lower(cholesky, half, transpose=True).squeeze(-1)


@full_precision
def solve_lower(
    lower: Tensor,  # (*batch, R, R)
    right: Tensor,  # (*batch, R, M)
    transpose: bool = False,
) -> Tensor:  # (*batch, R, M)
    r"""Returns :math:`L^{-1} B`, or :math:`L^{-\top} B` with `transpose`, for a lower triangular L.

    Example:
        >>> lower = torch.tensor([[2.0, 0.0], [1.0, 1.0]])
        >>> solve_lower(lower, torch.eye(2))
        tensor([[ 0.5000,  0.0000],
                [-0.5000,  1.0000]])
    """
    rank = lower.shape[-1]
    if rank > UNROLLED_RANK:
        return solve_triangular(lower.mT if transpose else lower, right, upper=transpose)
    matrix = lower.mT if transpose else lower
    rows = right.unbind(-2)
    solved: dict[int, Tensor] = {}
    for i in reversed(range(rank)) if transpose else range(rank):
        row = rows[i]  # (*batch, M)
        for j, known in solved.items():
            row = row - matrix[..., i, j].unsqueeze(-1) * known
        solved[i] = row / matrix[..., i, i].unsqueeze(-1)
    return torch.stack([solved[i] for i in range(rank)], dim=-2)


def _unrolled_cholesky(diagonal: Tensor, factor: Tensor) -> list[list[Tensor]]:
    """Returns the lower triangle of L as rows of tensors (*batch,).

    L' is the triangle of the QR decomposition of [I; V], by modified Gram-Schmidt. Forming C first
    would lose I beside a large V: with parallel columns, nats of the log-determinant in float32.
    """
    scale = diagonal.rsqrt()
    lower: list[list[Tensor]] = []
    tops: list[list[Tensor]] = []  # of every orthogonal column, its part in I without the 1
    bottoms: list[Tensor] = []  # and its part in V, (*batch, D)
    for column in factor.unbind(-1):
        row: list[Tensor] = []
        top: list[Tensor] = []
        bottom = column * scale
        for j, (other, other_top) in enumerate(zip(bottoms, tops, strict=True)):
            product = (other * bottom).sum(-1)
            for mine, its in zip(top, other_top, strict=True):
                product = product + mine * its
            row.append(product / lower[j][j])
            share = row[j] / lower[j][j]
            bottom = torch.addcmul(bottom, share.unsqueeze(-1), other, value=-1)
            top = [mine - share * its for mine, its in zip(top, other_top, strict=True)]
            top.append(-share)
        pivot = 1 + bottom.square().sum(-1)
        for mine in top:
            pivot = pivot + mine.square()
        lower.append([*row, pivot.sqrt()])
        tops.append(top)
        bottoms.append(bottom)
    return lower


def _assemble(lower: list[list[Tensor]]) -> Tensor:
    """Returns the triangle of rows of tensors (*batch,) as one tensor (*batch, R, R)."""
    zero = torch.zeros_like(lower[0][0])
    rows = [torch.stack(row + [zero] * (len(lower) - len(row)), dim=-1) for row in lower]
    return torch.stack(rows, dim=-2)
