"""What is known exactly of single features: against draws, quadrature and torch."""

import pytest
import torch
from scipy import stats
from torch.distributions import AffineTransform, Distribution, Independent, Normal

from seqmdn.data import Standardise
from seqmdn.distributions import Flowed
from seqmdn.metrics.marginals import Marginals
from tests.metrics.known import D, densities, logit, mixture, normal

KNOWN = ["gaussian", "mixture", "factorised", "standardised", "twice standardised", "logit"]


@pytest.mark.parametrize("name", KNOWN)
def test_the_distribution_function_is_that_of_draws(name: str) -> None:
    density = densities()[name]
    marginals = Marginals.of(density)
    assert marginals is not None
    drawn = density.sample((4000,))
    for d in range(D):
        result = stats.kstest(marginals.cdf(drawn)[:, d].numpy(), "uniform")
        assert result.pvalue > 1e-3, (name, d)


@pytest.mark.parametrize("name", KNOWN)
def test_the_quantile_undoes_the_distribution_function(name: str) -> None:
    marginals = Marginals.of(densities(2)[name])
    assert marginals is not None
    q = torch.tensor([0.01, 0.5, 0.95]).double()
    value = marginals.icdf(q)
    assert value.shape == (2, D)
    torch.testing.assert_close(marginals.cdf(value).double(), q.expand(2, D), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["mixture", "factorised", "standardised", "twice standardised"])
def test_the_crps_is_the_integral_over_the_distribution_function(name: str) -> None:
    density = densities()[name]
    marginals = Marginals.of(density)
    value = density.sample()
    low, high = marginals.icdf(torch.tensor(1e-9)), marginals.icdf(torch.tensor(1 - 1e-7))
    low, high = torch.minimum(low, value), torch.maximum(high, value)
    step = (high - low) / 40_000
    grid = low + step * (torch.arange(40_000).unsqueeze(-1) + 0.5)
    integral = ((marginals.cdf(grid) - (grid >= value).double()).square() * step).sum(0)
    torch.testing.assert_close(marginals.crps(value).double(), integral, rtol=2e-3, atol=1e-5)


def test_the_slope_is_known_of_affine_maps_only() -> None:
    found = {name: Marginals.of(density) for name, density in densities().items()}
    assert found["mixture"].scale.tolist() == [1] * D
    assert found["standardised"].scale.tolist() == [10, 0.5, 1]
    assert found["twice standardised"].scale.tolist() == [20, 1, 2]
    assert found["logit"].scale is None
    with pytest.raises(ValueError, match="affine map.*found Logit, Standardise"):
        found["logit"].crps(torch.zeros(D))


class Turn(AffineTransform):
    """A map that is not known to take each feature by itself."""

    def call_and_ladj(self, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self(y), self.log_abs_det_jacobian(y, y)


@pytest.mark.parametrize(
    "density",
    [
        densities()["flow"],
        Flowed(mixture(), Turn(0.0, -1.0, event_dim=1)),
        Flowed(Flowed(mixture(), Turn(0.0, 2.0, event_dim=1)), logit()),
        Flowed(Independent(Normal(torch.zeros(D), 1.0), 1), Standardise(D)),
        Independent(Normal(torch.zeros(D), 1.0), 1),
    ],
)
def test_of_others_nothing_is_claimed(density: Distribution) -> None:
    assert Marginals.of(density) is None


def test_a_gaussian_is_a_mixture_of_one() -> None:
    marginals = Marginals.of(normal(4, features=2, scale=3.0))
    torch.testing.assert_close(
        marginals.cdf(torch.full((4, 2), 3.0)), torch.full((4, 2), 0.8413447)
    )
