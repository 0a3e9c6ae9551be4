"""The mean of densities: the contract, and one mixture where all are mixtures."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor

from seqmdn.data import Logit
from seqmdn.distributions import Averaged, Flowed, LowRankPrecisionNormal, Mixture, average
from tests.contracts import DISTRIBUTION_CHECKS, Family, check_distribution
from tests.distributions import dense, test_mixture

MEMBER = test_mixture.mixture_family(1)


def split(parameters: dense.Parameters) -> list[dense.Parameters]:
    found: dict[str, dense.Parameters] = {}
    for name, parameter in parameters.items():
        member, own = name.split(" ")
        found.setdefault(member, {})[own] = parameter
    return list(found.values())


def named(members: list[dense.Parameters]) -> dense.Parameters:
    return {f"{m} {name}": p for m, own in enumerate(members) for name, p in own.items()}


def draw(batch: tuple[int, ...], features: int, scale: float) -> dense.Parameters:
    return named([MEMBER.draw(batch, features, scale) for _ in range(2)])


def build(parameters: dense.Parameters) -> Averaged:
    return Averaged([MEMBER.build(own) for own in split(parameters)])


def log_prob(parameters: dense.Parameters, value: Tensor) -> Tensor:
    each = torch.stack([MEMBER.log_prob(own, value) for own in split(parameters)])
    return each.logsumexp(0) - torch.tensor(2.0, dtype=torch.float64).log()


def moments(parameters: dense.Parameters) -> tuple[Tensor, Tensor]:
    (one, first), (two, second) = (MEMBER.moments(own) for own in split(parameters))
    apart = (one - two) / 2
    outer = apart.unsqueeze(-1) * apart.unsqueeze(-2)
    return (one + two) / 2, (first + second) / 2 + outer


def shift(parameters: dense.Parameters, offset: Tensor) -> dense.Parameters:
    return named([MEMBER.shift(own, offset) for own in split(parameters)])


FAMILY = Family("averaged", draw, build, log_prob, moments, shift)


@pytest.mark.parametrize("check", DISTRIBUTION_CHECKS)
def test_contract(check: str) -> None:
    check_distribution(FAMILY, check)


def members(count: int = 3, features: int = 2, batch: tuple[int, ...] = (4,)) -> list[Mixture]:
    ranks = [0, 2, 1, 0][:count]
    return [
        test_mixture.mixture_family(rank).build(
            test_mixture.mixture_family(rank).draw(batch, features, 1.0)
        )
        for rank in ranks
    ]


def test_mixtures_of_any_ranks_make_one_mixture() -> None:
    each = members()
    found, plain = average(each), Averaged(each)
    assert isinstance(found, Mixture) and found.component_distribution.rank == 2
    K = sum(m.component_distribution.batch_shape[-1] for m in each)
    assert found.component_distribution.batch_shape == (4, K)
    value = 2 * torch.randn(50, 4, 2).double()
    torch.testing.assert_close(found.log_prob(value), plain.log_prob(value))
    torch.testing.assert_close(found.mean, plain.mean)
    torch.testing.assert_close(found.covariance_matrix, plain.covariance_matrix)
    torch.testing.assert_close(found.cdf(value[0]), plain.cdf(value[0]))
    total = found.mixture_distribution.probs.sum(-1)
    torch.testing.assert_close(total, torch.ones(4).double())
    seen = torch.tensor([True, False])
    torch.testing.assert_close(found.log_prob(value, seen), plain.log_prob(value, seen))


def test_one_alone_is_itself_and_others_are_averaged() -> None:
    (alone,) = members(1)
    assert average([alone]) is alone
    flowed = [Flowed(each, Logit(2, -20, 20).double()) for each in members(2)]
    assert isinstance(average(flowed), Averaged)
    normal = LowRankPrecisionNormal(torch.zeros(4, 2).double(), torch.ones(4, 2).double())
    assert isinstance(average([alone, normal]), Averaged)


def test_draws_come_from_every_member_in_each_place() -> None:
    far = [
        LowRankPrecisionNormal(torch.full((3, 1), 1000.0 * m), torch.ones(3, 1)) for m in range(4)
    ]
    drawn = Averaged(far).sample((4000,))
    assert drawn.shape == (4000, 3, 1)
    chosen = (drawn / 1000).round().squeeze(-1)
    for m in range(4):
        share = (chosen == m).double().mean(0)
        assert ((share - 0.25).abs() < 5 * (0.25 * 0.75 / 4000) ** 0.5).all()
    assert not (chosen == chosen[:, :1]).all(), "each place of a batch chooses for itself"


def test_the_members_are_tempered() -> None:
    each = members(2)
    value = torch.randn(4, 2).double()
    found = Averaged(each).tempered(mixing=0.5, scale=2.0)
    expected = Averaged([one.tempered(0.5, 2.0) for one in each])
    torch.testing.assert_close(found.log_prob(value), expected.log_prob(value))


def test_shapes_that_differ_are_refused() -> None:
    for make in (average, Averaged):
        with pytest.raises(ValueError, match=r"of one shape, one at least; found \[\]"):
            make([])
        shapes = re.escape("[((4,), (2,)), ((3,), (2,))]")
        with pytest.raises(ValueError, match=f"of one shape.*found {shapes}"):
            make([members(1)[0], members(1, batch=(3,))[0]])
