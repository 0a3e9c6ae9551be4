"""Draws with the numbers of one component alone."""

import math

import pytest
import torch

from seqmdn.heads.draws import component_columns, draw_component


def test_every_number_belongs_to_one_component() -> None:
    K, D, R = 3, 4, 2
    own = component_columns(K, [D, D, D * R])
    assert own.shape == (K, D * (2 + R))
    assert sorted(own.flatten().tolist()) == list(range(K, K + K * D * (2 + R)))
    assert own[1, D].item() == K + K * D + D, "the second component's first diagonal entry"


@pytest.mark.parametrize("mixing", [1.0, 0.5, 3.0])
def test_components_are_chosen_by_their_tempered_weights(mixing: float) -> None:
    logits = torch.tensor([0.3, -1.0, 1.2])
    raw = torch.cat((logits, torch.tensor([0.0, 10.0, 20.0]), torch.full((3,), 1e8)))
    own = component_columns(3, [1, 1, 0])
    drawn = draw_component(raw.expand(100_000, -1), own, 1, floor=1e-3, mixing=mixing).round()
    shares = torch.bincount((drawn / 10).long().flatten(), minlength=3) / 100_000
    expected = torch.softmax(logits / mixing, dim=0)
    assert ((shares - expected).abs() < 5 * (expected / 100_000).sqrt()).all()


def test_the_covariance_is_that_of_the_precision_with_its_floor() -> None:
    free, factor, floor, scale = torch.tensor([0.5, -0.2]), torch.tensor([1.5, -2.0]), 0.7, 0.25
    raw = torch.cat((torch.zeros(1), torch.tensor([3.0, -1.0]), free, factor))
    own = component_columns(1, [2, 2, 2])
    draws = draw_component(raw.expand(200_000, -1), own, 2, floor, scale=scale).double()
    precision = torch.diag(free.exp().log1p() + floor) + torch.outer(factor, factor)
    expected = scale * precision.double().inverse()
    centred = draws - torch.tensor([3.0, -1.0])
    products = centred.unsqueeze(-1) * centred.unsqueeze(-2)
    error = products.std(0) / math.sqrt(200_000)
    assert ((products.mean(0) - expected).abs() < 5 * error).all()
    assert (centred.mean(0).abs() < 5 * centred.std(0) / math.sqrt(200_000)).all()
