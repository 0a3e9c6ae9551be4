from __future__ import annotations

import math

import pytest
import torch
from scipy import optimize, stats
from torch import Tensor

from seqmdn.distributions.univariate import log_normal, mixture_cdf, mixture_icdf

MIXTURES = {
    "one": ([1.0], [2.0], [3.0]),
    "overlapping": ([0.2, 0.5, 0.3], [-1.0, 0.0, 2.0], [0.5, 1.0, 2.0]),
    "far apart": ([0.3, 0.7], [-50.0, 80.0], [0.1, 4.0]),
    "needle in a haystack": ([1e-6, 1 - 1e-6], [0.3, 0.0], [1e-5, 10.0]),
    "rare and wide": ([1e-9, 1 - 1e-9], [0.0, 1e3], [1e4, 1e-3]),
}


def mixture(name: str) -> tuple[Tensor, Tensor, Tensor]:
    weights, loc, scale = (torch.tensor(p, dtype=torch.float64) for p in MIXTURES[name])
    return weights.log(), loc, scale


def test_the_normal_density_is_scipys_far_into_the_tails() -> None:
    z = torch.linspace(-40, 40, 81, dtype=torch.float64).view(3, 27)
    expected = torch.from_numpy(stats.norm.logpdf(z.numpy()))
    torch.testing.assert_close(log_normal(z), expected, rtol=1e-15, atol=0)


def reference_root(q: float, name: str) -> float:
    """Returns the quantile by Brent's method on the nearer tail."""
    parts = list(zip(*MIXTURES[name], strict=True))

    def excess(y: float) -> float:
        if q <= 0.5:
            return sum(w * stats.norm.cdf(y, m, s) for w, m, s in parts) - q
        return 1 - q - sum(w * stats.norm.sf(y, m, s) for w, m, s in parts)

    ends = [stats.norm.ppf(q, m, s) for _, m, s in parts]
    if min(ends) == max(ends):
        return ends[0]
    return optimize.brentq(excess, min(ends), max(ends), xtol=1e-14, rtol=1e-14, maxiter=1000)


@pytest.mark.parametrize("name", MIXTURES)
def test_quantiles_equal_a_scalar_root_finder(name: str) -> None:
    for q in (1e-12, 1e-5, 0.1, 0.29, 0.6, 0.999, 1 - 1e-12):
        found = mixture_icdf(torch.tensor(q, dtype=torch.float64), *mixture(name))
        assert found.item() == pytest.approx(reference_root(q, name), rel=1e-9, abs=1e-9), q


@pytest.mark.parametrize("name", MIXTURES)
def test_float32_quantiles_are_as_good_as_float32(name: str) -> None:
    q = torch.tensor([1e-30, 1e-6, 0.1, 0.6, 0.999])
    parameters = [p.float() for p in mixture(name)]
    found = mixture_icdf(q, *parameters)
    exact = mixture_icdf(q.double(), *(p.double() for p in parameters))
    assert found.dtype == torch.float32
    assert torch.equal(found, exact.float())


def test_between_far_components_a_quantile_is_between_them() -> None:
    log_weights = torch.tensor([0.5, 0.5], dtype=torch.float64).log()
    loc = torch.tensor([-1e3, 1e3], dtype=torch.float64, requires_grad=True)
    q = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
    found = mixture_icdf(q, log_weights, loc, torch.ones(2, dtype=torch.float64))
    assert found[0].item() == pytest.approx(-1e3)
    assert -1e3 < found[1].item() < 1e3
    assert found[2].item() == pytest.approx(1e3)


def test_the_ends_are_infinite() -> None:
    found = mixture_icdf(torch.tensor([0.0, 1.0], dtype=torch.float64), *mixture("overlapping"))
    assert found.tolist() == [-math.inf, math.inf]


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
def test_refuses_what_is_no_probability(q: float) -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]; found"):
        mixture_icdf(torch.tensor(q, dtype=torch.float64), *mixture("one"))


@pytest.mark.parametrize("q", [0.01, 0.4, 0.9])
def test_quantiles_have_the_derivatives_of_the_implicit_function(q: float) -> None:
    parameters = [p.clone().requires_grad_() for p in mixture("overlapping")]
    at = torch.tensor([q], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(mixture_icdf, (at, *parameters))
    assert torch.autograd.gradgradcheck(mixture_icdf, (at, *parameters))


def test_the_second_derivative_is_that_of_a_gaussian() -> None:
    # Of one Gaussian, y = m + s z(q), z' = 1 / phi(z) and z'' = z / phi(z)^2.
    q = torch.tensor([0.001, 0.3, 0.5, 0.9999], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(mixture_icdf(q, *mixture("one")).sum(), q, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), q)
    place = torch.special.ndtri(q.detach())
    density = torch.as_tensor(stats.norm.pdf(place.numpy()))
    torch.testing.assert_close(curvature, 3 * place / density.square())


def test_derivatives_are_finite_where_the_density_underflows_and_at_the_ends() -> None:
    parameters = [
        torch.tensor(p, dtype=torch.float64, requires_grad=True)
        for p in ([math.log(0.5), math.log(0.5), -math.inf], [-1e3, 1e3, 0.0], [1.0, 1.0, 1.0])
    ]
    q = torch.tensor([0.0, 1e-9, 0.5, 1 - 1e-9, 1.0], dtype=torch.float64, requires_grad=True)
    found = mixture_icdf(q, *parameters)
    slopes = torch.autograd.grad(found[1:4].sum(), [q, *parameters], retain_graph=True)
    assert all(slope.isfinite().all() for slope in slopes)
    assert slopes[2].sum() == pytest.approx(3), "means move their quantiles as far"
    assert slopes[2][2] == 0 and slopes[3][2] == 0, "a component of the weight 0 moves nothing"
    for slope in torch.autograd.grad(found[[0, 4]].sum(), [q, *parameters]):
        assert (slope == 0).all(), "an infinity does not move"


def test_the_derivative_to_q_is_one_over_the_density() -> None:
    log_weights, loc, scale = mixture("overlapping")
    q = torch.tensor([0.001, 0.3, 0.95], dtype=torch.float64, requires_grad=True)
    quantile = mixture_icdf(q, log_weights, loc, scale)
    (found,) = torch.autograd.grad(quantile.sum(), q)
    parts = list(zip(*MIXTURES["overlapping"], strict=True))
    density = sum(w * stats.norm.pdf(quantile.detach().numpy(), m, s) for w, m, s in parts)
    torch.testing.assert_close(found, 1 / torch.as_tensor(density))


def test_batches_of_mixtures_keep_to_themselves() -> None:
    log_weights = torch.log_softmax(torch.randn(40, 3, 5, dtype=torch.float64), dim=-1)
    loc = 10 * torch.randn(40, 3, 5, dtype=torch.float64)
    scale = torch.exp(2 * torch.randn(40, 3, 5, dtype=torch.float64))
    q = torch.rand(40, 3, dtype=torch.float64)
    found = mixture_icdf(q, log_weights, loc, scale)
    torch.testing.assert_close(mixture_cdf(found, log_weights, loc, scale), q)
    alone = mixture_icdf(q[7, 1], log_weights[7, 1], loc[7, 1], scale[7, 1])
    torch.testing.assert_close(found[7, 1], alone)
