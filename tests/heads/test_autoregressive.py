"""Heads that take the features in turn: their contract, and what is special about them."""

from functools import partial
from typing import Any

import pytest
import scipy.stats
import torch
from torch import Tensor, nn

from seqmdn.distributions import Autoregressive, FactorisedMixture
from seqmdn.heads import AutoregressiveHead, MixtureHead
from tests.contracts import HEAD_CHECKS, HeadKind, check_head, perturbed
from tests.heads.kinds import AUTOREGRESSIVES, in_turn


@pytest.mark.parametrize("check", HEAD_CHECKS)
@pytest.mark.parametrize("kind", AUTOREGRESSIVES, ids=str)
def test_contract(kind: HeadKind, check: str) -> None:
    check_head(kind, check)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"order": [2, 5, 0, 1, 4, 3]},
    {"group": 2},
    {"group": 3, "rank": 2, "order": [2, 5, 0, 1, 4, 3]},
    {"group": 2, "rank": 1},
]
each = pytest.mark.parametrize("options", OPTIONS, ids=str)


def lively(options: dict[str, Any], context: int = 4) -> AutoregressiveHead:
    return perturbed(AutoregressiveHead(6, context, components=3, **options), 0.4).double()


@each
def test_the_density_is_that_of_a_reference(options: dict[str, Any]) -> None:
    head = lively(options)
    h, y = torch.randn(5, 4).double(), 3 * torch.randn(5, 6).double()
    expected = in_turn(head, h, head.projection(h), y)
    torch.testing.assert_close(head(h).log_prob(y), expected, rtol=1e-9, atol=1e-9)


@each
def test_a_group_depends_on_groups_before_it_alone(options: dict[str, Any]) -> None:
    head = lively(options)
    density, S = head(torch.randn(4).double()), head.group

    def parameters(frame: Tensor) -> Tensor:  # (G, everything that a mixture has)
        mixtures = density.mixtures(frame)
        components = mixtures.component_distribution
        own = (mixtures.mixture_distribution.logits, components.loc, components.diagonal)
        return torch.cat([p.flatten(1) for p in (*own, components.factor)], dim=-1)

    frame = torch.randn(6).double()
    jacobian = torch.autograd.functional.jacobian(parameters, frame)  # (G, P, D)
    seen = (jacobian != 0).any(1)[:, head.order]  # (G, D), both in order
    for g in range(6 // S):
        assert seen[g, : g * S].all(), "all that is before is looked at"
        assert not seen[g, g * S :].any(), "and nothing else"


@each
def test_one_pass_is_group_after_group(options: dict[str, Any]) -> None:
    head = lively(options)
    density = head(torch.randn(5, 4).double())
    y = torch.randn(7, 5, 6).double()
    frame, S = y[..., head.order], head.group
    total = torch.zeros(7, 5).double()
    for g in range(6 // S):
        mixture = density.conditionals.one(g, frame[..., : g * S])
        total = total + mixture.log_prob(frame[..., g * S : (g + 1) * S])
    torch.testing.assert_close(density.log_prob(y), total)


@pytest.mark.parametrize("options", OPTIONS[1::2], ids=str)
def test_draws_follow_the_density(options: dict[str, Any]) -> None:
    head = lively(options)
    count = 5_000
    with torch.no_grad():
        density = head(torch.randn(4).double())
        draws = density.sample((count,))
        u = density.rosenblatt(draws)
    for column in u.T:
        assert scipy.stats.kstest(column.numpy(), "uniform").pvalue > 1e-3
    normal = torch.special.ndtri(u.clamp(1e-9, 1 - 1e-9))
    assert (torch.corrcoef(normal.T) - torch.eye(6)).abs().max() < 5 / count**0.5


def test_it_begins_as_the_factorised_mixture() -> None:
    plain = perturbed(MixtureHead(4, 3, factorised=True), 0.3)
    head = AutoregressiveHead(4, 3)
    missing = head.load_state_dict(plain.state_dict(), strict=False)
    assert not missing.unexpected_keys
    assert all(name.startswith("network.") for name in missing.missing_keys)
    h, y = torch.randn(20, 3), 2 * torch.randn(20, 4)
    assert isinstance(head(h), Autoregressive) and isinstance(plain(h), FactorisedMixture)
    torch.testing.assert_close(head(h).log_prob(y), plain(h).log_prob(y), rtol=1e-5, atol=1e-5)


def test_so_it_is_placed() -> None:
    order = [2, 0, 3, 1]
    values = torch.randn(500, 4) * torch.tensor([0.1, 1.0, 5.0, 2.0]) + torch.arange(4)
    plain, head = MixtureHead(4, 3, factorised=True), AutoregressiveHead(4, 3, order=order)
    plain.initialise(values)
    head.initialise(values)
    h = torch.zeros(3)
    torch.testing.assert_close(head(h).log_prob(values), plain(h).log_prob(values))


def test_groups_are_placed_by_themselves() -> None:
    centres = torch.tensor([[-5.0, -5.0], [0.0, 5.0], [5.0, -5.0]])
    chosen = torch.randint(3, (2, 900))
    near = centres[chosen] + 0.3 * torch.randn(2, 900, 2)  # features 0 and 2, features 3 and 1
    values = torch.stack((near[0, :, 0], near[1, :, 1], near[0, :, 1], near[1, :, 0]), dim=-1)
    head = AutoregressiveHead(4, 3, components=3, group=2, rank=1, order=[0, 2, 3, 1])
    head.initialise(values)
    loc = head(torch.zeros(3)).mixtures(values[0]).component_distribution.loc  # (2, 3, 2)
    for own in loc:
        assert torch.cdist(centres, own).min(dim=1).values.max() < 0.2


def test_it_learns_what_a_factorised_mixture_cannot() -> None:
    # The second feature is the square of the first, and the third is their difference, but for
    # noise.
    first = torch.randn(2000)
    noise = 0.1 * torch.randn(3, 2000)
    second = first.square() + noise[1]
    values = torch.stack((first, second, first - second + noise[2]), dim=-1)
    h = torch.zeros(2000, 1)
    found = {}
    for head in (MixtureHead(3, 1, factorised=True), AutoregressiveHead(3, 1, hidden=32)):
        head.initialise(values)
        optimiser = torch.optim.Adam(head.parameters(), lr=0.02)
        losses = []
        for _ in range(150):
            optimiser.zero_grad()
            loss = -head(h).log_prob(values).mean()
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
        # The last one of so high a rate is by chance, and another one on another processor.
        found[type(head)] = min(losses)
    noise_entropy = 0.5 * torch.log(torch.tensor(2 * torch.pi * torch.e * 0.01)).item()
    limit = 1.4189 + 2 * noise_entropy
    assert found[AutoregressiveHead] - limit < 0.5
    assert found[MixtureHead] - limit > 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"components": 0}, "components must be at least 1, found 0"),
        ({"context": 0}, "context must be at least 1, found 0"),
        ({"hidden": 0}, "hidden must be at least 1, found 0"),
        ({"features": 0}, "features must be at least 1, found 0"),
        ({"features": 1}, "at least 2 features.* found 1 in groups of 1: use MixtureHead"),
        ({"group": 4}, "found 4 in groups of 4: use MixtureHead for one group"),
        ({"group": 3}, "whose size divides their number; found 4 in groups of 3"),
        ({"group": 0}, "found 4 in groups of 0"),
        ({"rank": 1}, "rank must be 0 for single features .* found 1"),
        ({"group": 2, "rank": 3}, "at most the size of larger groups, 2; found 3"),
        ({"group": 2, "rank": -1}, "found -1"),
        ({"order": [0, 1, 2]}, r"each of the features 0 to 3 once, found \[0, 1, 2\]"),
        ({"order": [0, 1, 2, 2]}, r"once, found \[0, 1, 2, 2\]"),
        ({"floor": 0.0}, "floor must be positive, found 0.0"),
        ({"floor": float("nan")}, "floor must be positive, found nan"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AutoregressiveHead(**({"features": 4, "context": 3} | options))


def test_repr_names_what_differs_between_heads() -> None:
    head: nn.Module = AutoregressiveHead(4, 3, group=2, rank=1, order=[2, 3, 0, 1])
    for part in ("features=4", "components=5", "hidden=64", "group=2", "rank=1", "[2, 3, 0, 1]"):
        assert part in repr(head)
    assert "order" not in repr(AutoregressiveHead(4, 3))


def test_partial_is_all_that_a_configuration_needs() -> None:
    make = partial(AutoregressiveHead, components=2, order=[1, 0])
    assert make(2, 3)(torch.zeros(3)).order == [1, 0]
