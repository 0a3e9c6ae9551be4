"""Circuits of continuous variables and categories: beside sums written out node by node."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from seqmdn.distributions import Circuit, LowRankPrecisionNormal
from seqmdn.distributions.regions import Regions, random_regions

MIXED = Regions(
    (((0, 2), (1,)), ((0,), (1, 2))),  # 3 is a class beside the trees
    categories=(0, 0, 3, 2),
    top=(3,),
)


def mixed(
    regions: Regions = MIXED, components: int = 2, rank: int = 1, batch: tuple[int, ...] = ()
) -> Circuit:
    def normal(*shape: int) -> Tensor:
        return torch.randn(*batch, *shape, dtype=torch.float64)

    trees, size, most = regions.trees, regions.size, max(regions.categories)
    slots, choices = (regions.slots(kind).shape[-1] for kind in (True, False))
    own = (trees, size, components, slots)
    gaussians = LowRankPrecisionNormal(
        normal(*own), 0.5 + normal(*own).square(), normal(*own, rank)
    )
    return Circuit(
        regions,
        gaussians if slots else None,
        [
            normal(trees, size >> level, components, components)
            for level in range(1, regions.depth + 1)
        ],
        normal(trees, components),
        normal(trees, size, choices, components, most) if choices else None,
        normal(len(regions.top), trees, components, most) if regions.top else None,
    )


def grid(circuit: Circuit) -> tuple[Tensor, float]:
    """All values of two continuous variables, three and two categories; and a cell."""
    axis = torch.linspace(-14, 14, 281, dtype=torch.float64)
    numbers = (torch.arange(3.0).double(), torch.arange(2.0).double())
    return torch.stack(torch.meshgrid(axis, axis, *numbers, indexing="ij"), -1), 0.1**2


def test_it_integrates_to_one() -> None:
    torch.manual_seed(2)
    circuit = mixed()
    values, cell = grid(circuit)
    assert float(circuit.log_prob(values).exp().sum() * cell) == pytest.approx(1, abs=1e-6)


def test_marginals_and_conditionals_are_those_of_the_integral() -> None:
    torch.manual_seed(2)
    circuit = mixed()
    values, cell = grid(circuit)
    joint = circuit.log_prob(values).exp()  # (x, y, 3, 2)
    pair = circuit.marginal([3, 0])
    found = pair.log_prob(values[:, 0, 0][..., [3, 0]]).exp()
    torch.testing.assert_close(found, joint.sum((1, 2)) * 0.1, atol=1e-7, rtol=1e-5)
    seen = torch.tensor([False, True, False, True])
    at = values[140, 150, 0, 1]
    rest = circuit.condition(at, seen)
    expected = joint[:, 150, :, 1]
    expected = expected / (expected.sum() * 0.1)
    found = rest.log_prob(values[:, 0, :, 0][..., [0, 2]]).exp()
    torch.testing.assert_close(found, expected, atol=1e-7, rtol=1e-5)
    torch.testing.assert_close(rest.categories(1).probs, expected.sum(0) * 0.1)
    torch.testing.assert_close(
        rest.marginal([0]).cdf(torch.tensor([0.05]).double()).squeeze(),
        expected[:141].sum() * 0.1,
        atol=1e-3,  # the grid has no half cells
        rtol=0,
    )
    mean = (expected.sum(1) * values[:, 0, 0, 0, 0]).sum() * 0.1
    torch.testing.assert_close(rest.mean[0], mean)


def test_conditions_follow_each_other() -> None:
    circuit = mixed(batch=(2,))
    values = circuit.sample((3,))
    at_once = circuit.condition(values, torch.tensor([True, False, True, False]))
    first = circuit.condition(values, torch.tensor([True, False, False, False]))
    then = first.condition(values[..., 1:], torch.tensor([False, True, False]))
    assert at_once.batch_shape == then.batch_shape == (3, 2)
    rest = values[..., [1, 3]]
    torch.testing.assert_close(at_once.log_prob(rest), then.log_prob(rest))
    torch.testing.assert_close(at_once.mean, then.mean)
    product = at_once.log_prob(rest) + circuit.marginal([2, 0]).log_prob(values[..., [2, 0]])
    torch.testing.assert_close(product, circuit.log_prob(values))
    torch.testing.assert_close(then.marginal([1]).categories(0).probs, then.categories(1).probs)
    with pytest.raises(ValueError, match="expected a feature with categories, found 0"):
        then.categories(0)


def test_tempered_sums_and_leaves() -> None:
    circuit = mixed(batch=(2,))
    found = circuit.tempered(mixing=torch.tensor([0.5, 2.0]), scale=3.0)
    nodes, before = found.nodes, circuit.nodes
    for own, logits in zip(nodes.sums, before.sums, strict=True):
        powers = torch.tensor([2.0, 0.5]).reshape(2, 1, 1, 1, 1)
        torch.testing.assert_close(own, (powers * logits).log_softmax(-1))
    torch.testing.assert_close(nodes.root.exp().sum((-2, -1)), torch.ones(2).double())
    assert nodes.gaussians is not None and before.gaussians is not None
    torch.testing.assert_close(nodes.gaussians.variance, 3 * before.gaussians.variance)
    value = circuit.sample()
    torch.testing.assert_close(circuit.tempered().log_prob(value), circuit.log_prob(value))
    with pytest.raises(ValueError, match="mixing must be positive"):
        circuit.tempered(mixing=0.0)
    with pytest.raises(ValueError, match="scale must be positive"):
        circuit.tempered(scale=-1.0)


def test_categories_alone_have_probabilities() -> None:
    regions = random_regions([2, 3, 4], depth=1, trees=2)
    circuit = mixed(regions)
    every = torch.cartesian_prod(*[torch.arange(float(n)) for n in (2, 3, 4)]).double()
    assert float(circuit.log_prob(every).exp().sum()) == pytest.approx(1, abs=1e-12)
    rest = circuit.condition(every, torch.tensor([True, True, False]))
    torch.testing.assert_close(
        rest.categories(0).log_prob(every[:, 2]), rest.log_prob(every[:, 2:])
    )
    one = mixed(Regions((((0,),),), (3,)), components=1)
    assert float(one.log_prob(torch.arange(3.0)[:, None]).exp().sum()) == pytest.approx(1)
    assert set(circuit.sample((50,)).flatten().tolist()) <= {0, 1, 2, 3}


REFUSED: dict[str, tuple[Callable[[Circuit], Any], str]] = {
    "half": (lambda c: c.log_prob(torch.tensor([0, 0, 0.5, 0])), "number of a category.*0.5"),
    "beyond": (lambda c: c.log_prob(torch.tensor([0, 0, 1.0, 2])), "number of a category.*2"),
    "given": (
        lambda c: c.condition(torch.tensor([0, 0, 3.0, 0]), torch.tensor([False] * 2 + [True] * 2)),
        "number of a category.*3",
    ),
    "nan": (
        lambda c: c.condition(torch.full((4,), math.nan), torch.tensor([True] + [False] * 3)),
        "NaN where observed is True",
    ),
    "weights": (
        lambda c: Circuit(
            c.regions,
            c.nodes.gaussians,
            c.nodes.sums,
            c.nodes.root * math.nan,
            c.nodes.choices,
            c.nodes.labels,
        ),
        "the weights hold NaN",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name: str) -> None:
    ask, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        ask(mixed())


@pytest.mark.parametrize("name", ["cdf", "icdf", "rosenblatt", "inverse_rosenblatt"])
def test_categories_have_no_quantiles(name: str) -> None:
    circuit = mixed()
    with pytest.raises(NotImplementedError, match="take a marginal of the continuous ones"):
        getattr(circuit, name)(torch.full((4,), 0.5).double().where(torch.arange(4) < 2, 1 / 2))
    assert not circuit.has_rsample and circuit.marginal([1, 0]).has_rsample
