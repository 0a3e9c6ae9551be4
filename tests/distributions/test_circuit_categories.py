"""Circuits of continuous variables and categories: beside sums written out node by node."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from seqmdn.distributions import Circuit, LowRankPrecisionNormal
from seqmdn.distributions.regions import Regions, random_regions
from tests.contracts.distributions import assert_within_errors

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


def naive(circuit: Circuit, value: list[float | None]) -> float:
    """The density of one row, None where a value is integrated out, by recursion."""
    regions, nodes = circuit.regions, circuit.nodes

    def leaf(tree: int, region: int, k: int) -> float:
        columns = [d for d in regions.leaves[tree][region] if not regions.categories[d]]
        seen = [i for i, d in enumerate(columns) if value[d] is not None]
        found = 1.0
        if seen:
            assert nodes.gaussians is not None
            index = (tree, region, k)
            factor = nodes.gaussians.factor[index][: len(columns)]
            diagonal = torch.diag(nodes.gaussians.diagonal[index][: len(columns)])
            covariance = torch.linalg.inv(diagonal + factor @ factor.T)[seen][:, seen]
            own = MultivariateNormal(nodes.gaussians.loc[index][seen], covariance)
            at = torch.tensor([value[columns[i]] for i in seen], dtype=torch.float64)
            found *= math.exp(own.log_prob(at))
        others = [d for d in regions.leaves[tree][region] if regions.categories[d]]
        for slot, d in enumerate(others):
            if value[d] is not None:
                assert nodes.choices is not None
                found *= math.exp(nodes.choices[tree, region, slot, k, int(value[d] or 0)])
        return found

    def node(tree: int, level: int, region: int, k: int) -> float:
        if level == 0:
            return leaf(tree, region, k)
        weights = nodes.sums[level - 1][tree, region, k].exp().tolist()
        return sum(
            weight * node(tree, level - 1, 2 * region, j) * node(tree, level - 1, 2 * region + 1, j)
            for j, weight in enumerate(weights)
        )

    total = 0.0
    for tree in range(regions.trees):
        for k in range(nodes.root.shape[-1]):
            own = math.exp(nodes.root[tree, k]) * node(tree, regions.depth, 0, k)
            for t, d in enumerate(regions.top):
                if value[d] is not None:
                    assert nodes.labels is not None
                    own *= math.exp(nodes.labels[t, tree, k, int(value[d] or 0)])
            total += own
    return total


@pytest.mark.parametrize("components", [1, 2, 3])
def test_the_density_is_that_of_a_plain_recursion(components: int) -> None:
    circuit = mixed(components=components)
    values = circuit.sample((5,))
    seen = torch.rand(values.shape) < 0.6
    found = circuit.log_prob(values.where(seen, math.nan), seen)
    for row, mask, part, whole in zip(values, seen, found, circuit.log_prob(values), strict=True):
        assert float(whole) == pytest.approx(math.log(naive(circuit, row.tolist())), abs=1e-12)
        known = [v if m else None for v, m in zip(row.tolist(), mask.tolist(), strict=True)]
        assert float(part) == pytest.approx(math.log(naive(circuit, known)), abs=1e-12)


def test_a_deep_circuit_is_that_of_a_plain_recursion() -> None:
    regions = random_regions([0, 4, 0, 2, 0, 3, 0, 0, 2], depth=3, trees=2, top=[3], seed=2)
    circuit = mixed(regions, components=2, rank=1)
    for value in circuit.sample((3,)):
        expected = math.log(naive(circuit, value.tolist()))
        assert float(circuit.log_prob(value)) == pytest.approx(expected, abs=1e-12)


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
    "levels": (
        lambda c: Circuit(c.regions, c.nodes.gaussians, [], c.nodes.root),
        "expected logits of 1 levels of sums; found 0",
    ),
    "none": (
        lambda c: Circuit(c.regions, c.nodes.gaussians, c.nodes.sums, c.nodes.root),
        "expected choices of the shape .*, 2, 2, 1, 2, 3.*found none",
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
