"""The most probable explanation, beside the best of everything on a grid."""

import pytest
import torch

from seqmdn.distributions import most_probable
from seqmdn.distributions.regions import Regions, random_regions
from tests.distributions.test_circuit_categories import MIXED, mixed


@pytest.mark.parametrize("seed", range(3))
def test_one_variable_with_categories_is_exact(seed: int) -> None:
    torch.manual_seed(seed)
    circuit = mixed()
    values = circuit.sample((6,))
    found = most_probable(circuit.condition(values, torch.tensor([True, True, False, True])))
    assert found.exact and found.values.shape == (6, 1)
    options = values.expand(3, 6, 4).clone()
    options[..., 2] = torch.arange(3.0).double()[:, None]
    whole = circuit.log_prob(options)
    assert found.values[:, 0].tolist() == whole.argmax(0).tolist()
    torch.testing.assert_close(found.log_prob, whole.log_softmax(0).amax(0))


def test_several_with_categories_are_exact() -> None:
    circuit = mixed(random_regions([2, 3, 4], depth=1, trees=2))
    found = most_probable(circuit)
    every = torch.cartesian_prod(*[torch.arange(float(n)) for n in (2, 3, 4)]).double()
    best = circuit.log_prob(every).argmax()
    assert found.exact and torch.equal(found.values, every[best])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rank", [0, 1])
def test_nothing_on_a_grid_is_likelier(seed: int, rank: int) -> None:
    torch.manual_seed(seed)
    circuit = mixed(components=3, rank=rank)
    given = circuit.condition(circuit.sample(), torch.tensor([False, False, True, False]))
    axis = torch.linspace(-6, 6, 241, dtype=torch.float64)
    numbers = torch.arange(2.0).double()
    grid = torch.stack(torch.meshgrid(axis, axis, numbers, indexing="ij"), -1)
    density = given.log_prob(grid)
    found = most_probable(given)
    assert not found.exact
    torch.testing.assert_close(found.log_prob, given.log_prob(found.values))
    # A grid of 0.05 misses the top by a little.
    assert float(density.max()) <= float(found.log_prob) < float(density.max()) + 0.02
    best = grid.reshape(-1, 3)[density.argmax()]
    assert (found.values - best).abs().max() < 0.06


def test_marginalised_variables_and_batches() -> None:
    regions = Regions((((0, 1, 2),), ((2, 0, 1),)), (0, 0, 0))
    circuit = mixed(regions, components=3, rank=2, batch=(2,))
    values = circuit.sample((5,))
    pair = circuit.condition(values, torch.tensor([True, False, False])).marginal([1])
    found = most_probable(pair)
    assert found.values.shape == (5, 2, 1)
    axis = torch.linspace(-6, 6, 2401, dtype=torch.float64).reshape(-1, 1, 1, 1)
    density = pair.log_prob(axis.expand(-1, 5, 2, 1))
    torch.testing.assert_close(found.log_prob, density.amax(0), atol=1e-3, rtol=0)


def test_each_round_climbs() -> None:
    circuit = mixed(MIXED, components=3)
    reached = []
    for iterations in (1, 2, 4, 8):
        torch.manual_seed(1)
        reached.append(float(most_probable(circuit, starts=2, iterations=iterations).log_prob))
    assert reached == sorted(reached)
    with pytest.raises(ValueError, match="expected 1 start"):
        most_probable(circuit, starts=0)
