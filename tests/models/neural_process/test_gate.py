"""The gate: mean and concentration, each by itself, both within bounds."""

import math

import pytest
import torch

from seqmdn.models.neural_process.gate import DirichletGate
from tests.contracts import assert_state_is_complete


def test_it_begins_with_nearly_equal_weights_half_way_between_the_bounds() -> None:
    gate = DirichletGate(16, 5, concentrations=(0.1, 1000.0))
    log_mean, alpha = gate(torch.randn(20, 16))
    torch.testing.assert_close(log_mean.exp(), torch.full((20, 5), 0.2), atol=0.05, rtol=0)
    torch.testing.assert_close(alpha.sum(1), torch.full((20,), 10.0), atol=0, rtol=0.3)
    assert log_mean.std(0).min() > 0
    assert_state_is_complete(gate)


@pytest.mark.parametrize("strength", [1.0, 1e4])
def test_mean_and_concentration_stay_within_their_bounds(strength: float) -> None:
    gate = DirichletGate(4, 5, concentrations=(0.1, 100.0), smallest=0.01)
    with torch.no_grad():
        gate.network[-1].weight.mul_(10 * strength)
    log_mean, alpha = gate(torch.randn(200, 4))
    torch.testing.assert_close(log_mean.logsumexp(1), torch.zeros(200), atol=1e-5, rtol=0)
    assert log_mean.exp().min() >= 0.01 / 5 * (1 - 1e-5)
    assert alpha.sum(1).min() >= 0.1 * (1 - 1e-4) and alpha.sum(1).max() <= 100 * (1 + 1e-4)
    torch.testing.assert_close(alpha / alpha.sum(1, keepdim=True), log_mean.exp())
    alpha.log().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in gate.parameters())


def test_the_mean_is_learned_apart_from_the_concentration() -> None:
    gate = DirichletGate(4, 3)
    task = torch.randn(6, 4)
    log_mean, alpha = gate(task)
    with torch.no_grad():
        gate.network[-1].bias[3] += 2
    same, more = gate(task)
    assert torch.equal(same, log_mean) and (more.sum(1) > 2 * alpha.sum(1)).all()
    with torch.no_grad():
        gate.network[-1].bias[0] += 2
    other, as_much = gate(task)
    assert (other[:, 0] > log_mean[:, 0] + 0.5).all()
    torch.testing.assert_close(as_much.sum(1), more.sum(1))


def test_a_gate_may_have_no_concentration() -> None:
    log_mean, alpha = DirichletGate(4, 3, concentrations=None)(torch.randn(6, 4))
    assert log_mean.shape == (6, 3) and alpha is None
    (one,) = DirichletGate(4, 1, concentrations=None)(torch.randn(6, 4))[:1]
    torch.testing.assert_close(one, torch.zeros(6, 1), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"experts": 0}, "experts must be at least 1, found 0"),
        ({"features": 0}, "features must be at least 1, found 0"),
        ({"concentrations": (0.0, 1.0)}, r"lower one first, found \(0.0, 1.0\)"),
        ({"concentrations": (2.0, 1.0)}, r"lower one first, found \(2.0, 1.0\)"),
        ({"concentrations": (2.0, math.inf)}, r"lower one first, found \(2.0, inf\)"),
        ({"smallest": 0.0}, r"smallest must lie in \(0, 1\), found 0.0"),
    ],
)
def test_bounds_out_of_order_are_refused(options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        DirichletGate(**({"features": 4, "experts": 3} | options))
