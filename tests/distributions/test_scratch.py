from __future__ import annotations

import math

import pytest
import torch

from seqmdn.distributions.scratch import Scratch, joined, log_sum, orthogonalise


@pytest.mark.parametrize("rank", [1, 2, 4, 7])
def test_orthogonal_columns_decompose_the_capacitance(rank: int) -> None:
    diagonal = 0.2 + torch.rand(3, 6, dtype=torch.float64)
    factor = torch.randn(3, 6, rank, dtype=torch.float64)
    columns = factor.movedim(-1, 0).contiguous()
    rows, pivots = orthogonalise(1 / diagonal, columns, 1, Scratch(factor))
    lower = torch.eye(rank, dtype=torch.float64).repeat(3, 1, 1)  # N, (3, R, R)
    for i, row in enumerate(rows[1:], start=1):
        lower[:, i, :i] = row.squeeze(-1).mT
    capacitance = torch.eye(rank) + factor.mT @ (factor / diagonal.unsqueeze(-1))
    torch.testing.assert_close(
        lower @ capacitance @ lower.mT, torch.diag_embed(pivots.squeeze(-1).mT)
    )
    torch.testing.assert_close(columns.movedim(0, -1), factor @ lower.mT)


@pytest.mark.parametrize("features", range(1, 14))
def test_sum_of_logarithms(features: int) -> None:
    numbers = torch.rand(5, features, 3, dtype=torch.float64) + 0.01
    found = log_sum(numbers, 1, Scratch(numbers))
    torch.testing.assert_close(found, numbers.log().sum(1, keepdim=True), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    "numbers", [[1e-30] * 4, [1e30] * 4, [1e-25, 1e-25, 1e25, 1e25], [1e38, 9]]
)
def test_sum_of_logarithms_whose_product_float32_cannot_hold(numbers: list[float]) -> None:
    tensor = torch.tensor(numbers)
    exact = tensor.double().log().sum()
    assert log_sum(tensor, 0, Scratch(tensor)).item() == pytest.approx(exact.item(), abs=1e-5)


def test_sum_of_logarithms_passes_nan_on() -> None:
    tensor = torch.tensor([1.0, math.nan, 1.0, 1.0])
    assert log_sum(tensor, 0, Scratch(tensor)).isnan()


def test_scratch_gives_the_same_memory_until_it_is_too_small() -> None:
    scratch = Scratch(torch.zeros(0, dtype=torch.float64))
    first = scratch("a", (4, 3))
    assert first.dtype == torch.float64
    assert scratch("a", (2, 3)).data_ptr() == first.data_ptr()
    assert scratch("b", (4, 3)).data_ptr() != first.data_ptr()
    assert scratch("a", (5, 3)).shape == (5, 3)
    assert scratch("a", (4, 3)).data_ptr() == scratch("a", (5, 3)).data_ptr()


@pytest.mark.parametrize(
    ("left", "right"), [((2, 1, 3), (2, 4, 1)), ((5, 2, 1), (2, 3)), ((3,), (4, 1, 1)), ((), (2,))]
)
def test_shapes_join_as_torch_broadcasts_them(left: tuple, right: tuple) -> None:
    assert joined(left, right) == tuple(torch.broadcast_shapes(left, right))
