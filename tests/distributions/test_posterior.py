"""Single variables of a circuit, given others, beside every category tried one by one."""

from __future__ import annotations

import math

import pytest
import torch

from tests.distributions.test_circuit_categories import mixed
from tests.distributions.test_nodes import naive


@pytest.mark.parametrize("column", [2, 3])  # in the trees, and at the top
def test_categories_are_as_likely_as_the_rows_with_them(column: int) -> None:
    circuit = mixed()
    value = circuit.sample()
    given = circuit.condition(value, torch.arange(4) == 0)
    found = given.categories(column - 1).probs
    rows = [[float(value[0]), None, None, None] for _ in found]
    for number, row in enumerate(rows):
        row[column] = float(number)
    joint = torch.tensor([naive(circuit, row) for row in rows], dtype=torch.float64)
    torch.testing.assert_close(found, joint / joint.sum())


def test_a_continuous_variable_is_a_mixture_of_its_leaves() -> None:
    circuit = mixed()
    value = circuit.sample()
    given = circuit.condition(value, torch.tensor([True, False, True, False])).marginal([0])
    known = [float(value[0]), None, float(value[2]), None]
    evidence = naive(circuit, known)
    for at in (-1.0, 0.3, 2.0):
        expected = naive(circuit, [known[0], at, known[2], None]) / evidence
        place = torch.tensor([at], dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(given.cdf(place).sum(), place)
        assert float(slope) == pytest.approx(expected, rel=1e-9)
        density = float(given.log_prob(place.detach()))
        assert density == pytest.approx(math.log(expected), abs=1e-10)
