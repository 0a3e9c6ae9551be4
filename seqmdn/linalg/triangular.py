"""Solutions of triangular systems, by the library or by operations that a graph knows."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["solve_triangular", "substituted"]


def solve_triangular(
    matrix: Tensor,  # (*batch, D, D)
    right: Tensor,  # (*batch, D, N)
    upper: bool = False,
    unitriangular: bool = False,
) -> Tensor:  # (*batch, D, N)
    r"""Returns :math:`A^{-1} B` for a triangular A, as `torch.linalg.solve_triangular` does.

    ONNX has no such operation, so that a model that is exported gets :func:`substituted`.

    Args:
        matrix: A, lower triangular or, with `upper`, upper triangular; the rest is not read.
        right: B.
        upper: which triangle of A is meant.
        unitriangular: whether A has ones on its diagonal, which is not read then.

    Example:
        >>> lower = torch.tensor([[2.0, 0.0], [1.0, 1.0]])
        >>> solve_triangular(lower, torch.tensor([[2.0], [3.0]]))
        tensor([[1.],
                [2.]])
    """
    if torch.compiler.is_exporting():
        return substituted(matrix, right, upper, unitriangular)
    return torch.linalg.solve_triangular(matrix, right, upper=upper, unitriangular=unitriangular)


def substituted(matrix: Tensor, right: Tensor, upper: bool, unitriangular: bool) -> Tensor:
    """Returns the same row by row, D operations one after the other; see `solve_triangular`.

    Example:
        >>> matrix = torch.tensor([[1.0, 2.0], [0.0, 4.0]])
        >>> substituted(matrix, torch.tensor([[4.0], [4.0]]), upper=True, unitriangular=False)
        tensor([[2.],
                [1.]])
    """
    count = matrix.shape[-1]
    found: Tensor | None = None  # the rows that are known by now, in their order
    for i in reversed(range(count)) if upper else range(count):
        row = right[..., i : i + 1, :]
        if found is not None:
            known = matrix[..., i : i + 1, i + 1 :] if upper else matrix[..., i : i + 1, :i]
            row = row - known @ found
        if not unitriangular:
            row = row / matrix[..., i : i + 1, i : i + 1]
        parts = [] if found is None else [found]
        found = torch.cat([row, *parts] if upper else [*parts, row], dim=-2)
    return right if found is None else found
