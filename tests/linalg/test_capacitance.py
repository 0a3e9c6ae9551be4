from __future__ import annotations

import pytest
import torch

from seqmdn import linalg
from tests.linalg.test_lowrank import RANKS, draw


@pytest.mark.parametrize("rank", RANKS[1:])
def test_capacitance_cholesky(rank: int) -> None:
    diagonal, factor, _ = draw((3,), 6, rank)
    lower = linalg.capacitance_cholesky(diagonal, factor)
    capacitance = torch.eye(rank) + factor.mT @ (factor / diagonal.unsqueeze(-1))
    assert torch.equal(lower, lower.tril())
    torch.testing.assert_close(lower @ lower.mT, capacitance)


@pytest.mark.parametrize("rank", RANKS[1:])
@pytest.mark.parametrize("transpose", [False, True])
def test_solve_lower(rank: int, transpose: bool) -> None:
    lower = torch.randn(3, rank, rank, dtype=torch.float64).tril()
    lower = lower + 3 * torch.eye(rank, dtype=torch.float64)
    right = torch.randn(3, rank, 4, dtype=torch.float64)
    matrix = lower.mT if transpose else lower
    torch.testing.assert_close(matrix @ linalg.solve_lower(lower, right, transpose), right)


@pytest.mark.parametrize("rank", RANKS[1:])
def test_capacitance_solve(rank: int) -> None:
    diagonal, factor, _ = draw((3,), 6, rank)
    weights = torch.randn(3, rank, dtype=torch.float64)
    capacitance = torch.eye(rank) + factor.mT @ (factor / diagonal.unsqueeze(-1))
    found = linalg.capacitance_solve(diagonal, factor, weights)
    torch.testing.assert_close((capacitance @ found.unsqueeze(-1)).squeeze(-1), weights)
