from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seqmdn.distributions import LowRankPrecisionNormal
from seqmdn.distributions.rosenblatt import chain
from seqmdn.linalg import log_determinant
from tests.contracts import Family
from tests.distributions import dense, test_mixture
from tests.distributions.families import (
    CLOSED,
    FLOWED,
    GAUSSIANS,
    MIXTURES,
    build,
    largest,
    leaves,
    wide,
)


@pytest.mark.parametrize("family", [*GAUSSIANS, *MIXTURES], ids=str)
def test_is_the_distribution_function_of_each_conditional(family: Family) -> None:
    distribution = build(family, family.draw((2,), 4, 1.0))
    value = distribution.sample((3,))
    found = distribution.rosenblatt(value)
    assert found.shape == value.shape and (found > 0).all() and (found < 1).all()
    for d in range(4):
        given = torch.arange(4) < d
        # Of the features up to d, in their order, the last one given the others.
        first = distribution.marginal(list(range(d + 1)))
        alone = first.condition(value[..., : d + 1], given[: d + 1])
        torch.testing.assert_close(found[..., [d]], alone.cdf(value[..., [d]]))


@pytest.mark.parametrize("family", CLOSED, ids=str)
def test_of_what_was_observed_it_is_that_of_the_marginal(family: Family) -> None:
    distribution = build(family, family.draw((2,), 5, 1.0))
    value, mask = distribution.sample((6,)), torch.rand(6, 2, 5) < 0.5
    mask[0], mask[1] = True, False
    found = distribution.rosenblatt(torch.where(mask, value, torch.nan), mask)
    assert torch.equal(found.isnan(), ~mask)
    torch.testing.assert_close(found[0], distribution.rosenblatt(value[0]))
    for i in range(6):
        for j in range(2):
            seen = mask[i, j].nonzero()[:, 0].tolist()
            if seen:
                alone = distribution.marginal(seen).rosenblatt(value[i, :, seen])[j]
                torch.testing.assert_close(found[i, j, seen], alone, msg=f"{i}, {j}: {seen}")
    single = build(family, {k: p.float() for k, p in family.draw((2,), 5, 1.0).items()})
    assert single.rosenblatt(value.float(), mask).dtype == torch.float32


@pytest.mark.parametrize("family", [*CLOSED, *FLOWED], ids=str)
def test_its_determinant_is_the_density(family: Family) -> None:
    distribution = build(family, family.draw((), 4, 1.0))
    for value in distribution.sample((3,)):
        jacobian = torch.autograd.functional.jacobian(distribution.rosenblatt, value)
        torch.testing.assert_close(jacobian.det().log(), distribution.log_prob(value))
        assert (jacobian.triu(1) == 0).all()
        assert (jacobian.diagonal() > 0).all()


@pytest.mark.parametrize("family", [*CLOSED, *FLOWED], ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_the_inverse_inverts(family: Family, dtype: torch.dtype) -> None:
    parameters = {name: p.to(dtype) for name, p in family.draw((2,), 5, 1.0).items()}
    distribution = build(family, parameters)
    u = 0.001 + 0.998 * torch.rand(20, 2, 5, dtype=dtype)
    value = distribution.inverse_rosenblatt(u)
    assert value.shape == u.shape and value.dtype == dtype
    again = distribution.rosenblatt(value)
    assert again.dtype == dtype
    tolerance = 1e-9 if dtype == torch.float64 else 2e-4
    torch.testing.assert_close(again, u, atol=tolerance, rtol=0)


@pytest.mark.parametrize("family", [*CLOSED, *FLOWED], ids=str)
def test_draws_become_independent_and_uniform(family: Family) -> None:
    count = 20_000
    distribution = build(family, family.draw((), 3, 1.0))
    u = distribution.rosenblatt(distribution.sample((count,)))
    centred = u - 0.5
    for statistic, expected in (
        (centred, 0.0),
        (centred.square(), 1 / 12),
        (centred.pow(3), 0.0),
        (centred * centred.roll(1, -1), 0.0),
        (centred.square() * centred.square().roll(1, -1), 1 / 144),
    ):
        error = statistic.std(0) / count**0.5
        assert ((statistic.mean(0) - expected).abs() < 5 * error).all()
    levels = torch.linspace(0.01, 0.99, 99, dtype=torch.float64).unsqueeze(-1)
    shares = (u.unsqueeze(1) <= levels).double().mean(0)
    assert (shares - levels).abs().max() < 5 * 0.5 / count**0.5


def test_uniforms_of_a_wrong_model_are_not() -> None:
    parameters = test_mixture.draw((), 3, 2)
    draws = test_mixture.build(parameters).sample((20_000,))
    diagonal = test_mixture.build(parameters | {"factor": 0 * parameters["factor"]})
    u = diagonal.rosenblatt(draws)
    assert ((u.var(0) - 1 / 12).abs() > 0.01).any()


@pytest.mark.parametrize("family", [GAUSSIANS[2], MIXTURES[0], MIXTURES[2], CLOSED[-1]], ids=str)
@pytest.mark.parametrize("inverse", [False, True])
def test_gradients_are_right(family: Family, inverse: bool) -> None:
    parameters = leaves(family.draw((), 3, 1.0))
    given = (0.1 + 0.8 * torch.rand(2, 3, dtype=torch.float64)).requires_grad_()

    def transformed(given: Tensor, *tensors: Tensor) -> Tensor:
        distribution = build(family, dict(zip(parameters, tensors, strict=True)))
        return (distribution.inverse_rosenblatt if inverse else distribution.rosenblatt)(given)

    inputs = given, *parameters.values()
    assert torch.autograd.gradcheck(transformed, inputs)
    assert torch.autograd.gradgradcheck(transformed, inputs, fast_mode=True)


@pytest.mark.parametrize("rank", [0, 1, 3, 12])
def test_the_chain_is_that_of_the_dense_covariance(rank: int) -> None:
    parameters = dense.draw_gaussian((2,), 5, rank)
    links = chain(LowRankPrecisionNormal(**parameters))
    # The inverse variance of y_d given y_<d is that of the Cholesky factor of the covariance.
    pivots = torch.linalg.cholesky(dense.covariance(parameters)).diagonal(dim1=-2, dim2=-1)
    torch.testing.assert_close(links.precision, pivots.square().reciprocal())


@pytest.mark.parametrize("parallel", [False, True])
def test_the_chain_keeps_its_digits_where_the_precision_is_badly_conditioned(
    parallel: bool,
) -> None:
    parameters = dense.draw_gaussian((20,), 32, 3)
    factor = 1e3 * parameters["factor"]  # condition numbers of 1e6 and more
    parameters["factor"] = factor[..., :1] + 1e-3 * factor if parallel else factor
    links = chain(LowRankPrecisionNormal(**parameters))
    size = log_determinant(parameters["diagonal"], parameters["factor"])
    torch.testing.assert_close(links.precision.log().sum(-1), size, atol=1e-7, rtol=0)


def test_a_large_factor_keeps_its_digits_in_float32() -> None:
    parameters = {k: v.float() for k, v in test_mixture.draw((5,), 16, 2).items()}
    parameters["factor"] = 300 * parameters["factor"]
    exact = test_mixture.build({k: v.double() for k, v in parameters.items()})
    value = exact.sample((20,)).float()
    found = test_mixture.build(parameters).rosenblatt(value)
    torch.testing.assert_close(found.double(), exact.rosenblatt(value.double()), atol=1e-6, rtol=0)


@pytest.mark.parametrize("family", [*CLOSED, *FLOWED], ids=str)
def test_what_does_not_fit_is_refused(family: Family) -> None:
    distribution = build(family, family.draw((), 3, 1.0))
    for wrong in (0.0, 1.0, -0.1, float("nan")):
        u = torch.tensor([0.5, wrong, 0.5], dtype=torch.float64)
        with pytest.raises(ValueError, match=r"inside \(0, 1\); found"):
            distribution.inverse_rosenblatt(u)
    with pytest.raises(ValueError, match=r"\(\.\.\., 3\)"):
        distribution.inverse_rosenblatt(torch.tensor([0.5]).double())
    with pytest.raises(ValueError, match=r"\(\.\.\., 3\)"):
        distribution.rosenblatt(torch.zeros(2, 1).double())
    with pytest.raises(ValueError, match="value"):
        distribution.rosenblatt(torch.full((3,), float("nan")).double())


def test_no_square_matrix_is_formed() -> None:
    mixture = wide(2, 300, 2)
    value = torch.zeros(300).double()
    assert largest(lambda: mixture.rosenblatt(value).sum().backward()) <= 2 * 300 * 2 * 2
