"""Coverage: the levels against known ones, the shares by simulation from a known truth."""

import math
import re

import numpy as np
import pytest
import torch
from scipy import stats

from seqmdn.distributions import Flowed, LowRankPrecisionNormal
from seqmdn.metrics import Coverage, central_level, coverage, highest_density_level, pit
from tests.metrics.known import densities, mixture, normal, standardise

LEVELS = [0.05, 0.25, 0.5, 0.8, 0.9, 0.95, 0.99]


@pytest.mark.parametrize("name", densities())
def test_the_truth_covers_what_it_says(name: str) -> None:
    density = densities(5000)[name]
    value, samples = density.sample(), density.sample((9,))
    for features, needed in (
        (3, central_level(pit(density, value, samples))),
        (1, highest_density_level(density, value, samples).unsqueeze(-1)),
    ):
        found = Coverage(LEVELS)
        found.update(needed)
        levels = torch.tensor(LEVELS)
        # Features depend on each other: the error of their mean is at most that of one.
        error = (levels * (1 - levels) / 5000).sqrt()
        assert ((found.compute() - levels).abs() < 4 * error).all(), (features, found.compute())
        assert (found.stderr() < 1.1 * error + 1e-4).all()


@pytest.mark.parametrize(("scale", "sign"), [(0.8, -1), (1.25, 1)])
def test_too_narrow_covers_too_little_and_too_wide_too_much(scale: float, sign: int) -> None:
    density, value = normal(5000, features=2, scale=scale), torch.randn(5000, 2)
    for needed in (
        central_level(pit(density, value)),
        highest_density_level(density, value, density.sample((50,))).unsqueeze(-1),
    ):
        found = Coverage(LEVELS[1:])
        found.update(needed)
        excess = found.compute() - torch.tensor(LEVELS[1:])
        assert (sign * excess > 2 * found.stderr()).all()


def test_the_central_share_of_a_wrong_scale_is_the_known_one() -> None:
    found = Coverage([0.5, 0.9])
    found.update(central_level(pit(normal(40_000, scale=0.5), torch.randn(40_000, 1))))
    expected = [2 * stats.norm.cdf(0.5 * stats.norm.ppf(0.5 + a / 2)) - 1 for a in (0.5, 0.9)]
    np.testing.assert_allclose(found.compute(), expected, atol=4 * 0.5 / 200)


def test_the_highest_density_level_of_a_gaussian_is_a_chi_square() -> None:
    density = mixture(1).component_distribution
    density = LowRankPrecisionNormal(
        density.loc[0, 0], density.diagonal[0, 0], density.factor[0, 0]
    )
    value, samples = density.sample((200,)), density.sample((10_000,))
    many = density.expand((200,))
    found = highest_density_level(many, value, samples.unsqueeze(1).expand(-1, 200, -1))
    residual = value - density.loc
    radius = (residual * (residual @ density.precision_matrix)).sum(-1)
    expected = torch.tensor(stats.chi2(3).cdf(radius.numpy()))
    error = (expected * (1 - expected) / 10_000).sqrt()
    assert ((found - expected).abs() < 5 * error + 1e-3).all()


def test_between_two_modes_is_central_but_of_low_density() -> None:
    components = LowRankPrecisionNormal(torch.tensor([[-5.0], [5.0]]), torch.ones(2, 1))
    from torch.distributions import Categorical

    from seqmdn.distributions import Mixture

    density = Mixture(Categorical(logits=torch.zeros(2)), components)
    middle = torch.zeros(1)
    assert central_level(pit(density, middle)).item() < 1e-5
    assert highest_density_level(density, middle, density.sample((999,))) > 0.998


def test_levels_do_not_depend_on_how_much_is_held_nor_on_an_affine_unit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base, affine = mixture(30), standardise()
    z, samples = base.sample(), base.sample((50,))
    found = []
    for values in (2**18, 1, 30 * 3 * 7):
        monkeypatch.setattr(coverage, "_VALUES", values)
        torch.manual_seed(0)
        found.append(highest_density_level(base, z, samples))
    torch.manual_seed(0)
    seen = Flowed(base, affine)
    found.append(highest_density_level(seen, affine.inverse(z), affine.inverse(samples)))
    assert all(torch.equal(each, found[0]) for each in found)


def test_sequences_and_masks() -> None:
    needed, mask = torch.rand(6, 5, 3), torch.rand(6, 5) < 0.7
    mask[:, 0] = True
    found = Coverage([0.3, 0.6])
    found.update(needed.masked_fill(~mask.unsqueeze(-1), math.nan), mask)
    for i, level in enumerate((0.3, 0.6)):
        held = (needed[mask] <= level).double().mean()
        assert found.compute()[i].item() == pytest.approx(held.item(), rel=1e-6)
    assert found.values().shape == (6, 2)


def test_what_is_no_level_is_refused() -> None:
    for wrong in ([], [0.0], [0.5, 1.0], [90], [math.nan]):
        with pytest.raises(ValueError, match="strictly between 0 and 1"):
            Coverage(wrong)
    found = Coverage([0.5])
    for value in (math.nan, -0.1, 1.1):
        with pytest.raises(ValueError, match=re.escape(f"in [0, 1]; found {value:g} (1 such")):
            found.update(torch.tensor([[[0.5], [value]]]))
    with pytest.raises(ValueError, match=re.escape("(B, *time, D); found (3,)")):
        found.update(torch.zeros(3))
    with pytest.raises(ValueError, match=re.escape("mask (2, 3)")):
        found.update(torch.zeros(2, 3, 1), torch.ones(2, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"S >= 1.*found \(0, 3\) and \(3,\)"):
        highest_density_level(normal(features=3), torch.zeros(3), torch.zeros(0, 3))


def test_a_density_that_is_nan_is_not_the_densest() -> None:
    class Broken(LowRankPrecisionNormal):
        def log_prob(self, value: torch.Tensor) -> torch.Tensor:
            return torch.full(value.shape[:-1], math.nan)

    density = Broken(torch.zeros(4, 1), torch.ones(4, 1))
    level = highest_density_level(density, torch.zeros(4, 1), torch.zeros(20, 4, 1))
    assert level.isnan().all()
    with pytest.raises(ValueError, match="found nan"):
        Coverage([0.9]).update(level.unsqueeze(-1))


def test_levels_of_what_was_observed_weigh_the_same() -> None:
    needed, observed = torch.rand(6, 5, 3), torch.rand(6, 5, 3) < 0.5
    observed[2] = False
    found = Coverage([0.3])
    found.update(needed.masked_fill(~observed, math.nan), None, observed)
    assert found.compute().item() == pytest.approx(
        (needed[observed] <= 0.3).double().mean().item(), rel=1e-6
    )
    assert found.values().isnan().tolist() == [False, False, True, False, False, False]
    with pytest.raises(ValueError, match=re.escape("in [0, 1]; found nan")):
        found.update(torch.full((1, 1, 3), math.nan), None, torch.ones(1, 1, 3).bool())
    with pytest.raises(ValueError, match=re.escape("observed boolean (6, 5, 3); found")):
        found.update(needed, None, observed[..., 0])
