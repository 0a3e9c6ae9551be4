"""PIT and Rosenblatt transforms: uniform under the truth, and only there."""

import pytest
import torch
from scipy import stats
from torch.distributions import Independent, Normal

from seqmdn import distributions
from seqmdn.distributions import Flowed, LowRankPrecisionNormal
from seqmdn.metrics import pit, rosenblatt_pit
from tests.metrics.known import D, by_conditionals, densities, logit, mixture, normal, standardise


def is_uniform(u: torch.Tensor) -> list[bool]:
    return [stats.kstest(each.double().numpy(), "uniform").pvalue > 1e-3 for each in u.T]


@pytest.mark.parametrize("name", densities())
def test_what_is_drawn_from_the_density_is_uniform(name: str) -> None:
    density = densities(3000)[name]
    value = density.sample()
    assert is_uniform(pit(density, value, density.sample((9,)))) == [True] * D


def test_a_wrong_density_is_not_uniform() -> None:
    value = torch.randn(3000, 1)
    for wrong in (normal(3000, scale=1.2), normal(3000, scale=0.8)):
        assert is_uniform(pit(wrong, value)) == [False]
        hidden = Independent(Normal(wrong.loc, 1.0), 1)
        assert is_uniform(pit(hidden, value, wrong.sample((200,)))) == [False]


def test_maps_of_single_features_change_nothing_and_draws_come_close() -> None:
    base = mixture(400)
    z = base.sample()
    expected = pit(base, z)
    torch.testing.assert_close(expected, base.cdf(z))
    for transform in (standardise(), logit()):
        seen = Flowed(base, transform)
        torch.testing.assert_close(pit(seen, transform.inverse(z)), expected, rtol=1e-4, atol=1e-6)
    drawn = pit(Independent(Normal(base.mean, 1.0), 1), z, base.sample((2000,)))
    assert (drawn - expected).abs().max() < 5 * 0.5 / 2000**0.5


def test_it_never_exceeds_one() -> None:
    weights = torch.distributions.Categorical(logits=torch.randn(2000, 7))
    density = distributions.Mixture(
        weights, LowRankPrecisionNormal(torch.zeros(2000, 7, 1), torch.ones(2000, 7, 1))
    )
    far = torch.full((2000, 1), 100.0)
    assert density.cdf(far).max() > 1, "rounding is what this is about"
    assert pit(density, far).max() == 1
    assert rosenblatt_pit(density, far).max() == 1


def test_only_rosenblatts_transform_sees_dependence() -> None:
    truth = mixture(3000)
    value = truth.sample()
    assert is_uniform(rosenblatt_pit(truth, value)) == [True] * D
    # Normal features that depend on each other, and a density of the same that do not.
    related = torch.randn(3000, 2) @ torch.linalg.cholesky(torch.tensor([[1, 0.8], [0.8, 1]])).T
    apart = normal(3000, features=2)
    assert is_uniform(pit(apart, related)) == [True, True]
    assert is_uniform(pit(apart, related) @ torch.tensor([[0.5], [0.5]])) == [False]
    # The order matters: the first feature by itself is right, the second given it is not.
    first, second = is_uniform(rosenblatt_pit(apart, related))
    assert first and second, "of independent features the two transforms are one"
    u = rosenblatt_pit(apart, related)
    assert stats.spearmanr(*u.T.numpy()).pvalue < 1e-9
    precision = torch.tensor([[1, 0.8], [0.8, 1]]).inverse()
    right = _dense(precision).expand((3000,))
    u = rosenblatt_pit(right, related)
    assert is_uniform(u) == [True, True] and stats.spearmanr(*u.T.numpy()).pvalue > 1e-3
    wrong = _dense(torch.tensor([[1, -0.8], [-0.8, 1]]).inverse()).expand((3000,))
    assert is_uniform(pit(wrong, related)) == [True, True]
    assert is_uniform(rosenblatt_pit(wrong, related)) == [True, False]


def test_rosenblatts_transform_is_that_of_the_conditionals_below_maps_of_single_features() -> None:
    base = mixture(50)
    z = base.sample()
    expected = by_conditionals(base, z)
    torch.testing.assert_close(rosenblatt_pit(base, z), expected)
    for transform in (standardise(), logit()):
        found = rosenblatt_pit(Flowed(base, transform), transform.inverse(z))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    bare = Independent(Normal(torch.zeros(50, D).double(), 1.0), 1)
    assert rosenblatt_pit(Flowed(bare, standardise()), z) is None


def test_of_what_was_observed_it_is_that_of_the_marginal() -> None:
    base = mixture(50)
    z, observed = base.sample(), torch.rand(50, D) < 0.6
    for transform in (standardise(), logit()):
        density, value = Flowed(base, transform), transform.inverse(z)
        holed = value.where(observed, torch.nan)
        for samples in (None, density.sample((20,))):
            known = Independent(Normal(base.mean, 1.0), 1) if samples is not None else density
            torch.manual_seed(0)
            whole = pit(known, value, samples)
            torch.manual_seed(0)
            found = pit(known, holed, samples)
            assert torch.equal(found.isnan(), ~observed)
            assert torch.equal(found[observed], whole[observed])
        found = rosenblatt_pit(density, holed, observed)
        for i in range(50):
            seen = observed[i].nonzero()[:, 0].tolist()
            if seen:
                expected = by_conditionals(base.marginal(seen), z[:, seen])[i]
                torch.testing.assert_close(found[i, seen], expected, rtol=1e-4, atol=1e-6)
        assert torch.equal(found.isnan(), ~observed)
    with pytest.raises(NotImplementedError, match="not closed under a flow"):
        rosenblatt_pit(densities(50)["flow"], z, observed)


def test_a_distributions_own_transform_is_used_where_it_has_one() -> None:
    class Own(Independent):
        def rosenblatt(self, value: torch.Tensor) -> torch.Tensor:
            return self.base_dist.cdf(value)

    value = torch.randn(50, D)
    normal = Normal(torch.zeros(50, D), 1.0)
    torch.testing.assert_close(rosenblatt_pit(Own(normal, 1), value), normal.cdf(value))
    assert rosenblatt_pit(Independent(normal, 1), value) is None


def test_without_draws_an_unknown_distribution_function_is_refused() -> None:
    density = Independent(Normal(torch.zeros(4, D), 1.0), 1)
    with pytest.raises(ValueError, match="an? Independent expected draws.*found none"):
        pit(density, torch.zeros(4, D))
    with pytest.raises(ValueError, match=r"found \(5, 4, 2\) and \(4, 3\)"):
        pit(density, torch.zeros(4, D), torch.zeros(5, 4, 2))


def _dense(precision: torch.Tensor) -> LowRankPrecisionNormal:
    """A Gaussian of two features of this precision, as D + UU' of rank 1."""
    link = precision[0, 1]
    factor = link.abs().sqrt() * torch.tensor([[1.0], [float(link.sign())]])
    return LowRankPrecisionNormal(torch.zeros(2), precision.diagonal() - link.abs(), factor)
