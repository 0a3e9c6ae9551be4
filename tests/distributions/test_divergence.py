from __future__ import annotations

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from seqmdn.distributions import LowRankPrecisionNormal
from seqmdn.distributions.divergence import bhattacharyya
from tests.distributions import dense
from tests.distributions.families import largest

RANKS = [(0, 0), (1, 0), (0, 2), (3, 2), (5, 5)]


def build(parameters: dense.Parameters) -> LowRankPrecisionNormal:
    return LowRankPrecisionNormal(**parameters)


def full(parameters: dense.Parameters) -> MultivariateNormal:
    return MultivariateNormal(parameters["loc"], precision_matrix=dense.precision(parameters))


@pytest.mark.parametrize(("first", "second"), RANKS)
@pytest.mark.parametrize("batches", [((), ()), ((3,), (2, 3)), ((2, 1), (3,))])
def test_kl_equals_the_dense_one(
    first: int, second: int, batches: tuple[tuple[int, ...], tuple[int, ...]]
) -> None:
    p = dense.draw_gaussian(batches[0], 5, first)
    q = dense.draw_gaussian(batches[1], 5, second, scale=2.0)
    expected = kl_divergence(full(p), full(q))
    assert (expected > 0.1).all()
    torch.testing.assert_close(kl_divergence(build(p), build(q)), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("first", "second"), RANKS)
def test_bhattacharyya_equals_the_dense_one(first: int, second: int) -> None:
    p = dense.draw_gaussian((4, 1), 5, first)
    q = dense.draw_gaussian((3,), 5, second, scale=2.0)
    one, other = dense.covariance(p), dense.covariance(q)
    middle = (one + other) / 2
    apart = (p["loc"] - q["loc"]).unsqueeze(-1)
    distance = (apart.mT @ torch.linalg.inv(middle) @ apart)[..., 0, 0] / 8
    sizes = middle.logdet() - 0.5 * (one.logdet() + other.logdet())
    expected = distance + 0.5 * sizes
    torch.testing.assert_close(bhattacharyya(build(p), build(q)), expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(bhattacharyya(build(q), build(p)), expected, rtol=1e-9, atol=1e-9)


def test_of_itself_is_zero_and_of_a_neighbour_keeps_its_digits() -> None:
    p = {k: v.float() for k, v in dense.draw_gaussian((20,), 32, 4).items()}
    p["factor"] = 100 * p["factor"]
    q = p | {"loc": p["loc"] + 1e-4}
    for distance in (kl_divergence, bhattacharyya):
        itself = distance(build(p), build(p))
        assert itself.dtype == torch.float32 and itself.abs().max() < 1e-9
    exact = {k: v.double() for k, v in p.items()}
    moved = {k: v.double() for k, v in q.items()}
    expected = kl_divergence(full(exact), full(moved))
    found = kl_divergence(build(p), build(q)).double()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-9)
    # Of two Gaussians of one covariance, the one distance is a quarter of the other.
    torch.testing.assert_close(bhattacharyya(build(p), build(q)).double(), expected / 4)


@pytest.mark.parametrize("distance", [kl_divergence, bhattacharyya])
def test_gradients_are_right(distance: object) -> None:
    p = dense.draw_gaussian((2,), 3, 2)
    q = dense.draw_gaussian((2,), 3, 1)
    tensors = tuple(t.requires_grad_() for t in (*p.values(), *q.values()))

    def between(*tensors: torch.Tensor) -> torch.Tensor:
        return distance(  # type: ignore[operator]
            LowRankPrecisionNormal(*tensors[:3]), LowRankPrecisionNormal(*tensors[3:])
        )

    assert torch.autograd.gradcheck(between, tensors)


@pytest.mark.parametrize("distance", [kl_divergence, bhattacharyya])
def test_no_square_matrix_is_formed(distance: object) -> None:
    p, q = (build(dense.draw_gaussian((), 300, 2)) for _ in range(2))
    assert largest(lambda: distance(p, q)) <= 300 * 4  # type: ignore[operator]


def test_features_that_do_not_fit_are_refused() -> None:
    p, q = build(dense.draw_gaussian((), 3, 1)), build(dense.draw_gaussian((), 1, 1))
    with pytest.raises(ValueError, match="same features, found 3 and 1"):
        kl_divergence(p, q)
