"""Mixture heads: their contract, and what is special about each."""

import pytest
import torch
from torch import nn
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal, Normal

from seqmdn.distributions import FactorisedMixture, Mixture
from seqmdn.heads import FlowMixtureHead, MixtureHead
from tests.contracts import HEAD_CHECKS, HeadKind, check_head, perturbed
from tests.heads.kinds import MIXTURES


@pytest.mark.parametrize("check", HEAD_CHECKS)
@pytest.mark.parametrize("kind", MIXTURES, ids=str)
def test_contract(kind: HeadKind, check: str) -> None:
    check_head(kind, check)


def test_forms_are_what_they_are_called() -> None:
    assert isinstance(MixtureHead(3, 4)(torch.zeros(4)), Mixture)
    assert isinstance(MixtureHead(3, 4, factorised=True)(torch.zeros(4)), FactorisedMixture)
    spherical = perturbed(MixtureHead(3, 4, covariance="spherical"), 0.5)(torch.randn(4))
    diagonal = spherical.component_distribution.diagonal
    assert torch.equal(diagonal, diagonal[:, :1].expand(5, 3))
    assert len(diagonal[:, 0].unique()) == 5, "each component has a scale of its own"
    tied = MixtureHead(3, 4, covariance="lowrank", rank=2, factor="tied")
    one, other = (tied(h).component_distribution for h in torch.randn(2, 4))
    assert torch.equal(one.factor, other.factor) and not torch.equal(one.loc, other.loc)
    # A diagonal head costs what a diagonal Gaussian costs.
    assert MixtureHead(3, 4)(torch.zeros(4)).component_distribution.rank == 0


def test_a_new_head_hardly_depends_on_h_and_its_components_differ() -> None:
    for kind in MIXTURES:
        distribution = kind.make(4, 64)(torch.randn(100, 64))
        loc = distribution.component_distribution.loc
        assert loc.std(0).max() < 0.2, "means that follow h from the start"
        assert loc.mean(0).std(-2 if not kind.make(4, 64).factorised else -1).min() > 0.1
        variance = distribution.component_distribution.variance
        assert variance.min() > 0.5 and variance.max() < 1.5


@pytest.mark.parametrize("floor", [0.999, 1.0, 30.0])
def test_a_floor_above_the_first_scale_gives_a_head_that_learns(floor: float) -> None:
    head = MixtureHead(2, 4, floor=floor)
    head(torch.randn(4)).log_prob(torch.zeros(2)).backward()
    assert head.projection.bias.grad is not None
    assert head.projection.bias.grad.isfinite().all() and (head.projection.bias.grad != 0).all()
    head.initialise(torch.randn(50, 2))
    assert head(torch.zeros(4)).log_prob(torch.zeros(2)).isfinite()


CENTRES = torch.tensor([[0.0, 0.0], [6.0, 1.0], [-6.0, 2.0], [1.0, 7.0], [-1.0, -7.0]])
SHARES = torch.tensor([0.4, 0.25, 0.15, 0.1, 0.1])


@pytest.mark.parametrize("offset", [0.0, 100.0])
@pytest.mark.parametrize("deviation", [0.3, 1.0])
@pytest.mark.parametrize("kind", MIXTURES[:6], ids=str)
def test_initialise_finds_the_clusters(kind: HeadKind, deviation: float, offset: float) -> None:
    true = MixtureSameFamily(
        Categorical(probs=SHARES),
        MultivariateNormal(CENTRES + offset, deviation**2 * torch.eye(2)),
    )
    values = true.sample((4000,))
    head = kind.make.func(2, 8, **(kind.make.keywords | {"components": 5}))
    head.initialise(values)
    found = head(torch.zeros(8))
    assert true.log_prob(values).mean() - found.log_prob(values).mean() < 0.05
    loc, weights = found.component_distribution.loc, found.mixture_distribution.probs
    distance, nearest = torch.cdist(CENTRES + offset, loc).min(dim=1)
    assert distance.max() < 0.2 * deviation + 1e-3 and len(nearest.unique()) == 5
    torch.testing.assert_close(weights[nearest], SHARES, atol=0.02, rtol=0)
    # h that is not 0, as a backbone gives it, moves them only a little.
    moved = head(torch.rand(4000, 8) * 2 - 1).log_prob(values).mean()
    assert true.log_prob(values).mean() - moved < 0.4


def test_initialise_spreads_a_factorised_mixture_over_quantile_groups() -> None:
    levels = torch.tensor([[-8.0, -4.0, 0.0, 4.0, 8.0], [100.0, 130.0, 150.0, 180.0, 200.0]])
    chosen = torch.stack([torch.randperm(1000) % 5, torch.randperm(1000) % 5], dim=-1)
    exact = levels.gather(1, chosen.T).T
    values = exact + 0.5 * torch.randn(1000, 2)
    head = MixtureHead(2, 8, components=5, factorised=True)
    head.initialise(values)
    found = head(torch.zeros(8))
    torch.testing.assert_close(found.component_distribution.loc, levels, atol=0.1, rtol=0)
    torch.testing.assert_close(found.mixture_distribution.probs, torch.full((2, 5), 0.2))
    parts = (
        Normal(levels, 0.5).log_prob(values.unsqueeze(-1)).logsumexp(-1) - torch.tensor(5.0).log()
    )
    assert parts.sum(-1).mean() - found.log_prob(values).mean() < 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"components": 0}, "components must be at least 1, found 0"),
        ({"features": 0}, "features must be at least 1, found 0"),
        ({"context": 0}, "context must be at least 1, found 0"),
        ({"covariance": "lowrank"}, "rank between 1 and the number of features, 3; found None"),
        ({"covariance": "lowrank", "rank": 0}, "between 1 and .* 3; found 0"),
        ({"covariance": "lowrank", "rank": 4}, "between 1 and .* 3; found 4"),
        ({"rank": 2}, "with 'diagonal' leave it out, found 2"),
        ({"covariance": "full", "rank": 2}, "with 'full' leave it out, found 2"),
        ({"factorised": True, "covariance": "lowrank", "rank": 1}, "use covariance='diagonal'"),
        ({"factorised": True, "covariance": "full"}, "use covariance='diagonal' .*found 'full'"),
        ({"covariance": "round"}, "'lowrank' or 'full', found 'round'"),
        ({"factor": "shared"}, "'emitted' or 'tied', found 'shared'"),
        ({"floor": 0.0}, "floor must be positive, found 0.0"),
        ({"floor": -1.0}, "floor must be positive, found -1.0"),
        ({"floor": float("nan")}, "floor must be positive, found nan"),
    ],
)
@pytest.mark.parametrize("head", [MixtureHead, FlowMixtureHead])
def test_arguments_that_do_not_fit_are_refused(
    head: type[nn.Module], options: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        head(**({"features": 3, "context": 4} | options))
