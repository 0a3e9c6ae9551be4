"""Mixing weights: exact logarithms, in float32 at least."""

import math

import pytest
import torch
from torch.distributions import Categorical

from seqmdn.distributions.weights import (
    check_weights,
    log_weights_of,
    mixing_weights,
    tempered_weights,
    with_log_weights,
)


def test_weights_of_half_precision_are_normalised_in_float32() -> None:
    weights = Categorical(logits=3 * torch.randn(50, 7, dtype=torch.bfloat16), validate_args=False)
    total = log_weights_of(weights).exp().sum(-1)
    torch.testing.assert_close(total, torch.ones(50), atol=1e-6, rtol=0)


def test_normalised_logits_are_taken_as_they_are() -> None:
    weights = Categorical(logits=torch.randn(5, 3))
    assert with_log_weights(weights, torch.float32, None) is weights
    wider = with_log_weights(weights, torch.float64, None)
    assert wider.logits.dtype == torch.float64
    torch.testing.assert_close(wider.logits, weights.logits.double(), atol=1e-6, rtol=0)


def test_a_weight_of_0_has_no_density() -> None:
    weights = with_log_weights(
        Categorical(probs=torch.tensor([0.0, 0.5, 0.5])), torch.float32, None
    )
    assert weights.logits[0] == -math.inf
    assert tempered_weights(weights, 0.5).logits[0] == -math.inf


def test_tempered_weights_are_powers() -> None:
    probs = torch.tensor([[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]])
    mixing = torch.tensor([0.5, 2.0])
    powers = probs ** (1 / mixing).unsqueeze(-1)
    found = tempered_weights(Categorical(probs=probs), mixing).probs
    torch.testing.assert_close(found, powers / powers.sum(-1, keepdim=True))
    with pytest.raises(ValueError, match="mixing must be positive"):
        tempered_weights(Categorical(probs=probs), 0.0)


def test_nan_is_refused_and_counted() -> None:
    weights = Categorical(logits=torch.tensor([[0.0, math.nan], [0.0, 0.0]]), validate_args=False)
    with pytest.raises(ValueError, match=r"weights hold 2 NaN in 4 values, shape \(2, 2\)"):
        check_weights(weights)


def test_mixing_weights_are_those_of_the_logits() -> None:
    logits = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    weights, expected = mixing_weights(logits), Categorical(logits=logits)
    assert weights.batch_shape == (3, 4) and weights.event_shape == ()
    torch.testing.assert_close(weights.logits, expected.logits)
    torch.testing.assert_close(weights.probs, expected.probs)
    torch.testing.assert_close(weights.entropy(), expected.entropy())
    assert weights.expand((2, 3, 4)).sample((7,)).shape == (7, 2, 3, 4)
    value = torch.randint(5, (3, 4))
    torch.testing.assert_close(weights.log_prob(value), expected.log_prob(value))
    (found,) = torch.autograd.grad(weights.log_prob(value).sum(), logits)
    (other,) = torch.autograd.grad(expected.log_prob(value).sum(), logits)
    torch.testing.assert_close(found, other)
    # What is normalised already is taken as it is.
    assert with_log_weights(weights, torch.float64, None) is weights
    assert log_weights_of(weights) is weights.logits
