"""Heads: the contract of every one of them, and what is special about each."""

from functools import partial

import pytest
import torch
import zuko
from torch import Tensor, nn
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal, Normal

from seqmdn.distributions import FactorisedMixture, Flowed, Mixture
from seqmdn.flows import AffineCoupling, MaskedAutoregressive, SplineCoupling
from seqmdn.heads import FlowMixtureHead, MixtureHead
from tests.contracts import HEAD_CHECKS, HeadKind, check_head, perturbed


def dense(head: nn.Module, h: Tensor, raw: Tensor, y: Tensor) -> Tensor:
    """Builds the density from the projection's numbers, in their order, with torch's own parts."""
    K, D, batch = head.components, head.features, h.shape[:-1]

    def take(*shape: int) -> Tensor:
        nonlocal raw
        count = int(torch.tensor(shape).prod())
        part, raw = raw[..., :count], raw[..., count:]
        return part.reshape(*batch, *shape)

    if head.factorised:
        logits, loc, free = take(D, K), take(D, K), take(D, K)
        scale = (free.exp().log1p() + head.floor) ** -0.5
        parts = logits.log_softmax(-1) + Normal(loc, scale).log_prob(y.unsqueeze(-1))
        return parts.logsumexp(-1).sum(-1)
    logits, loc = take(K), take(K, D)
    free = take(K, 1).repeat_interleave(D, -1) if head.covariance == "spherical" else take(K, D)
    precision = torch.diag_embed(free.exp().log1p() + head.floor)
    if head.covariance in ("lowrank", "full"):
        tied = head.factor == "tied"
        if head.covariance == "lowrank":
            R = head.rank
            factor = head.tied_factor.reshape(K, D, R) if tied else take(K, D, R)
        else:
            packed = head.tied_factor if tied else take(K, D * (D + 1) // 2)
            factor = torch.zeros(*packed.shape[:-1], D, D, dtype=h.dtype)
            place = 0
            for i in range(D):
                for j in range(i + 1):
                    factor[..., i, j] = packed[..., place]
                    place += 1
        precision = precision + factor @ factor.mT
    assert raw.shape[-1] == 0, "numbers that nothing uses"
    components = MultivariateNormal(loc, precision_matrix=precision)
    return MixtureSameFamily(Categorical(logits=logits), components).log_prob(y)


def dense_flow(head: nn.Module, h: Tensor, raw: Tensor, y: Tensor) -> Tensor:
    """Adds autograd's log-determinant to the density of z."""
    found = []
    for context, numbers, frame in zip(
        *(tensor.flatten(0, -2) for tensor in (h, raw, y)), strict=True
    ):
        transform = head.flow(context if head.conditional else None)
        jacobian = torch.autograd.functional.jacobian(transform, frame)
        density = dense(head, context, numbers, transform(frame))
        found.append(density + jacobian.slogdet().logabsdet)
    return torch.stack(found).view(h.shape[:-1])


def mixture(name: str, **options: object) -> HeadKind:
    return HeadKind(name, partial(MixtureHead, components=3, **options), dense)


def flow(name: str, **options: object) -> HeadKind:
    return HeadKind(name, partial(FlowMixtureHead, components=3, **options), dense_flow)


MIXTURES = [
    mixture("spherical", covariance="spherical"),
    mixture("diagonal"),
    mixture("lowrank emitted", covariance="lowrank", rank=2),
    mixture("lowrank tied", covariance="lowrank", rank=2, factor="tied"),
    mixture("full emitted", covariance="full"),
    mixture("full tied", covariance="full", factor="tied"),
    mixture("factorised", factorised=True),
]
SPLINES = partial(MaskedAutoregressive, univariate="spline")
FLOWS = [
    flow("affine shared"),
    flow("affine conditional", conditional=True, covariance="lowrank", rank=1),
    flow("spline shared", flow=SplineCoupling, factorised=True),
    flow("spline conditional", flow=SplineCoupling, conditional=True, covariance="spherical"),
    flow("autoregressive shared", flow=MaskedAutoregressive, covariance="full", factor="tied"),
    flow("autoregressive conditional", flow=SPLINES, conditional=True),
    flow("zuko's own", flow=zuko.flows.MaskedAutoregressiveTransform),
    flow("zuko's conditional", flow=zuko.flows.GeneralCouplingTransform, conditional=True),
]


@pytest.mark.parametrize("check", HEAD_CHECKS)
@pytest.mark.parametrize("kind", MIXTURES + FLOWS, ids=str)
def test_contract(kind: HeadKind, check: str) -> None:
    check_head(kind, check)


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("flow", [AffineCoupling, SplineCoupling, MaskedAutoregressive, SPLINES])
@pytest.mark.parametrize("kind", MIXTURES, ids=str)
def test_a_flow_head_begins_as_the_mixture(
    kind: HeadKind, flow: type[nn.Module], conditional: bool
) -> None:
    plain = perturbed(kind.make(4, 3), 0.3)
    options = kind.make.keywords
    flowed = FlowMixtureHead(4, 3, flow=flow, conditional=conditional, **options)
    missing = flowed.load_state_dict(plain.state_dict(), strict=False)
    assert not missing.unexpected_keys and all(k.startswith("flow.") for k in missing.missing_keys)
    h, y = torch.randn(20, 3), 2 * torch.randn(20, 4)
    assert isinstance(flowed(h), Flowed)
    torch.testing.assert_close(flowed(h).log_prob(y), plain(h).log_prob(y), rtol=1e-5, atol=1e-4)


def test_the_flow_sees_h_only_where_it_is_conditional() -> None:
    h, y = torch.randn(2, 4), torch.randn(3)
    for conditional in (False, True):
        head = perturbed(FlowMixtureHead(3, 4, conditional=conditional))
        one, other = (head(context).transform(y) for context in h)
        assert torch.equal(one, other) is not conditional


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


def test_what_a_flow_says_comes_through() -> None:
    with pytest.raises(ValueError, match="at least 2 features, found 1"):
        FlowMixtureHead(1, 4)


def test_repr_names_what_differs_between_heads() -> None:
    head = FlowMixtureHead(3, 4, covariance="lowrank", rank=2, factor="tied")
    for part in ("features=3", "components=5", "'lowrank'", "rank=2", "'tied'", "(flow): Affine"):
        assert part in repr(head)


@pytest.mark.parametrize("conditional", [False, True])
def test_values_of_any_leading_shape_meet_every_context(conditional: bool) -> None:
    head = FlowMixtureHead(features=3, context=4, conditional=conditional)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    h, values = torch.randn(5, 4), torch.randn(7, 1, 3)
    expected = torch.stack([head(h).log_prob(value.expand(5, 3)) for value in values])
    torch.testing.assert_close(head(h).log_prob(values), expected)
