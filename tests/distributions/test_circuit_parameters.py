"""Parameters that do not fit a circuit's regions are named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from seqmdn.distributions import Circuit, LowRankPrecisionNormal
from seqmdn.distributions.circuit_parameters import restricted, slot_categories
from tests.distributions.test_circuit_categories import MIXED, mixed


def changed(circuit: Circuit, **others: Any) -> Circuit:
    parameters = {
        "gaussians": circuit.nodes.gaussians,
        "sums": circuit.nodes.sums,
        "root": circuit.nodes.root,
        "choices": circuit.nodes.choices,
        "labels": circuit.nodes.labels,
    }
    return Circuit(circuit.regions, **(parameters | others))


def test_what_fits_is_taken() -> None:
    circuit = mixed(batch=(2,))
    value = circuit.sample()
    torch.testing.assert_close(changed(circuit).log_prob(value), circuit.log_prob(value))


WRONG: dict[str, tuple[Callable[[Circuit], dict[str, Any]], str]] = {
    "levels": (lambda c: {"sums": []}, "expected logits of 1 levels of sums; found 0"),
    "none": (lambda c: {"choices": None}, r"choices of the shape .*2, 2, 1, 2, 3\).*found none"),
    "root": (lambda c: {"root": torch.zeros(3, 2)}, r"root of the shape \(\*batch, 2, 2\).*3, 2"),
    "width": (
        lambda c: {"sums": [torch.zeros(2, 1, 2, 3)]},
        r"sums\[0\] of .*found \(2, 1, 2, 3\)",
    ),
    "label": (lambda c: {"labels": torch.zeros(2, 2, 2, 3)}, r"labels of the shape .*1, 2, 2, 3"),
    "slots": (
        lambda c: {"gaussians": LowRankPrecisionNormal(torch.zeros(2, 2, 2, 2), torch.ones(2))},
        r"gaussians of the shape \(\*batch, 2, 2, 2, 1\)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_named(name: str) -> None:
    change, message = WRONG[name]
    circuit = mixed()
    with pytest.raises(ValueError, match=message):
        changed(circuit, **change(circuit))


def test_categories_that_are_none_have_no_share() -> None:
    counts = slot_categories(MIXED)
    assert counts.tolist() == [[[3], [1]], [[1], [3]]]
    found = restricted(torch.randn(2, 2, 1, 5, 4), counts).exp()
    torch.testing.assert_close(found.sum(-1), torch.ones(2, 2, 1, 5))
    assert (found[0, 0, ..., 3:] == 0).all() and (found[0, 1, ..., 1:] == 0).all()
    assert (found[0, 0, ..., :3] > 0).all()
