"""The way up through a circuit, beside a recursion node by node; and the way down."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from seqmdn.distributions import Circuit
from seqmdn.distributions.nodes import draw_from, paths, upward
from seqmdn.distributions.regions import random_regions
from tests.distributions.test_circuit_categories import mixed


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


def test_paths_are_the_gradients_of_the_density() -> None:
    circuit = mixed()
    value = circuit.sample((4,))
    seen = torch.tensor([True, False, True, True]).expand(4, 4)
    up = upward(circuit.regions, circuit.nodes, value.where(seen, 0), seen)
    found = paths(circuit.nodes, up)
    leaves = up.levels[0].detach().requires_grad_()
    product = leaves[..., 0::2, :] + leaves[..., 1::2, :]
    level = torch.logsumexp(circuit.nodes.sums[0] + product.unsqueeze(-2), -1).squeeze(-2)
    label = up.top - up.levels[-1].squeeze(-2)
    total = torch.logsumexp(circuit.nodes.root + level + label, dim=(-2, -1))
    torch.testing.assert_close(total, up.total)
    (expected,) = torch.autograd.grad(total.sum(), leaves)
    torch.testing.assert_close(found.leaves.exp(), expected)


def test_draws_are_as_frequent_as_their_logits() -> None:
    logits = torch.tensor([[0.2, 0.8], [0.5, 0.5]]).log()
    drawn = draw_from(logits, (20_000, 2)).double()
    torch.testing.assert_close(drawn.mean(0), torch.tensor([0.8, 0.5]).double(), atol=0.02, rtol=0)
