"""Scores of distributions: against scoringrules, quadrature and each other; units and masks."""

import math
import re

import numpy as np
import pytest
import scoringrules
import torch
from torch.distributions import Independent, Normal

from seqmdn.distributions import FactorisedMixture, Flowed, Mixture
from seqmdn.metrics import CRPS, EnergyScore, crps, crps_samples, energy_score, paired_difference
from tests.metrics.known import D, densities, factorised, mixture, normal, standardise


@pytest.mark.parametrize("density", [mixture(4, 2), factorised(4, 2)], ids=["joint", "factorised"])
def test_crps_of_each_feature_equals_scoringrules(density: Mixture | FactorisedMixture) -> None:
    value = density.sample()
    weights, parts = density.mixture_distribution.probs, density.component_distribution
    for d in range(D):
        if isinstance(density, Mixture):
            arguments = (parts.loc[..., d], parts.covariance_matrix[..., d, d].sqrt(), weights)
        else:
            arguments = (parts.loc[..., d, :], parts.scale[..., d, :], weights[..., d, :])
        expected = scoringrules.crps_mixnorm(value[..., d].numpy(), *(a.numpy() for a in arguments))
        np.testing.assert_allclose(crps(density, value)[..., d].numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["mixture", "standardised", "logit", "flow"])
def test_draws_estimate_the_same_score(name: str) -> None:
    density = densities(20)[name]
    value, samples = density.sample(), density.sample((4000,))
    found = crps(density, value, samples)
    estimate = crps_samples(samples, value)
    if name in ("logit", "flow"):
        assert torch.equal(found, estimate)
        with pytest.raises(ValueError, match="a Flowed expected draws.*found none"):
            crps(density, value)
    else:
        assert not torch.equal(found, estimate)
        torch.testing.assert_close(found.mean(0), estimate.mean(0), rtol=0.03, atol=0)


def test_scores_follow_the_unit_of_the_data() -> None:
    base, affine = mixture(6, 4), standardise()
    z = base.sample()
    scores = {}
    for name, density, value in (
        ("z", base, z),
        ("y", Flowed(base, affine), affine.inverse(z)),
    ):
        metric = CRPS()
        metric.update(density, value)
        scores[name] = crps(density, value)
        assert metric.compute().item() == pytest.approx(scores[name].mean().item(), rel=1e-5)
        assert metric.estimator == "exact"
    torch.testing.assert_close(scores["y"], scores["z"] * torch.tensor([10.0, 0.5, 1.0]).double())
    energy = EnergyScore(draws=20)
    same = Flowed(base, standardise())
    same.transform.std.fill_(7.0)
    energy.update(same, same.transform.inverse(z))
    expected = EnergyScore(draws=20)
    expected.update(base, z)
    assert energy.compute().item() == pytest.approx(7 * expected.compute().item(), rel=1e-5)


def test_metrics_draw_what_they_need_and_leave_out_what_does_not_count() -> None:
    density = densities(5, 3)["flow"]
    value, mask = density.sample(), torch.rand(5, 3) < 0.6
    mask[:, 0] = True
    padded = value.masked_fill(~mask.unsqueeze(-1), math.nan)
    for metric, by_hand in (
        (CRPS(draws=300, seed=2), lambda x: crps_samples(x, value).mean(-1)),
        (EnergyScore(draws=300, seed=2), lambda x: energy_score(x, value)),
    ):
        state = torch.get_rng_state()
        metric.update(density, padded, mask)
        assert torch.equal(torch.get_rng_state(), state)
        first = metric.compute()
        metric.reset()
        metric.update(density, padded, mask)
        assert metric.compute() == first, "the seed decides"
        samples = density.sample((300,))
        metric.reset()
        metric.update(density, padded, mask, samples)
        expected = by_hand(samples)[mask].mean().item()
        assert metric.compute().item() == pytest.approx(expected, rel=1e-5)
        assert first.item() == pytest.approx(expected, rel=0.1) and first != metric.compute()
    with pytest.raises(ValueError, match="one in frame"):
        CRPS().update(density, padded.fill_(math.nan), mask)
    assert CRPS().estimator is None


def test_the_score_of_the_truth_is_the_best() -> None:
    value = torch.randn(3000, 1, 1)
    for make in (CRPS, lambda: EnergyScore(draws=50)):
        values = {}
        for scale in (0.7, 1.0, 1.4):
            metric = make()
            metric.update(normal(3000, 1, scale=scale), value)
            values[scale] = metric.values()
        for wrong in (0.7, 1.4):
            found = paired_difference(values[1.0], values[wrong])
            assert found["delta"] < -3 * found["stderr"] < 0


def test_only_the_energy_score_sees_dependence() -> None:
    truth = mixture(1, features=D)
    alone = [truth.marginal([d]) for d in range(D)]
    value = truth.sample((4000,))[:, 0]
    samples = truth.sample((200,)).expand(-1, 4000, -1)
    apart = torch.cat([each.sample((200,)) for each in alone], -1).expand(-1, 4000, -1)
    same = crps_samples(samples, value).mean() - crps_samples(apart, value).mean()
    other = energy_score(samples[:, :500], value[:500]) - energy_score(apart[:, :500], value[:500])
    assert abs(same) < 0.05
    assert other.mean() < 0


def test_a_distribution_of_torch_is_scored_by_draws() -> None:
    density = Independent(Normal(torch.zeros(50, 2, D), 1.0), 1)
    metric = CRPS(draws=400)
    metric.update(density, density.sample())
    assert metric.estimator == "draws"
    # The mean of the CRPS of a normal under itself is 1 / sqrt(pi).
    assert metric.compute().item() == pytest.approx(1 / math.sqrt(math.pi), abs=0.1)
    with pytest.raises(ValueError, match=re.escape("(50, 2, 3); found (50, 2)")):
        metric.update(density, torch.zeros(50, 2))
    with pytest.raises(ValueError, match=r"found \(5, 50, 2, 2\) and \(50, 2, 3\)"):
        metric.update(density, density.sample(), samples=torch.zeros(5, 50, 2, 2))
