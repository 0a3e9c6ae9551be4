r"""The algebra of a precision matrix :math:`\Lambda = \mathrm{diag}(d) + U U^\top` in O(D R + R^3).

Every function takes `diagonal` d (*batch, D), positive, and `factor` U (*batch, D, R); batch shapes
broadcast. Only the two functions that return a D x D matrix form one. R = 0 takes its own path,
which costs what a diagonal matrix costs. All of it runs in float32 or better, under autocast too.

References:
    Inverting Modified Matrices, Max A. Woodbury, 1950.
    The Matrix Cookbook, Kaare B. Petersen and Michael S. Pedersen, 2012.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, TypeVar

import torch
from torch import Tensor

__all__ = [
    "capacitance_cholesky",
    "colour",
    "covariance_diagonal",
    "covariance_matrix",
    "full_precision",
    "log_determinant",
    "precision_matrix",
    "project",
    "quadratic_form",
    "solve",
    "solve_factor",
    "solve_lower",
    "widen",
]

# Up to this rank, arithmetic on whole columns replaces one LAPACK and BLAS call per matrix of the
# batch: on a CPU a log-determinant, with its gradient, is three times faster at R = 2, even at 8.
UNROLLED_RANK = 8

_AUTOCAST_DEVICES = ("cpu", "cuda", "mps", "xpu")
_Function = TypeVar("_Function", bound=Callable[..., Any])


def widen(tensor: Tensor) -> Tensor:
    """Returns a half-precision tensor as float32 and any other tensor as it is."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def full_precision(function: _Function) -> _Function:
    """Makes a function compute in float32 or better.

    Turns autocast off inside it and widens half-precision arguments: a density in bfloat16 keeps
    two or three digits, fewer than the differences that models are compared by.

    Example:
        >>> product = full_precision(torch.matmul)
        >>> with torch.autocast("cpu", dtype=torch.bfloat16):
        ...     torch.matmul(torch.ones(2, 2), torch.ones(2, 2)).dtype, product(
        ...         torch.ones(2, 2), torch.ones(2, 2, dtype=torch.bfloat16)
        ...     ).dtype
        (torch.bfloat16, torch.float32)
    """

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        args = tuple(widen(a) if isinstance(a, Tensor) else a for a in args)
        kwargs = {k: widen(a) if isinstance(a, Tensor) else a for k, a in kwargs.items()}
        active = [device for device in _AUTOCAST_DEVICES if torch.is_autocast_enabled(device)]
        if not active:
            return function(*args, **kwargs)
        with ExitStack() as stack:
            for device in active:
                stack.enter_context(torch.autocast(device, enabled=False))
            return function(*args, **kwargs)

    return wrapper  # type: ignore[return-value]


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
    if rank <= UNROLLED_RANK:
        return _assemble(_unrolled_cholesky(diagonal, factor))
    # In float32, C would lose its identity beside a large V, and its Cholesky factor with it.
    scaled = _double(factor * diagonal.rsqrt().unsqueeze(-1))  # (*batch, D, R)
    identity = torch.eye(rank, dtype=scaled.dtype, device=scaled.device)
    return torch.linalg.cholesky(identity + scaled.mT @ scaled).to(factor.dtype)


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
    weights = _capacitance_solve(diagonal, factor, project(factor, vector / diagonal))
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
    return _combine(factor, _capacitance_solve(diagonal, factor, weights)) / diagonal


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
        if transpose:
            return torch.linalg.solve_triangular(lower.mT, right, upper=True)
        return torch.linalg.solve_triangular(lower, right, upper=False)
    matrix = lower.mT if transpose else lower
    rows = right.unbind(-2)
    solved: dict[int, Tensor] = {}
    for i in reversed(range(rank)) if transpose else range(rank):
        row = rows[i]  # (*batch, M)
        for j, known in solved.items():
            row = row - matrix[..., i, j].unsqueeze(-1) * known
        solved[i] = row / matrix[..., i, i].unsqueeze(-1)
    return torch.stack([solved[i] for i in range(rank)], dim=-2)


def _combine(factor: Tensor, weights: Tensor) -> Tensor:
    """Returns U w (*batch, D) of U (*batch, D, R) and w (*batch, R)."""
    if factor.shape[-1] > UNROLLED_RANK:
        return (factor @ weights.unsqueeze(-1)).squeeze(-1)
    pairs = zip(factor.unbind(-1), weights.unbind(-1), strict=True)
    terms = [column * weight.unsqueeze(-1) for column, weight in pairs]
    return functools.reduce(torch.add, terms)


def _capacitance_solve(diagonal: Tensor, factor: Tensor, weights: Tensor) -> Tensor:
    """Returns C^-1 w (*batch, R) of w (*batch, R)."""
    cholesky = capacitance_cholesky(diagonal, factor)
    half = solve_lower(cholesky, weights.unsqueeze(-1))
    return solve_lower(cholesky, half, transpose=True).squeeze(-1)


def _woodbury(diagonal: Tensor, factor: Tensor) -> tuple[Tensor, Tensor]:
    """Returns D^-1 (*batch, D) and W = L^-1 U' D^-1 (*batch, R, D), for Lambda^-1 = D^-1 - W' W.

    A direction of a precision far above the others cancels in this difference, so both are float64.
    """
    diagonal, factor = _double(diagonal), _double(factor)
    cholesky = capacitance_cholesky(diagonal, factor)
    return diagonal.reciprocal(), solve_lower(cholesky, factor.mT / diagonal.unsqueeze(-2))


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


def _double(tensor: Tensor) -> Tensor:
    """Returns the tensor in float64 where its device has it."""
    return tensor if tensor.device.type == "mps" else tensor.double()
