from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqmdn import linalg

# Below, at and above the rank up to which the arithmetic is unrolled.
RANKS = (0, 1, 2, 3, linalg.UNROLLED_RANK, linalg.UNROLLED_RANK + 1, 12)


def draw(batch: tuple[int, ...], features: int, rank: int) -> tuple[Tensor, Tensor, Tensor]:
    """Returns a diagonal, a factor, and the dense precision."""
    diagonal = 0.2 + 2 * torch.rand(*batch, features, dtype=torch.float64)
    factor = torch.randn(*batch, features, rank, dtype=torch.float64)
    return diagonal, factor, torch.diag_embed(diagonal) + factor @ factor.mT


@given(
    batch=st.sampled_from([(), (1,), (3,), (2, 3)]),
    features=st.integers(1, 12),
    rank=st.sampled_from(RANKS),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=80, deadline=None)
def test_equals_dense_algebra(batch: tuple[int, ...], features: int, rank: int, seed: int) -> None:
    torch.manual_seed(seed)
    diagonal, factor, precision = draw(batch, features, rank)
    vector = torch.randn(*batch, features, dtype=torch.float64)
    weights = torch.randn(*batch, rank, dtype=torch.float64)
    covariance = torch.linalg.inv(precision)

    def matvec(matrix: Tensor, right: Tensor) -> Tensor:
        return (matrix @ right.unsqueeze(-1)).squeeze(-1)

    pairs = {
        "log_determinant": (linalg.log_determinant(diagonal, factor), torch.logdet(precision)),
        "quadratic_form": (
            linalg.quadratic_form(diagonal, factor, vector),
            (vector * matvec(precision, vector)).sum(-1),
        ),
        "project": (linalg.project(factor, vector), matvec(factor.mT, vector)),
        "solve": (linalg.solve(diagonal, factor, vector), matvec(covariance, vector)),
        "solve_factor": (
            linalg.solve_factor(diagonal, factor, weights),
            matvec(covariance, matvec(factor, weights)),
        ),
        "covariance_diagonal": (
            linalg.covariance_diagonal(diagonal, factor),
            covariance.diagonal(dim1=-2, dim2=-1),
        ),
        "covariance_matrix": (linalg.covariance_matrix(diagonal, factor), covariance),
        "precision_matrix": (linalg.precision_matrix(diagonal, factor), precision),
    }
    for name, (found, expected) in pairs.items():
        torch.testing.assert_close(
            found, expected, rtol=1e-9, atol=1e-9, msg=lambda m, name=name: f"{name}: {m}"
        )


@pytest.mark.parametrize("rank", RANKS)
def test_the_map_of_draws_has_exactly_the_covariance(rank: int) -> None:
    diagonal, factor, precision = draw((3,), 6, rank)
    # The images of the unit vectors are the columns of the map.
    images = linalg.colour(
        diagonal.unsqueeze(-2), factor.unsqueeze(-3), torch.eye(6, dtype=torch.float64)
    )
    torch.testing.assert_close(images.mT @ images, torch.linalg.inv(precision))


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize(
    "function",
    [
        lambda d, u, e: linalg.log_determinant(d, u),
        linalg.quadratic_form,
        linalg.solve,
        linalg.colour,
        lambda d, u, e: linalg.covariance_diagonal(d, u),
    ],
    ids=["log_determinant", "quadratic_form", "solve", "colour", "covariance_diagonal"],
)
def test_derivatives(function: Callable[..., Tensor], rank: int) -> None:
    diagonal, factor, _ = draw((2,), 3, rank)
    tensors = diagonal, factor, torch.randn(2, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(function, [t.requires_grad_() for t in tensors])


def test_batches_broadcast() -> None:
    diagonal, factor, precision = draw((4,), 3, 2)
    vectors = torch.randn(5, 1, 3, dtype=torch.float64)
    for rank in (0, 2):
        found = linalg.solve(diagonal, factor[..., :rank], vectors)
        assert found.shape == (5, 4, 3)
        weights = torch.randn(5, 1, rank, dtype=torch.float64)
        assert linalg.solve_factor(diagonal, factor[..., :rank], weights).shape == (5, 4, 3)
    torch.testing.assert_close(
        (precision @ found.unsqueeze(-1)).squeeze(-1), vectors.expand(5, 4, 3)
    )


@pytest.mark.parametrize("rank", [2, 3, 9])
def test_large_parallel_columns_keep_their_digits_in_float32(rank: int) -> None:
    # In float32, I vanishes beside V'V of these: a plain Cholesky is nats off, or NaN.
    column = 1e4 * torch.randn(200, 16, 1)
    factor = column.expand(200, 16, rank).contiguous().requires_grad_()
    diagonal = torch.ones(200, 16, requires_grad=True)
    found = linalg.log_determinant(diagonal, factor)
    exact = torch.log1p(rank * column.detach().double().square().sum((-2, -1)))
    torch.testing.assert_close(found.detach().double(), exact, atol=0, rtol=1e-4)
    (found.sum() + linalg.colour(diagonal, factor, torch.randn(200, 16)).sum()).backward()
    assert factor.grad is not None and factor.grad.isfinite().all()
    assert diagonal.grad is not None and diagonal.grad.isfinite().all()


def test_variances_survive_cancellation_in_float32() -> None:
    # The first feature is known 10^4 times better than its diagonal alone says.
    factor = torch.tensor([[1e4], [0.0]])
    found = linalg.covariance_diagonal(torch.ones(2), factor)
    torch.testing.assert_close(found, torch.tensor([1e-8, 1.0]), atol=0, rtol=1e-4)


def test_no_matrix_of_all_features_is_formed() -> None:
    # Dense, D = 20,000 would take 1.6 GB a matrix.
    features = 20_000
    diagonal, factor = torch.ones(features), torch.ones(features, 2)
    assert linalg.log_determinant(diagonal, factor).item() == pytest.approx(
        math.log(1 + 2 * features), rel=1e-5
    )
    assert linalg.colour(diagonal, factor, torch.randn(features)).isfinite().all()
    assert linalg.covariance_diagonal(diagonal, factor)[0].item() == pytest.approx(1, abs=1e-4)
