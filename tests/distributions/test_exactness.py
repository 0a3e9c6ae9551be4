"""How exact the core is: dense float64 references, extremes, and what arithmetic may take away.

What a file of a part does not already check: every number of features with the full rank, the
tolerance of float32 at many features, conditionals of many features, and whatever hypothesis finds.
The long ones go through the whole grid and through ten times the draws.
"""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Categorical, kl_divergence

from seqmdn.distributions import Circuit, LowRankPrecisionNormal, Mixture
from tests.contracts import Family
from tests.contracts.distributions import assert_finite_gradients, assert_within_errors
from tests.distributions import dense, test_factorised, test_mixture
from tests.distributions.families import CLOSED, build, leaves
from tests.distributions.test_density import (
    GRADIENT_RELATIVE,
    LOG_PROB_ABSOLUTE,
    LOG_PROB_RELATIVE,
)

FEATURES, RANKS = (1, 2, 3, 32, 200, 512), (0, 1, 2, 4, 8)


def draw(batch: tuple[int, ...], features: int, rank: int) -> dense.Parameters:
    """Returns two components; a factor of any rank adds as much precision."""
    parameters = test_mixture.draw(batch, features, rank, components=2)
    return parameters | {"factor": parameters["factor"] / math.sqrt(max(1, rank))}


def assert_equals_the_dense_one(batch: tuple[int, ...], features: int, rank: int) -> None:
    parameters = draw(batch, features, rank)
    value = parameters["loc"][..., 0, :] + torch.randn(*batch, features, dtype=torch.float64)
    mine, theirs = leaves(parameters | {"value": value}), leaves(parameters | {"value": value})
    found = test_mixture.build(mine).log_prob(mine["value"])
    expected = dense.mixture_log_prob(theirs, theirs["value"])
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    weight = torch.linspace(-0.3, 1, found.numel(), dtype=torch.float64).reshape(batch)
    found.backward(weight)
    expected.backward(weight)
    for name, one in mine.items():
        if one.numel():
            torch.testing.assert_close(
                one.grad, theirs[name].grad, rtol=1e-7, atol=1e-9, msg=lambda m, n=name: f"{n}: {m}"
            )


@pytest.mark.parametrize("features", FEATURES)
def test_the_full_rank_equals_the_dense_reference(features: int) -> None:
    assert_equals_the_dense_one((2,), features, features)


@pytest.mark.parametrize(("features", "rank"), [(200, 1), (200, 8), (512, 0), (512, 4)])
def test_float32_at_many_features_and_condition_numbers_up_to_a_million(
    features: int, rank: int
) -> None:
    assert_float32_is_close((3,), features, rank)


def assert_float32_is_close(batch: tuple[int, ...], features: int, rank: int) -> None:
    parameters = draw(batch, features, rank)
    diagonal = 10 ** (3 - 6 * torch.rand_like(parameters["diagonal"]))
    parameters |= {
        "diagonal": diagonal,
        "factor": parameters["factor"] * diagonal.sqrt()[..., None],
    }
    single = leaves({name: p.float() for name, p in parameters.items()})
    exact = leaves({name: p.detach().double() for name, p in single.items()})
    value = test_mixture.build(exact).sample().float()
    found = test_mixture.build(single).log_prob(value)
    expected = dense.mixture_log_prob(exact, value.double())
    torch.testing.assert_close(
        found.double(), expected, atol=LOG_PROB_ABSOLUTE, rtol=LOG_PROB_RELATIVE
    )
    found.sum().backward()
    expected.sum().backward()
    # In units of each feature's own precision, in which all entries are of one size.
    units = {"logits": 1.0, "loc": diagonal.rsqrt(), "diagonal": diagonal}
    units["factor"] = diagonal.sqrt().unsqueeze(-1)
    for name, one in single.items():
        if one.numel():
            assert one.grad is not None and exact[name].grad is not None
            error = ((one.grad.double() - exact[name].grad) * units[name]).abs().amax()
            assert error <= GRADIENT_RELATIVE * (exact[name].grad * units[name]).abs().amax(), name


@pytest.mark.parametrize(("features", "rank"), [(32, 32), (200, 4), (512, 1), (512, 8)])
def test_conditional_times_marginal_is_the_joint_of_many_features(features: int, rank: int) -> None:
    mixture = test_mixture.build(draw((2,), features, rank))
    value, observed = mixture.sample(), torch.rand(features) < 0.5
    rest = mixture.condition(value, observed).log_prob(value[..., ~observed])
    part = mixture.marginal(observed.nonzero()[:, 0].tolist()).log_prob(value[..., observed])
    joint = mixture.log_prob(value)
    torch.testing.assert_close(rest + part, joint, rtol=1e-9, atol=1e-8)
    masked = mixture.log_prob(value, observed.expand(2, -1))
    torch.testing.assert_close(masked, part, rtol=1e-9, atol=1e-8)


@given(
    features=st.integers(1, 9),
    rank=st.integers(0, 9),
    scale=st.floats(-3, 3),
    spread=st.floats(0, 3),
    weight=st.floats(-80, 0),
    sigmas=st.floats(-50, 50),
    strength=st.floats(-3, 2),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=100, deadline=None)
def test_at_any_scale_weight_and_distance_it_is_the_dense_one_and_finite(
    features: int,
    rank: int,
    scale: float,
    spread: float,
    weight: float,
    sigmas: float,
    strength: float,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    parameters = test_mixture.draw((), features, rank, 10**scale, components=2)
    uneven = 10 ** (spread * (torch.rand(features, dtype=torch.float64) - 0.5))
    parameters["diagonal"] = parameters["diagonal"] * uneven
    parameters["factor"] = parameters["factor"] * uneven.sqrt().unsqueeze(-1) * 10**strength
    parameters["logits"] = torch.tensor([0.0, weight], dtype=torch.float64)
    value = parameters["loc"][0] + sigmas * parameters["diagonal"][0].rsqrt()
    torch.testing.assert_close(
        test_mixture.build(parameters).log_prob(value),
        dense.mixture_log_prob(parameters, value),
        rtol=1e-7,
        atol=1e-7,
    )
    single = leaves({name: p.float() for name, p in parameters.items()})
    place = value.float().requires_grad_()
    found = test_mixture.build(single).log_prob(place)
    assert found.isfinite()
    found.backward()
    assert_finite_gradients(single | {"value": place}, nonzero=False)


@pytest.mark.parametrize("family", CLOSED, ids=str)
def test_all_is_finite_fifty_sigmas_away(family: Family) -> None:
    for features in (1, 32):
        exact = family.draw((3,), features, 1.0)
        mean, covariance = family.moments(exact)
        deviation = covariance.diagonal(dim1=-2, dim2=-1).sqrt()
        for sigmas in (50.0, -50.0):
            single = leaves({name: p.float() for name, p in exact.items()})
            value = (mean + sigmas * deviation).float().requires_grad_()
            found = build(family, single).log_prob(value)
            expected = family.log_prob(exact, value.detach().double())
            torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-2)
            found.sum().backward()
            assert_finite_gradients(single | {"value": value}, nonzero=False)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("family", CLOSED, ids=str)
def test_autocast_changes_nothing(family: Family, dtype: torch.dtype) -> None:
    parameters = {name: p.float() for name, p in family.draw((3,), 12, 1.0).items()}
    value, u = torch.randn(5, 3, 12), 0.05 + 0.9 * torch.rand(5, 3, 12)
    observed = torch.arange(12) % 3 == 0

    def everything() -> dict[str, Tensor]:
        distribution = build(family, parameters)
        rest = distribution.condition(value, observed)
        found = {
            "log_prob": distribution.log_prob(value),
            "masked": distribution.log_prob(value, observed),
            "marginal": distribution.marginal([2, 0]).log_prob(value[..., [2, 0]]),
            "conditional": rest.log_prob(value[..., ~observed]),
            "cdf": distribution.cdf(value),
            "icdf": distribution.icdf(u),
            "rosenblatt": distribution.rosenblatt(value),
            "inverse": distribution.inverse_rosenblatt(u),
            "mean": distribution.mean,
            "covariance": distribution.covariance_matrix,
            "tempered": distribution.tempered(scale=2.0).log_prob(value),
        }
        if isinstance(distribution, LowRankPrecisionNormal):
            found["entropy"] = distribution.entropy()
            found["divergence"] = kl_divergence(distribution, distribution.tempered(2.0))
        elif not isinstance(distribution, Circuit):
            found["modes"] = distribution.modes()[0]
            found["bounds"] = torch.stack(tuple(distribution.entropy_bounds()))
            found["responsibilities"] = distribution.responsibilities(value)
        return found

    plain = everything()
    with torch.autocast("cpu", dtype=dtype):
        for name, found in everything().items():
            assert found.dtype == torch.float32, name
            assert torch.equal(found, plain[name]), name
    half = build(family, {name: p.to(dtype) for name, p in parameters.items()})
    assert half.log_prob(value.to(dtype)).dtype == torch.float32


@pytest.mark.long
@pytest.mark.parametrize("rank", [*RANKS, None], ids=lambda r: "D" if r is None else str(r))
@pytest.mark.parametrize("features", FEATURES)
def test_the_whole_grid(features: int, rank: int | None) -> None:
    """Every number of features with every rank: values, gradients and float32."""
    rank = features if rank is None else rank
    for seed in range(3):
        torch.manual_seed(seed)
        assert_equals_the_dense_one((2, 2) if features < 200 else (2,), features, rank)
        if rank in RANKS:
            assert_float32_is_close((8,), features, rank)


@pytest.mark.long
@pytest.mark.parametrize(
    "family", [*(test_mixture.mixture_family(r) for r in (0, 2)), test_factorised.FAMILY], ids=str
)
def test_moments_of_two_million_draws(family: Family) -> None:
    parts, count = 20, 100_000
    parameters = family.draw((), 8, 1.0)
    mean, covariance = family.moments(parameters)
    distribution = build(family, parameters)
    for kind in (distribution.sample, distribution.rsample):
        first, second = torch.zeros(parts, 8).double(), torch.zeros(parts, 8, 8).double()
        for part in range(parts):
            centred = kind((count,)) - mean
            first[part], second[part] = centred.mean(0), centred.mT @ centred / count
        assert_within_errors(first.mean(0), torch.zeros(8).double(), first.std(0) / parts**0.5)
        assert_within_errors(second.mean(0), covariance, second.std(0) / parts**0.5)


@pytest.mark.long
@pytest.mark.parametrize("scale", [1e-3, 1e-1, 1.0, 1e1, 1e3])
def test_it_integrates_to_one_at_every_scale(scale: float) -> None:
    for rank in (0, 1, 2):
        parameters = test_mixture.draw((), 2, rank, scale)
        mean, covariance = test_mixture.moments(parameters)
        reach = 14 * covariance.diagonal().sqrt()
        axes = [
            torch.linspace(float(m - r), float(m + r), 2001, dtype=torch.float64)
            for m, r in zip(mean, reach, strict=True)
        ]
        cell = torch.stack([axis[1] - axis[0] for axis in axes]).prod()
        total = 0.0
        for column in axes[0].split(200):
            grid = torch.stack(torch.meshgrid(column, axes[1], indexing="ij"), dim=-1)
            total += float(test_mixture.build(parameters).log_prob(grid).exp().sum() * cell)
        assert total == pytest.approx(1, abs=1e-7), f"rank {rank}"


@pytest.mark.long
def test_the_rosenblatt_histogram_of_two_million_draws_is_flat() -> None:
    counts, total = torch.zeros(4, 50), 0
    mixture = test_mixture.build(test_mixture.draw((), 4, 2))
    for _ in range(20):
        u = mixture.rosenblatt(mixture.sample((100_000,)))
        counts += torch.stack([torch.histc(column, 50, 0, 1) for column in u.unbind(-1)])
        total += len(u)
    error = math.sqrt(total * (1 - 1 / 50) / 50)
    assert ((counts - total / 50).abs() < 5 * error).all()


def test_a_mixture_of_a_diagonal_at_the_floor_of_the_heads() -> None:
    for floor in (1e-3, 1e-6):
        diagonal = torch.full((2, 3), floor, requires_grad=True)
        gaussians = LowRankPrecisionNormal(torch.zeros(2, 3), diagonal, torch.ones(2, 3, 1))
        mixture = Mixture(Categorical(logits=torch.tensor([0.0, -80.0])), gaussians)
        value = torch.tensor([1.0, -2.0, 50 * floor**-0.5])
        found = mixture.log_prob(value)
        exact = mixture.to(torch.float64).log_prob(value.double())
        torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-4)
        (slope,) = torch.autograd.grad(found, diagonal)
        assert slope.isfinite().all()
