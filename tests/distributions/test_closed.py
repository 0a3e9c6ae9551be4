"""What every closed family answers alike, and what each of them refuses."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Normal

from seqmdn.distributions import ClosedDistribution, FactorisedMixture
from tests.contracts import Family
from tests.distributions.families import CLOSED, build


@pytest.fixture(params=CLOSED, ids=str)
def family(request: pytest.FixtureRequest) -> Family:
    return request.param


def test_it_is_one(family: Family) -> None:
    distribution = build(family, family.draw((2,), 3, 1.0))
    assert isinstance(distribution, ClosedDistribution) and distribution.has_rsample
    assert isinstance(distribution.marginal([0]), type(distribution))
    value, seen = torch.zeros(2, 3).double(), torch.tensor([True, False, False])
    assert isinstance(distribution.condition(value, seen), type(distribution))


def test_cdf_and_quantiles_are_those_of_each_marginal(family: Family) -> None:
    distribution = build(family, family.draw((2,), 3, 1.0))
    value, q = distribution.sample(), 0.05 + 0.9 * torch.rand(5, 2, 3, dtype=torch.float64)
    quantile = distribution.icdf(q)
    assert quantile.shape == (5, 2, 3)
    torch.testing.assert_close(distribution.cdf(quantile), q)
    for d in range(3):
        alone = distribution.marginal([d])
        torch.testing.assert_close(distribution.cdf(value)[:, [d]], alone.cdf(value[:, [d]]))
        # F is the integral of the marginal density.
        low, high = alone.icdf(torch.tensor(0.2)), quantile[0, :, [d]]
        steps = torch.linspace(0, 1, 4001, dtype=torch.float64).reshape(-1, 1, 1)
        density = alone.log_prob(low + steps * (high - low)).exp()
        area = torch.trapezoid(density, dx=1 / 4000, dim=0) * (high - low).squeeze(-1)
        torch.testing.assert_close(area, q[0, :, d] - 0.2, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(distribution.icdf(0.5), distribution.icdf(torch.full((3,), 0.5)))
    assert distribution.cdf(torch.full((2, 3), math.nan)).isnan().all()


METHODS: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "log_prob": lambda one, value: one.log_prob(value),
    "masked": lambda one, value: one.log_prob(value, torch.ones(4).bool()),
    "cdf": lambda one, value: one.cdf(value),
    "rosenblatt": lambda one, value: one.rosenblatt(value),
    "inverse": lambda one, value: one.inverse_rosenblatt(value),
    "condition": lambda one, value: one.condition(value, torch.arange(4) < 2),
}


@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize("name", METHODS)
def test_shapes_that_do_not_fit_are_printed(family: Family, name: str, validate: bool) -> None:
    distribution = build(family, family.draw((3,), 4, 1.0))
    distribution._validate_args = validate
    for wrong in ((3, 1), (3, 5), ()):
        with pytest.raises(ValueError, match=r"shape \(\.\.\., 4\)") as caught:
            METHODS[name](distribution, torch.full(wrong, 0.5).double())
        assert f"found {wrong}" in str(caught.value)
    with pytest.raises(ValueError, match=r"broadcasts with .*\(3, 4\); found \(2, 4\)"):
        METHODS[name](distribution, torch.full((2, 4), 0.5).double())


def test_levels_that_are_none_are_refused(family: Family) -> None:
    distribution = build(family, family.draw((3,), 4, 1.0))
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(
            ValueError, match=rf"q must be probabilities in \[0, 1\]; found {wrong}"
        ):
            distribution.icdf(torch.tensor(wrong))
    for wrong in (0.0, 1.0, -0.1, math.nan):
        with pytest.raises(ValueError, match=r"inside \(0, 1\); found"):
            distribution.inverse_rosenblatt(torch.full((3, 4), wrong).double())
    with pytest.raises(ValueError, match=r"broadcast to the shape \(3, 4\).*found \(2, 4\)"):
        distribution.icdf(torch.full((2, 4), 0.5))


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([], "at least one"),
        ([0, 4], r"0 <= i < 4; found \[4\] in \[0, 4\]"),
        ([-1], r"found \[-1\]"),
        ([2, 0, 2], r"distinct; found a repetition in \[2, 0, 2\]"),
        (torch.ones(4).bool(), "boolean mask"),
    ],
)
def test_features_that_are_none_are_refused(
    family: Family, features: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build(family, family.draw((3,), 4, 1.0)).marginal(features)


@pytest.mark.parametrize(
    ("observed", "message"),
    [
        (torch.ones(4).bool(), "all 4 features"),
        (torch.ones(5).bool(), r"shape \(4,\).*found torch.bool of shape \(5,\)"),
        (torch.ones(3, 4).bool(), r"found torch.bool of shape \(3, 4\)"),
        (torch.ones(4), "found torch.float32"),
    ],
)
def test_masks_that_do_not_fit_are_refused(family: Family, observed: Tensor, message: str) -> None:
    distribution = build(family, family.draw((3,), 4, 1.0))
    with pytest.raises(ValueError, match=message):
        distribution.condition(torch.zeros(3, 4).double(), observed)


def test_parameters_that_are_nan_are_named(family: Family) -> None:
    good = family.draw((3,), 4, 1.0)
    for name, parameter in good.items():
        if parameter.numel():
            wrong = parameter.clone()
            wrong[1] = math.nan
            with pytest.raises(ValueError, match=f"{name}|weights hold"):
                build(family, good | {name: wrong})


def test_parameters_of_a_factorised_mixture_are_checked_where_torch_did_not() -> None:
    good = {"logits": torch.zeros(4, 2), "loc": torch.zeros(4, 2), "scale": torch.ones(4, 2)}
    for name, value in (("logits", math.nan), ("loc", math.nan), ("scale", 0.0), ("scale", -1.0)):
        wrong = {key: tensor.clone() for key, tensor in good.items()}
        wrong[name][1, 0] = value
        weights = Categorical(logits=wrong["logits"], validate_args=False)
        normal = Normal(wrong["loc"], wrong["scale"], validate_args=False)
        with pytest.raises(ValueError, match=name):
            FactorisedMixture(weights, normal)
        FactorisedMixture(weights, normal, validate_args=False)
