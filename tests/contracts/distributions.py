"""Checks that every family of distributions must pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution

Parameters = dict[str, Tensor]

# What float32 may lose against float64 at D = 32: absolute, plus relative to the log-density.
FLOAT32_ABSOLUTE, FLOAT32_RELATIVE = 1e-4, 1e-5


@dataclass(frozen=True)
class Family:
    """One family of distributions, and a dense float64 reference written without seqmdn.

    Every parameter leads with the batch shape, so that one context's are `parameter[index]`.
    """

    name: str
    draw: Callable[[tuple[int, ...], int, float], Parameters]
    """(batch, features, scale) -> random float64 parameters; `scale` multiplies lengths of y."""
    build: Callable[[Parameters], Distribution]
    log_prob: Callable[[Parameters, Tensor], Tensor]
    """(parameters, value) -> the reference log-density."""
    moments: Callable[[Parameters], tuple[Tensor, Tensor]]
    """parameters -> the reference mean (*batch, D) and covariance (*batch, D, D)."""
    shift: Callable[[Parameters, Tensor], Parameters]
    """(parameters, offset (*batch, 1)) -> the parameters of y moved by the offset."""

    def __str__(self) -> str:
        return self.name


def check_distribution(family: Family, check: str | None = None) -> None:
    """Runs one named check of `DISTRIBUTION_CHECKS`, or all of them."""
    for name in [check] if check else DISTRIBUTION_CHECKS:
        torch.manual_seed(0)
        DISTRIBUTION_CHECKS[name](family)


def _integrates_to_one(family: Family) -> None:
    for features, points in ((1, 20_001), (2, 601)):
        for scale in (1e-3, 1.0, 1e3):
            parameters = family.draw((), features, scale)
            mean, covariance = family.moments(parameters)
            reach = 12 * covariance.diagonal().sqrt()
            axes = [
                torch.linspace(float(m - r), float(m + r), points, dtype=torch.float64)
                for m, r in zip(mean, reach, strict=True)
            ]
            grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
            cell = torch.stack([axis[1] - axis[0] for axis in axes]).prod()
            total = family.build(parameters).log_prob(grid).exp().sum() * cell
            assert float(total) == pytest.approx(1, abs=1e-4), f"D = {features}, scale {scale}"


def _equals_the_reference(family: Family) -> None:
    for batch in ((), (3,), (2, 3)):
        for features in (1, 2, 5, 31):
            parameters = family.draw(batch, features, 1.0)
            value = 3 * torch.randn(4, *batch, features, dtype=torch.float64)
            found = family.build(parameters).log_prob(value)
            torch.testing.assert_close(
                found, family.log_prob(parameters, value), rtol=1e-9, atol=1e-9
            )


def _has_its_moments(family: Family) -> None:
    count = 200_000
    parameters = family.draw((2,), 3, 1.0)
    mean, covariance = family.moments(parameters)
    distribution = family.build(parameters)
    draws = distribution.sample((count,))  # (count, 2, D)
    centred = draws - mean
    products = centred.unsqueeze(-1) * centred.unsqueeze(-2)
    assert_within_errors(draws.mean(0), mean, draws.std(0) / count**0.5)
    assert_within_errors(products.mean(0), covariance, products.std(0) / count**0.5)
    if distribution.has_rsample:
        assert_within_errors(
            distribution.rsample((count,)).mean(0), mean, draws.std(0) / count**0.5
        )


def _states_its_moments(family: Family) -> None:
    parameters = family.draw((2, 3), 4, 1.0)
    mean, covariance = family.moments(parameters)
    distribution = family.build(parameters)
    if not hasattr(distribution, "covariance_matrix"):
        with pytest.raises(NotImplementedError):
            _ = distribution.mean
        return
    torch.testing.assert_close(distribution.mean, mean)
    torch.testing.assert_close(distribution.variance, covariance.diagonal(dim1=-2, dim2=-1))
    torch.testing.assert_close(distribution.covariance_matrix, covariance)


def _contexts_never_mix(family: Family) -> None:
    far = torch.tensor([[0.0, 1e3, -1e3], [5e3, -5e3, 2e4]], dtype=torch.float64).unsqueeze(-1)
    parameters = family.shift(family.draw((2, 3), 2, 1.0), far)
    whole = family.build(parameters)
    draws = whole.sample((500,))  # (500, 2, 3, D)
    density = whole.log_prob(draws)
    for i in range(2):
        for j in range(3):
            own = {name: parameter[i, j] for name, parameter in parameters.items()}
            mean, covariance = family.moments(own)
            error = (covariance.diagonal() / 500).sqrt()
            assert_within_errors(draws[:, i, j].mean(0), mean, error)
            assert (draws[:, i, j] - mean).abs().max() < 100, "a draw from another context"
            alone = family.build(own).log_prob(draws[:, i, j])
            torch.testing.assert_close(density[:, i, j], alone)


def _has_its_shapes(family: Family) -> None:
    for batch in ((), (3,), (2, 3)):
        parameters = family.draw(batch, 4, 1.0)
        distribution = family.build(parameters)
        assert distribution.batch_shape == batch
        assert distribution.event_shape == (4,)
        assert distribution.sample().shape == (*batch, 4)
        value = distribution.sample((5, 2))
        assert value.shape == (5, 2, *batch, 4)
        assert not value.requires_grad
        density = distribution.log_prob(value)
        assert density.shape == (5, 2, *batch)
        expanded = distribution.expand((2, *batch))
        assert type(expanded) is type(distribution)
        assert expanded.batch_shape == (2, *batch)
        assert expanded.sample((5,)).shape == value.shape
        torch.testing.assert_close(expanded.log_prob(value), density)
        torch.manual_seed(1)
        first = distribution.sample((5,))
        torch.manual_seed(1)
        assert torch.equal(first, distribution.sample((5,)))


def _refuses_what_does_not_fit(family: Family) -> None:
    distribution = family.build(family.draw((3,), 4, 1.0))
    # One feature would broadcast to four, and give a number.
    for wrong in (torch.zeros(3, 1), torch.zeros(3, 5), torch.zeros(())):
        with pytest.raises(ValueError, match=r"\(\.\.\., 4\).*found"):
            distribution.log_prob(wrong.double())
    with pytest.raises(ValueError, match="value"):
        distribution.log_prob(torch.full((3, 4), float("nan"), dtype=torch.float64))


def _gradients_reach_every_parameter(family: Family) -> None:
    parameters = _leaves(family.draw((2,), 3, 1.0), torch.float64)
    value = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    family.build(parameters).log_prob(value).sum().backward()
    assert_finite_gradients(parameters | {"value": value}, nonzero=True)

    # A wrong derivative of a right value passes all the other checks.
    def density(*tensors: Tensor) -> Tensor:
        return family.build(dict(zip(parameters, tensors, strict=True))).log_prob(value.detach())

    assert torch.autograd.gradcheck(density, tuple(parameters.values()))


def _float32_is_close(family: Family) -> None:
    for scale in (1e-2, 1.0, 1e2):
        parameters = _leaves(family.draw((20,), 32, scale), torch.float32)
        exact = {name: parameter.detach().double() for name, parameter in parameters.items()}
        value = family.build(exact).sample((10,)).float()
        found = family.build(parameters).log_prob(value)
        assert found.dtype == torch.float32
        torch.testing.assert_close(
            found.detach().double(),
            family.log_prob(exact, value.double()),
            atol=FLOAT32_ABSOLUTE,
            rtol=FLOAT32_RELATIVE,
        )


def _is_finite_far_out(family: Family) -> None:
    for features in (2, 31, 512):
        exact = family.draw((3,), features, 1.0)
        mean, covariance = family.moments(exact)
        deviations = covariance.diagonal(dim1=-2, dim2=-1).sqrt()
        for sigmas in (0.0, 20.0, -20.0):
            parameters = _leaves(exact, torch.float32)
            value = (mean + sigmas * deviations).float().requires_grad_()
            found = family.build(parameters).log_prob(value)
            assert found.isfinite().all(), f"D = {features}, {sigmas} sigmas"
            reference = family.log_prob(exact, value.detach().double())
            torch.testing.assert_close(found.double(), reference, rtol=1e-4, atol=1e-2)
            found.sum().backward()
            assert_finite_gradients(parameters | {"value": value}, nonzero=False)


def _autocast_keeps_float32(family: Family) -> None:
    # Enough features for a factor of rank D to go through matrix products, which autocast casts.
    parameters = _leaves(family.draw((3,), 12, 1.0), torch.float32)
    distribution = family.build(parameters)
    value = distribution.sample((5,))
    plain = distribution.log_prob(value)
    torch.manual_seed(1)
    draws = distribution.sample((5,))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rebuilt = family.build(parameters)
        assert torch.equal(rebuilt.log_prob(value), plain)
        torch.manual_seed(1)
        assert torch.equal(rebuilt.sample((5,)), draws)
    half = {name: parameter.detach().bfloat16() for name, parameter in parameters.items()}
    widened = {name: parameter.float() for name, parameter in half.items()}
    found = family.build(half).log_prob(value.bfloat16())
    assert found.dtype == family.build(half).sample().dtype == torch.float32
    # torch's Categorical normalises its logits before seqmdn sees them, in bfloat16 here.
    expected = family.build(widened).log_prob(value.bfloat16().float())
    torch.testing.assert_close(found, expected, atol=0.1, rtol=0.01)


def assert_within_errors(found: Tensor, expected: Tensor, error: Tensor) -> None:
    """Fails where a statistic is over 5 of its standard errors from what it estimates."""
    worst = ((found - expected).abs() / error).max()
    assert worst < 5, f"{float(worst):.1f} standard errors away"


def _leaves(parameters: Parameters, dtype: torch.dtype) -> Parameters:
    return {
        name: parameter.detach().to(dtype, copy=True).requires_grad_()
        for name, parameter in parameters.items()
    }


def assert_finite_gradients(tensors: Parameters, nonzero: bool) -> None:
    for name, tensor in tensors.items():
        if tensor.numel() == 0:
            continue
        assert tensor.grad is not None, f"no gradient reaches {name}"
        assert tensor.grad.isfinite().all(), f"the gradient of {name} is not finite"
        assert not nonzero or tensor.grad.abs().sum() > 0, f"the gradient of {name} is zero"


DISTRIBUTION_CHECKS: dict[str, Callable[[Family], None]] = {
    "integrates_to_one": _integrates_to_one,
    "equals_the_reference": _equals_the_reference,
    "has_its_moments": _has_its_moments,
    "states_its_moments": _states_its_moments,
    "contexts_never_mix": _contexts_never_mix,
    "has_its_shapes": _has_its_shapes,
    "refuses_what_does_not_fit": _refuses_what_does_not_fit,
    "gradients_reach_every_parameter": _gradients_reach_every_parameter,
    "float32_is_close": _float32_is_close,
    "is_finite_far_out": _is_finite_far_out,
    "autocast_keeps_float32": _autocast_keeps_float32,
}
