"""Triangular systems: both ways give what the library does."""

import pytest
import torch

from seqmdn.linalg.triangular import solve_triangular, substituted


@pytest.mark.parametrize("unitriangular", [False, True])
@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("features", [1, 2, 5])
def test_both_solve_the_system(features: int, upper: bool, unitriangular: bool) -> None:
    matrix = torch.randn(3, features, features, dtype=torch.float64)
    matrix = matrix + 3 * torch.eye(features, dtype=torch.float64)
    right = torch.randn(3, features, 4, dtype=torch.float64)
    whole = matrix.triu() if upper else matrix.tril()
    if unitriangular:
        whole = whole - torch.diag_embed(whole.diagonal(dim1=-2, dim2=-1)) + torch.eye(features)
    expected = torch.linalg.solve(whole, right)
    # The other triangle, and a diagonal of ones, are not read.
    for solve in (solve_triangular, substituted):
        found = solve(matrix, right, upper, unitriangular)
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)


def test_a_shared_matrix_broadcasts() -> None:
    matrix, right = torch.eye(2) + torch.ones(2, 2).tril(-1), torch.randn(3, 2, 4)
    found = substituted(matrix, right, upper=False, unitriangular=True)
    torch.testing.assert_close(found, solve_triangular(matrix.expand(3, 2, 2), right))
