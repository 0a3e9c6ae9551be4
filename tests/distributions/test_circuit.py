"""The circuit of continuous variables: the contract, beside a mixture written out term by term."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal
from torch.nn import functional as F

from seqmdn.distributions import Circuit, LowRankPrecisionNormal
from seqmdn.distributions.regions import Regions, random_regions
from tests.contracts import DISTRIBUTION_CHECKS, Family, check_distribution
from tests.distributions import dense

TREES, COMPONENTS = 2, 2


def regions_of(features: int) -> Regions:
    depth = 2 if features < 10 else 1  # the terms of the reference are many, and dense
    return random_regions([0] * features, depth=depth, trees=TREES, seed=1)


def draw(
    batch: tuple[int, ...], features: int, scale: float = 1.0, rank: int = 1
) -> dense.Parameters:
    def normal(*shape: int) -> Tensor:
        return torch.randn(*batch, *shape, dtype=torch.float64)

    own = (TREES, COMPONENTS, features)
    sums = {
        f"sums{level}": normal(TREES, regions_of(features).size >> level, COMPONENTS, COMPONENTS)
        for level in range(1, regions_of(features).depth + 1)
    }
    return {
        "loc": scale * normal(*own),
        "diagonal": (0.5 + normal(*own).square()) / scale**2,
        "factor": normal(*own, rank) / scale,
        "root": normal(TREES, COMPONENTS),
        **sums,
    }


def build(parameters: dense.Parameters) -> Circuit:
    regions = regions_of(parameters["loc"].shape[-1])
    slots = regions.slots(continuous=True)

    def placed(parameter: Tensor, beyond: float) -> Tensor:  # (*b, R, K, D) -> (*b, R, M, K, S)
        padded = F.pad(parameter, (0, 1), value=beyond)
        own = [padded[..., tree, :, :][..., slots[tree]] for tree in range(TREES)]
        return torch.stack(own, dim=-4).transpose(-3, -2)

    loc, diagonal = placed(parameters["loc"], 0), placed(parameters["diagonal"], 1)
    columns = [placed(column, 0) for column in parameters["factor"].unbind(-1)]
    factor = torch.stack(columns, dim=-1) if columns else loc.new_zeros(*loc.shape, 0)
    gaussians = LowRankPrecisionNormal(loc, diagonal, factor)
    sums = [parameters[f"sums{level}"] for level in range(1, regions.depth + 1)]
    return Circuit(regions, gaussians, sums, parameters["root"])


def terms(parameters: dense.Parameters) -> tuple[Tensor, Tensor, Tensor]:
    """The mixture of all products of leaves: weights (*b, N), means (*b, N, D), precisions."""
    features = parameters["loc"].shape[-1]
    regions = regions_of(features)
    root = parameters["root"].flatten(-2).softmax(-1).reshape(parameters["root"].shape)
    found: list[tuple[Tensor, list[tuple[int, int, list[int]]]]] = []
    for tree in range(TREES):
        # Each node as a list of (weight, leaves that are multiplied).
        level = [
            [
                [(root.new_ones(root.shape[:-2]), [(tree, k, list(region))])]
                for k in range(COMPONENTS)
            ]
            for region in regions.leaves[tree]
        ]
        for depth in range(1, regions.depth + 1):
            weights = parameters[f"sums{depth}"][..., tree, :, :, :].softmax(-1)
            level = [
                [
                    [
                        (weights[..., m, i, j] * one * two, left + right)
                        for j in range(COMPONENTS)
                        for one, left in level[2 * m][j]
                        for two, right in level[2 * m + 1][j]
                    ]
                    for i in range(COMPONENTS)
                ]
                for m in range(len(level) // 2)
            ]
        for k in range(COMPONENTS):
            found += [(root[..., tree, k] * weight, leaf) for weight, leaf in level[0][k]]
    weights, means, precisions = [], [], []
    for weight, leaves in found:
        mean = torch.zeros_like(parameters["loc"][..., 0, 0, :])
        precision = torch.diag_embed(mean).clone()
        for tree, k, columns in leaves:
            mean[..., columns] = parameters["loc"][..., tree, k, columns]
            factor = parameters["factor"][..., tree, k, columns, :]
            own = torch.diag_embed(parameters["diagonal"][..., tree, k, columns])
            place = torch.zeros_like(precision)
            rows = torch.tensor(columns)
            place[..., rows[:, None], rows] = own + factor @ factor.mT
            precision = precision + place
        weights.append(weight)
        means.append(mean)
        precisions.append(precision)
    return torch.stack(weights, -1), torch.stack(means, -2), torch.stack(precisions, -3)


def log_prob(parameters: dense.Parameters, value: Tensor) -> Tensor:
    weights, means, precisions = terms(parameters)
    apart = value.unsqueeze(-2) - means
    quadratic = (apart.unsqueeze(-2) @ precisions @ apart.unsqueeze(-1)).squeeze((-1, -2))
    constant = value.shape[-1] * math.log(2 * math.pi)
    density = 0.5 * (torch.logdet(precisions) - quadratic - constant)
    return torch.logsumexp(weights.log() + density, dim=-1)


def marginal_log_prob(parameters: dense.Parameters, value: Tensor, seen: Tensor) -> Tensor:
    """The density of some features of one context, from dense covariances."""
    weights, means, precisions = terms(parameters)
    covariance = torch.linalg.inv(precisions)[..., seen, :][..., seen]
    density = MultivariateNormal(means[..., seen], covariance).log_prob(value[seen])
    return torch.logsumexp(weights.log() + density, dim=-1)


def moments(parameters: dense.Parameters) -> tuple[Tensor, Tensor]:
    weights, means, precisions = terms(parameters)
    return dense.mixture_moments(weights, means, torch.linalg.inv(precisions))


def circuit_family(rank: int) -> Family:
    return Family(
        name=f"circuit, rank {rank}",
        draw=lambda batch, features, scale: draw(batch, features, scale, rank),
        build=build,
        log_prob=log_prob,
        moments=moments,
        shift=lambda parameters, offset: (
            parameters | {"loc": parameters["loc"] + offset[..., None, None]}
        ),
    )


FAMILIES = [circuit_family(rank) for rank in (0, 1)]


@pytest.mark.parametrize("family", FAMILIES, ids=str)
@pytest.mark.parametrize("check", DISTRIBUTION_CHECKS)
def test_contract(check: str, family: Family) -> None:
    check_distribution(family, check)


def test_draws_of_rsample_are_those_of_sample_with_gradients() -> None:
    parameters = {name: p.requires_grad_() for name, p in draw((), 3).items()}
    circuit = build(parameters)
    torch.manual_seed(1)
    plain = circuit.sample((7,))
    torch.manual_seed(1)
    draws = circuit.rsample((7,))
    torch.testing.assert_close(draws, plain)
    # Draws that are held at their u move as the inverse of the Rosenblatt transform does.
    again = circuit.inverse_rosenblatt(circuit.rosenblatt(plain).detach())
    weights = torch.randn_like(plain)
    names = list(parameters)
    asked = [parameters[name] for name in names]
    found = torch.autograd.grad((weights * draws).sum(), asked, retain_graph=True)
    expected = torch.autograd.grad((weights * again).sum(), asked)
    for name, one, other in zip(names, found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7, msg=name)
