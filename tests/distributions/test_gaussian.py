from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from seqmdn.distributions import LowRankPrecisionNormal
from tests.contracts import DISTRIBUTION_CHECKS, Family, check_distribution
from tests.distributions import dense


def build(parameters: dense.Parameters) -> LowRankPrecisionNormal:
    return LowRankPrecisionNormal(**parameters)


def gaussian_family(rank: int | None) -> Family:
    """One rank; None is the full rank, D, up to 31."""
    return Family(
        name=f"gaussian of rank {'D' if rank is None else rank}",
        draw=lambda batch, features, scale: dense.draw_gaussian(
            batch, features, min(features, 31) if rank is None else rank, scale
        ),
        build=build,
        log_prob=dense.gaussian_log_prob,
        moments=lambda parameters: (parameters["loc"], dense.covariance(parameters)),
        shift=lambda parameters, offset: parameters | {"loc": parameters["loc"] + offset},
    )


FAMILIES = [gaussian_family(rank) for rank in (0, 1, 2, None)]


@pytest.mark.parametrize("check", DISTRIBUTION_CHECKS)
@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_contract(family: Family, check: str) -> None:
    check_distribution(family, check)


def test_equals_scipy() -> None:
    parameters = dense.draw_gaussian((), 4, 2)
    value = torch.randn(6, 4, dtype=torch.float64)
    covariance = dense.covariance(parameters).numpy()
    expected = stats.multivariate_normal(parameters["loc"].numpy(), covariance)
    np.testing.assert_allclose(build(parameters).log_prob(value), expected.logpdf(value.numpy()))
    np.testing.assert_allclose(build(parameters).entropy(), expected.entropy())


def test_a_diagonal_is_a_precision() -> None:
    gaussian = LowRankPrecisionNormal(torch.zeros(1), torch.tensor([4.0]))
    assert gaussian.rank == 0
    assert gaussian.variance.item() == 0.25
    assert gaussian.log_prob(torch.zeros(1)).item() == pytest.approx(
        stats.norm(0, 0.5).logpdf(0), abs=1e-6
    )


@given(
    batch=st.sampled_from([(), (3,), (2, 1)]),
    features=st.integers(2, 12),
    rank=st.integers(0, 10),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=40, deadline=None)
def test_conditional_times_marginal_is_the_joint(
    batch: tuple[int, ...], features: int, rank: int, seed: int
) -> None:
    torch.manual_seed(seed)
    parameters = dense.draw_gaussian(batch, features, rank)
    gaussian = build(parameters)
    observed = torch.rand(features) < 0.5
    observed[seed % features], observed[(seed + 1) % features] = True, False
    value = 2 * torch.randn(5, *batch, features, dtype=torch.float64)
    conditional = gaussian.condition(value, observed)
    marginal = gaussian.marginal(observed.nonzero()[:, 0].tolist())
    assert conditional.rank == marginal.rank == rank
    assert conditional.batch_shape == (5, *batch)
    product = conditional.log_prob(value[..., ~observed]) + marginal.log_prob(value[..., observed])
    torch.testing.assert_close(product, gaussian.log_prob(value), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("rank", [0, 1, 3, 9])
def test_condition_and_marginal_equal_the_dense_formulas(rank: int) -> None:
    parameters = dense.draw_gaussian((2,), 5, rank)
    gaussian, covariance = build(parameters), dense.covariance(parameters)
    order = [3, 0, 4]
    marginal = gaussian.marginal(order)
    torch.testing.assert_close(marginal.loc, parameters["loc"][..., order])
    torch.testing.assert_close(marginal.covariance_matrix, covariance[..., order, :][..., order])

    value = torch.randn(2, 5, dtype=torch.float64)
    known, wanted = [1, 3], [0, 2, 4]
    gain = covariance[..., wanted, :][..., known] @ torch.linalg.inv(
        covariance[..., known, :][..., known]
    )
    residual = (value - parameters["loc"])[..., known].unsqueeze(-1)
    conditional = gaussian.condition(value, torch.tensor([False, True, False, True, False]))
    torch.testing.assert_close(
        conditional.loc, parameters["loc"][..., wanted] + (gain @ residual).squeeze(-1)
    )
    torch.testing.assert_close(
        conditional.covariance_matrix,
        covariance[..., wanted, :][..., wanted] - gain @ covariance[..., known, :][..., wanted],
    )


def test_unobserved_values_are_not_read() -> None:
    gaussian = build(dense.draw_gaussian((), 3, 1))
    observed = torch.tensor([True, False, True])
    value = torch.randn(3, dtype=torch.float64)
    holes = torch.where(observed, value, math.nan)
    assert torch.equal(
        gaussian.condition(holes, observed).loc, gaussian.condition(value, observed).loc
    )
    with pytest.raises(ValueError, match="NaN where observed"):
        gaussian.condition(torch.where(observed, math.nan, value), observed)


@pytest.mark.parametrize("rank", [0, 2])
def test_nothing_observed_leaves_it_as_it_is(rank: int) -> None:
    gaussian = build(dense.draw_gaussian((2,), 3, rank))
    value = torch.full((4, 2, 3), math.nan, dtype=torch.float64)
    conditional = gaussian.condition(value, torch.zeros(3, dtype=torch.bool))
    assert conditional.batch_shape == (4, 2)
    torch.testing.assert_close(conditional.loc, gaussian.loc.expand(4, 2, 3))
    torch.testing.assert_close(conditional.covariance_matrix[1], gaussian.covariance_matrix)


@pytest.mark.parametrize(
    ("observed", "message"),
    [
        (torch.ones(3, dtype=torch.bool), "all 3 features"),
        (torch.zeros(2, dtype=torch.bool), r"shape \(3,\).*found torch.bool of shape \(2,\)"),
        (torch.tensor([0, 1, 0]), "found torch.int64"),
    ],
)
def test_condition_refuses(observed: Tensor, message: str) -> None:
    gaussian = build(dense.draw_gaussian((), 3, 1))
    with pytest.raises(ValueError, match=message):
        gaussian.condition(torch.zeros(3).double(), observed)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([], "at least one"),
        ([0, 3], r"0 <= i < 3; found \[3\]"),
        ([-1], r"found \[-1\]"),
        ([1, 1], "repetition"),
        (torch.tensor([True, False, True]), "boolean mask"),
    ],
)
def test_marginal_refuses(features: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(dense.draw_gaussian((), 3, 1)).marginal(features)


@pytest.mark.parametrize("rank", [0, 2])
@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_tempered_is_the_renormalised_power(rank: int, scale: float) -> None:
    gaussian = build(dense.draw_gaussian((), 2, rank))
    tempered = gaussian.tempered(scale)
    torch.testing.assert_close(tempered.covariance_matrix, scale * gaussian.covariance_matrix)
    value = torch.randn(6, 2, dtype=torch.float64)
    ratio = tempered.log_prob(value) - gaussian.log_prob(value) / scale
    torch.testing.assert_close(ratio, ratio[:1].expand(6))


def test_tempered_takes_one_scale_a_context() -> None:
    gaussian = build(dense.draw_gaussian((2,), 3, 1))
    tempered = gaussian.tempered(torch.tensor([1.0, 4.0]))
    torch.testing.assert_close(tempered.variance[0], gaussian.variance[0])
    torch.testing.assert_close(tempered.variance[1], 4 * gaussian.variance[1])
    with pytest.raises(ValueError, match="positive"):
        gaussian.tempered(0.0)


@pytest.mark.parametrize("name", ["loc", "diagonal", "factor"])
def test_a_nan_parameter_is_named(name: str) -> None:
    parameters = dense.draw_gaussian((2,), 3, 1)
    parameters[name][1, 1] = math.nan
    with pytest.raises(ValueError, match=f"^{name} holds 1 NaN"):
        build(parameters)
    LowRankPrecisionNormal(**parameters, validate_args=False)


def test_a_diagonal_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="diagonal must be positive; found a minimum of 0"):
        LowRankPrecisionNormal(torch.zeros(2), torch.tensor([1.0, 0.0]))


@pytest.mark.parametrize(
    ("loc", "diagonal", "factor"),
    [
        ((2, 3), (2, 4), (2, 3, 1)),
        ((2, 3), (2, 3), (2, 4, 1)),
        ((2, 3), (4, 3), (3, 1)),
        ((), (), (1,)),
    ],
)
def test_shapes_that_do_not_fit_are_printed(
    loc: tuple[int, ...], diagonal: tuple[int, ...], factor: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError) as caught:
        LowRankPrecisionNormal(torch.zeros(loc), torch.ones(diagonal), torch.zeros(factor))
    assert "expected loc (*batch, D)" in str(caught.value)
    for shape in (loc, diagonal, factor):
        assert str(shape) in str(caught.value)


def test_half_precision_is_widened_once_and_for_all() -> None:
    half = {name: p.bfloat16() for name, p in dense.draw_gaussian((2,), 3, 1).items()}
    gaussian = build(half)
    for name, parameter in half.items():
        assert torch.equal(getattr(gaussian, name), parameter.float())
        assert getattr(gaussian, name).dtype == torch.float32


def test_parameters_broadcast() -> None:
    shared = LowRankPrecisionNormal(torch.randn(4, 3), torch.ones(3), torch.ones(3, 1))
    assert shared.batch_shape == (4,)
    assert shared.diagonal.shape == (4, 3)
    assert shared.factor.shape == (4, 3, 1)


@pytest.mark.parametrize("rank", [0, 1, 3])
def test_rsample_is_differentiable(rank: int) -> None:
    parameters = {k: v.requires_grad_() for k, v in dense.draw_gaussian((), 3, rank).items()}

    def draw(*tensors: Tensor) -> Tensor:
        torch.manual_seed(0)
        return LowRankPrecisionNormal(*tensors).rsample((2,))

    assert torch.autograd.gradcheck(draw, tuple(parameters.values()))


@pytest.mark.parametrize("rank", [0, 2])
def test_cdf_and_quantiles_are_those_of_the_marginals(rank: int) -> None:
    parameters = dense.draw_gaussian((2,), 3, rank)
    gaussian = build(parameters)
    deviation = dense.covariance(parameters).diagonal(dim1=-2, dim2=-1).sqrt()
    expected = stats.norm(parameters["loc"].numpy(), deviation.numpy())
    value = torch.randn(2, 3, dtype=torch.float64)
    np.testing.assert_allclose(gaussian.cdf(value), expected.cdf(value.numpy()))
    for q in (0.0, 1e-6, 0.3, 0.999, 1.0):
        np.testing.assert_allclose(
            gaussian.icdf(torch.tensor(q, dtype=torch.float64)), expected.ppf(q)
        )
    for wrong in (-0.1, 1.5, math.nan):
        with pytest.raises(ValueError, match=r"probabilities in \[0, 1\]; found"):
            gaussian.icdf(torch.tensor(wrong))
