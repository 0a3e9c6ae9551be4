"""Moments of circuits with categories, beside those of draws."""

from __future__ import annotations

import pytest
import torch

from tests.contracts.distributions import assert_within_errors
from tests.distributions.test_circuit_categories import mixed


@pytest.mark.parametrize("given", [False, True])
def test_draws_have_its_moments(given: bool) -> None:
    circuit = mixed(batch=(2,))
    if given:
        at = circuit.sample()
        circuit = circuit.condition(at, torch.tensor([False, False, True, False]))
    draws = circuit.sample((20_000,))
    apart = draws - circuit.mean
    products = apart.unsqueeze(-1) * apart.unsqueeze(-2)
    assert_within_errors(draws.mean(0), circuit.mean, draws.std(0) / 20_000**0.5)
    covariance = circuit.covariance_matrix
    assert_within_errors(products.mean(0), covariance, products.std(0) / 20_000**0.5)
    diagonal = covariance.diagonal(dim1=-2, dim2=-1)
    torch.testing.assert_close(circuit.variance, diagonal)


def test_of_what_is_given_nothing_is_left() -> None:
    circuit = mixed()
    given = circuit.condition(circuit.sample((3,)), torch.tensor([True, True, False, True]))
    probabilities = given.categories(0).probs
    mean = (probabilities * torch.arange(3.0)).sum(-1, keepdim=True)
    spread = (probabilities * (torch.arange(3.0) - mean).square()).sum(-1)
    torch.testing.assert_close(given.covariance_matrix, spread[:, None, None])
