from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from seqmdn.distributions.missing import check_mask, marginal_of_mask, observed_only
from tests.contracts import Family
from tests.distributions import dense, test_circuit, test_factorised
from tests.distributions.families import (
    CLOSED,
    FLOWED,
    build,
    context,
    gradients,
    largest,
    leaves,
    wide,
)

NAN = math.nan


def marginal_log_prob(parameters: dense.Parameters, value: Tensor, seen: Tensor) -> Tensor:
    """Returns the textbook density of some features of one context, from dense covariances."""
    if "scale" in parameters:
        own = {name: parameter[seen] for name, parameter in parameters.items()}
        return test_factorised.FAMILY.log_prob(own, value[seen])
    if "root" in parameters:
        return test_circuit.marginal_log_prob(parameters, value, seen)
    covariance = dense.covariance(parameters)[..., seen, :][..., seen]
    density = MultivariateNormal(parameters["loc"][..., seen], covariance).log_prob(value[seen])
    if "logits" not in parameters:
        return density
    return torch.logsumexp(torch.log_softmax(parameters["logits"], -1) + density, dim=-1)


def masked(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Returns values with NaN where a random mask is False; some frames are whole, some empty."""
    mask = torch.rand(shape) < 0.5
    mask[0], mask[1] = True, False
    value = 2 * torch.randn(shape, dtype=torch.float64)
    return torch.where(mask, value, NAN), mask


@pytest.mark.parametrize("family", CLOSED, ids=str)
def test_is_the_density_of_what_was_seen(family: Family) -> None:
    parameters = family.draw((2,), 5, 1.0)
    value, mask = masked((8, 2, 5))
    found = build(family, parameters).log_prob(value, mask)
    assert found.shape == (8, 2)
    for i in range(8):
        for j in range(2):
            seen = mask[i, j]
            if not seen.any():
                assert found[i, j] == 0
                continue
            expected = marginal_log_prob(context(parameters, j), value[i, j], seen)
            torch.testing.assert_close(found[i, j], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("family", CLOSED, ids=str)
def test_what_is_missing_reaches_no_gradient(family: Family) -> None:
    parameters = leaves(family.draw((2,), 5, 1.0))
    value, mask = masked((6, 2, 5))
    value.requires_grad_()
    mixture = build(family, parameters)
    found = mixture.log_prob(value, mask)
    reached = gradients(found.sum(), parameters | {"value": value})
    assert (reached["value"][~mask] == 0).all() and (reached["value"][mask] != 0).all()
    assert all(gradient.isfinite().all() for gradient in reached.values())
    other = torch.where(mask, value, 1e30)
    for name, gradient in gradients(mixture.log_prob(other, mask).sum(), parameters).items():
        assert torch.equal(gradient, reached[name]), name
    nothing = mixture.log_prob(value[1], mask[1])
    assert torch.equal(nothing, torch.zeros_like(nothing))
    for name, gradient in gradients(nothing.sum(), parameters).items():
        assert (gradient == 0).all(), name


@pytest.mark.parametrize("family", CLOSED, ids=str)
def test_gradients_are_right(family: Family) -> None:
    parameters = leaves(family.draw((), 3, 1.0))
    value, mask = masked((4, 3))
    value = torch.where(mask, value, 0)

    def density(value: Tensor, *tensors: Tensor) -> Tensor:
        return build(family, dict(zip(parameters, tensors, strict=True))).log_prob(value, mask)

    assert torch.autograd.gradcheck(density, (value.requires_grad_(), *parameters.values()))


@pytest.mark.parametrize("family", CLOSED, ids=str)
def test_all_seen_is_the_plain_density(family: Family) -> None:
    distribution = build(family, family.draw((2,), 4, 1.0))
    value = torch.randn(3, 2, 4, dtype=torch.float64)
    plain = distribution.log_prob(value)
    torch.testing.assert_close(distribution.log_prob(value, torch.ones_like(value).bool()), plain)
    # One mask for every frame, one frame for every mask.
    torch.testing.assert_close(distribution.log_prob(value, torch.ones(4).bool()), plain)
    masks = torch.rand(7, 2, 4) < 0.5
    each = torch.stack([distribution.log_prob(value[0], mask) for mask in masks])
    torch.testing.assert_close(distribution.log_prob(value[0], masks), each)


@pytest.mark.parametrize("family", CLOSED, ids=str)
def test_float32_is_close(family: Family) -> None:
    for scale in (1e-2, 1e2):
        parameters = {name: p.float() for name, p in family.draw((10,), 32, scale).items()}
        exact = {name: p.double() for name, p in parameters.items()}
        value = build(family, exact).sample((5,)).float()
        mask = torch.rand(value.shape) < 0.5
        found = build(family, parameters).log_prob(value, mask)
        assert found.dtype == torch.float32
        expected = build(family, exact).log_prob(value.double(), mask)
        torch.testing.assert_close(found.double(), expected, atol=1e-4, rtol=1e-5)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(build(family, parameters).log_prob(value, mask), found)


@pytest.mark.parametrize("family", CLOSED, ids=str)
def test_a_mask_that_does_not_fit_is_refused(family: Family) -> None:
    distribution = build(family, family.draw((3,), 4, 1.0))
    value = torch.zeros(3, 4, dtype=torch.float64)
    for mask, message in (
        (torch.ones(3, 4), r"fits the value's \(3, 4\); found torch.float32"),
        (torch.ones(3, 1).bool(), r"shape \(\.\.\., 4\).*found shape \(3, 1\)"),
        (torch.ones(2, 4).bool(), r"found shape \(2, 4\)"),
        (torch.ones(()).bool(), r"found shape \(\)"),
        ([True] * 4, "found list"),
    ):
        with pytest.raises(ValueError, match=message):
            distribution.log_prob(value, mask)
    mask = torch.ones(3, 4).bool()
    mask[0, 0] = False
    value[0, 0] = value[1, 2] = NAN
    with pytest.raises(ValueError, match="NaN where mask is True; found 1 NaN in 11"):
        distribution.log_prob(value, mask)


@pytest.mark.parametrize("family", FLOWED, ids=str)
def test_a_flow_refuses_a_mask(family: Family) -> None:
    flowed = build(family, family.draw((), 3, 1.0))
    with pytest.raises(NotImplementedError, match="not closed under a flow.*without a flow"):
        flowed.log_prob(torch.zeros(3).double(), torch.tensor([True, False, True]))


def test_the_conditional_times_what_was_seen_is_the_whole() -> None:
    for family in CLOSED:
        distribution = build(family, family.draw((2,), 5, 1.0))
        value = torch.randn(3, 2, 5, dtype=torch.float64)
        observed = torch.tensor([True, False, True, False, False])
        rest = distribution.condition(value, observed).log_prob(value[..., ~observed])
        seen = distribution.log_prob(torch.where(observed, value, NAN), observed)
        torch.testing.assert_close(rest + seen, distribution.log_prob(value))


def test_no_square_matrix_is_formed() -> None:
    mixture = wide(2, 300, 2)
    value, mask = torch.zeros(300).double(), torch.rand(300) < 0.5
    assert largest(lambda: mixture.log_prob(value, mask).backward()) <= 2 * 300 * 2


def test_the_parts() -> None:
    mask = torch.tensor([True, False, True])
    assert check_mask(torch.zeros(2, 3), mask, 3).tolist() == [[True, False, True]] * 2
    filled = observed_only(torch.tensor([1.0, NAN, 2.0]), mask, validate=True)
    assert filled.tolist() == [1, 0, 2]
    one = torch.ones(3)
    loc, diagonal, factor = marginal_of_mask(one, 4 * one, one.unsqueeze(-1), mask)
    assert loc.tolist() == [1, 0, 1] and diagonal.tolist() == [4, 1, 4]
    torch.testing.assert_close(factor[:, 0], torch.tensor([1.25**-0.5, 0, 1.25**-0.5]))
