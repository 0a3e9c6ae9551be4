from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from seqmdn.metrics import NegativeLogLikelihood, bits_per_dim, paired_difference


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
