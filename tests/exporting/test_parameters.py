"""Parameters by name: with them alone, the density is what the distribution says."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution, Normal

from seqmdn.distributions import Bits, Flowed, Joint, Product
from seqmdn.exporting.parameters import parameters
from seqmdn.flows import AffineCoupling
from seqmdn.heads import (
    AutoregressiveHead,
    CategoricalHead,
    CircuitHead,
    DiscretisedMixtureHead,
    MixtureHead,
)
from tests.contracts.modules import perturbed

H = torch.randn(5, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def made(head: Any, **options: Any) -> Any:
    return perturbed(head(3, 8, **options).double(), 0.3)(H)


def by_hand(named: dict[str, Tensor], y: np.ndarray) -> np.ndarray:
    """The log-density of a mixture by numpy, from the names that a graph gives."""
    given = {name: each.detach().numpy() for name, each in named.items()}
    e = y[:, None] - given["loc"]  # (B, K, D)
    precision = np.stack([[np.diag(row) for row in rows] for rows in given["diagonal"]])
    if "factor" in given:
        precision = precision + given["factor"] @ given["factor"].swapaxes(-1, -2)
    quadratic = np.einsum("bkd,bkde,bke->bk", e, precision, e)
    half = 0.5 * (np.linalg.slogdet(precision)[1] - quadratic - y.shape[1] * math.log(2 * math.pi))
    return np.logaddexp.reduce(given["logits"] + half, axis=1)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"covariance": "spherical"},
        {"covariance": "lowrank", "rank": 2},
        {"covariance": "full", "factor": "tied"},
    ],
    ids=str,
)
def test_a_mixture_is_its_parameters(options: dict[str, Any]) -> None:
    density, y = made(MixtureHead, **options), torch.randn(5, 3, dtype=torch.float64)
    found = by_hand(parameters(density), y.numpy())
    np.testing.assert_allclose(found, density.log_prob(y).detach().numpy(), rtol=1e-10)


def test_a_factorised_mixture_is_its_parameters() -> None:
    density, y = made(MixtureHead, factorised=True), torch.randn(5, 3, dtype=torch.float64)
    named = parameters(density)
    normal = Normal(named["loc"], named["scale"]).log_prob(y.unsqueeze(-1))
    torch.testing.assert_close(
        (named["logits"] + normal).logsumexp(-1).sum(-1), density.log_prob(y)
    )


def test_of_a_flow_they_are_those_beneath_it() -> None:
    base = made(MixtureHead)
    named = parameters(Flowed(base, AffineCoupling(3).double()()))
    assert all(torch.equal(named[name], each) for name, each in parameters(base).items())


def test_bits_stand_beside_numbers() -> None:
    bits = Bits(torch.zeros(5, 2, dtype=torch.float64), torch.ones(5, 1, dtype=torch.float64))
    named = parameters(Joint(made(MixtureHead), bits))
    assert list(named) == ["logits", "loc", "diagonal", "bits", "couplings"]
    assert list(parameters(Joint(made(MixtureHead), Bits(torch.zeros(5, 1)))))[-1] == "bits"


def test_parts_are_told_by_their_numbers() -> None:
    first, second = made(MixtureHead), made(MixtureHead, factorised=True)
    named = parameters(Product([first, second]))
    assert list(named) == [
        *("part_0_logits", "part_0_loc", "part_0_diagonal"),
        *("part_1_logits", "part_1_loc", "part_1_scale"),
    ]
    assert torch.equal(named["part_1_loc"], parameters(second)["loc"])


def test_levels_and_classes_have_names() -> None:
    levels = perturbed(DiscretisedMixtureHead(1, 8).double())(H)
    assert set(parameters(levels)) == {"logits", "loc", "inverse_scale"}
    torch.testing.assert_close(
        parameters(levels)["logits"].exp().sum(-1), torch.ones(5, dtype=torch.float64)
    )
    classes = made(CategoricalHead)
    assert parameters(classes)["log_prob_of_classes"].shape == (5, 3, 10)


def test_features_in_turn_have_none_before_they_are_drawn() -> None:
    assert parameters(made(AutoregressiveHead)) == {}


@pytest.mark.parametrize("density", [Normal(torch.zeros(5, 2), 1.0), made(CircuitHead)])
def test_another_density_is_refused(density: Distribution) -> None:
    with pytest.raises(NotImplementedError, match=f"a {type(density).__name__} has no parameters"):
        parameters(density)
