from __future__ import annotations

import math

import numpy as np
import pytest
import scoringrules
import torch

from seqmdn.metrics import (
    NegativeLogLikelihood,
    bits_per_dim,
    crps_mixture,
    energy_score,
    paired_difference,
)


def test_nll_weighs_every_sequence_the_same() -> None:
    log_prob = torch.randn(7) * 100
    size = torch.tensor([1, 50, 3, 3, 8, 9, 400])
    metric = NegativeLogLikelihood()
    metric.update(log_prob[:4], size[:4])
    metric.update(log_prob[4:], size[4:])
    values = -(log_prob.double() / size).numpy()
    np.testing.assert_allclose(metric.values().numpy(), values, rtol=1e-6)
    assert metric.compute().item() == pytest.approx(values.mean(), rel=1e-6)
    assert metric.stderr().item() == pytest.approx(values.std(ddof=1) / math.sqrt(7), rel=1e-6)


def test_nll_of_a_number_and_after_reset() -> None:
    metric = NegativeLogLikelihood()
    metric.update(torch.tensor([1.0, 3.0]))
    assert metric.compute().item() == -2
    metric.reset()
    metric.update(torch.tensor([1.0, 3.0]), 2)
    assert metric.compute().item() == -1
    assert metric.values().shape == (2,)


def test_nll_keeps_a_nan_and_the_precision() -> None:
    metric = NegativeLogLikelihood()
    metric.update(torch.tensor([1.0, math.nan]))
    assert metric.compute().isnan()
    metric = NegativeLogLikelihood()
    for _ in range(1000):
        metric.update(torch.full((100,), -1e4 - 0.125))
    assert metric.compute().item() == np.float32(1e4 + 0.125)
    half = NegativeLogLikelihood()
    half.update(torch.tensor([256.0], dtype=torch.bfloat16), torch.tensor([3]))
    assert half.values().item() == pytest.approx(-256 / 3)


def test_nll_does_not_hold_the_graph() -> None:
    metric = NegativeLogLikelihood()
    metric.update(torch.ones(2, requires_grad=True))
    assert not metric.values().requires_grad


def test_nll_of_one_sequence_has_no_error() -> None:
    metric = NegativeLogLikelihood()
    metric.update(torch.ones(1))
    assert metric.stderr().isnan()


def test_nll_refuses() -> None:
    metric = NegativeLogLikelihood()
    with pytest.raises(ValueError, match=r"found \(2, 3\) and \(2,\)"):
        metric.update(torch.zeros(2, 3), torch.ones(2))
    with pytest.raises(ValueError, match=r"found \(2,\) and \(3,\)"):
        metric.update(torch.zeros(2), torch.ones(3))
    with pytest.raises(ValueError, match="minimum of 0"):
        metric.update(torch.zeros(2), torch.tensor([1, 0]))
    with pytest.raises(ValueError, match="call update"):
        metric.values()


def test_bits_per_dim() -> None:
    # A uniform density over 256 levels costs 8 bits a value, whatever the number of values.
    assert bits_per_dim(784 * math.log(256), 784) == pytest.approx(8)
    torch.testing.assert_close(
        bits_per_dim(torch.tensor([math.log(2), -2 * math.log(2)]), torch.tensor([1, 4])),
        torch.tensor([1.0, -0.5]),
    )


@pytest.mark.parametrize("features", [1, 3])
def test_energy_score_equals_scoringrules(features: int) -> None:
    samples = torch.randn(40, 5, 2, features, dtype=torch.float64)
    value = torch.randn(5, 2, features, dtype=torch.float64)
    found = energy_score(samples, value)
    assert found.shape == (5, 2)
    expected = scoringrules.es_ensemble(
        value.numpy(), samples.movedim(0, -2).numpy(), estimator="fair"
    )
    np.testing.assert_allclose(found.numpy(), expected)


def test_energy_score_is_unbiased() -> None:
    # The mean over pairs of draws is the score of their distribution: the CRPS of a normal at 0.
    samples = torch.randn(2, 200_000, 1, dtype=torch.float64)
    scores = energy_score(samples, torch.zeros(200_000, 1, dtype=torch.float64))
    expected = scoringrules.crps_normal(0.0, 0.0, 1.0)
    assert scores.mean().item() == pytest.approx(expected, abs=5 * scores.std().item() / 447)


def test_energy_score_of_close_draws_keeps_its_digits() -> None:
    samples = 1000 + 1e-2 * torch.randn(50, 4)
    found = energy_score(samples, torch.full((4,), 1000.0))
    exact = energy_score(samples.double(), torch.full((4,), 1000.0).double())
    assert found.item() == pytest.approx(exact.item(), rel=1e-3)


def test_energy_score_refuses() -> None:
    with pytest.raises(ValueError, match=r"S >= 2.*found \(1, 3\) and \(3,\)"):
        energy_score(torch.zeros(1, 3), torch.zeros(3))
    with pytest.raises(ValueError, match=r"found \(5, 3\) and \(2,\)"):
        energy_score(torch.zeros(5, 3), torch.zeros(2))


def test_crps_mixture_equals_scoringrules() -> None:
    weights = torch.softmax(torch.randn(6, 2, 4, dtype=torch.float64), dim=-1)
    loc = 3 * torch.randn(6, 2, 4, dtype=torch.float64)
    scale = 0.1 + torch.rand(6, 2, 4, dtype=torch.float64)
    value = 3 * torch.randn(6, 2, dtype=torch.float64)
    found = crps_mixture(weights, loc, scale, value)
    expected = scoringrules.crps_mixnorm(value.numpy(), loc.numpy(), scale.numpy(), weights.numpy())
    np.testing.assert_allclose(found.numpy(), expected)


def test_crps_mixture_is_what_the_energy_score_estimates() -> None:
    weights, loc, scale = (
        torch.tensor([0.3, 0.7]),
        torch.tensor([-2.0, 1.0]),
        torch.tensor([0.5, 2.0]),
    )
    chosen = torch.multinomial(weights, 4000, replacement=True)
    samples = loc[chosen] + scale[chosen] * torch.randn(4000)
    estimate = energy_score(samples.unsqueeze(-1), torch.tensor([0.4]))
    exact = crps_mixture(weights, loc, scale, torch.tensor(0.4))
    assert estimate.item() == pytest.approx(exact.item(), abs=0.05)


def test_crps_mixture_has_the_right_derivatives() -> None:
    tensors = [
        torch.softmax(torch.randn(2, 3, dtype=torch.float64), -1),
        torch.randn(2, 3, dtype=torch.float64),
        0.5 + torch.rand(2, 3, dtype=torch.float64),
        torch.randn(2, dtype=torch.float64),
    ]
    assert torch.autograd.gradcheck(crps_mixture, [t.requires_grad_() for t in tensors])


def test_paired_difference_equals_numpy() -> None:
    first, second = torch.randn(50), torch.randn(50)
    found = paired_difference(first, second)
    difference = first.double().numpy() - second.double().numpy()
    assert found["delta"] == pytest.approx(difference.mean())
    assert found["stderr"] == pytest.approx(difference.std(ddof=1) / math.sqrt(50))
    assert found["share_of_sequences_better"] == pytest.approx((difference < 0).mean())


def test_paired_difference_of_a_model_with_itself() -> None:
    values = torch.randn(5)
    assert paired_difference(values, values) == {
        "delta": 0.0,
        "stderr": 0.0,
        "share_of_sequences_better": 0.5,
    }


def test_paired_difference_drops_no_nan_and_refuses_unequal_sets() -> None:
    found = paired_difference(torch.tensor([1.0, math.nan]), torch.zeros(2))
    assert all(math.isnan(value) for value in found.values())
    for first, second in ((3, 4), (1, 1)):
        with pytest.raises(ValueError, match=rf"found \({first},\) and \({second},\)"):
            paired_difference(torch.zeros(first), torch.zeros(second))
