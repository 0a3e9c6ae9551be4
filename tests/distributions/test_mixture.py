from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from seqmdn.distributions import LowRankPrecisionNormal, Mixture
from seqmdn.distributions.weights import mixing_weights
from tests.contracts import DISTRIBUTION_CHECKS, Family, check_distribution
from tests.distributions import dense

COMPONENTS = 3


def build(parameters: dense.Parameters) -> Mixture:
    gaussians = {name: parameters[name] for name in ("loc", "diagonal", "factor")}
    return Mixture(Categorical(logits=parameters["logits"]), LowRankPrecisionNormal(**gaussians))


def draw(
    batch: tuple[int, ...],
    features: int,
    rank: int,
    scale: float = 1.0,
    components: int = COMPONENTS,
) -> dense.Parameters:
    parameters = dense.draw_gaussian((*batch, components), features, rank, scale)
    # Components apart from each other and of unequal widths: none can stand in for another.
    parameters["loc"] = 2 * parameters["loc"]
    widths = torch.linspace(0.5, 2, components, dtype=torch.float64)
    parameters["diagonal"] = parameters["diagonal"] / widths.square().unsqueeze(-1)
    return parameters | {"logits": torch.randn(*batch, components, dtype=torch.float64)}


def moments(parameters: dense.Parameters) -> tuple[Tensor, Tensor]:
    weights = torch.softmax(parameters["logits"], dim=-1)
    return dense.mixture_moments(weights, parameters["loc"], dense.covariance(parameters))


def mixture_family(rank: int) -> Family:
    return Family(
        name=f"mixture of rank {rank}",
        draw=lambda batch, features, scale: draw(batch, features, rank, scale),
        build=build,
        log_prob=dense.mixture_log_prob,
        moments=moments,
        shift=lambda parameters, offset: (
            parameters | {"loc": parameters["loc"] + offset.unsqueeze(-1)}
        ),
    )


@pytest.mark.parametrize("check", DISTRIBUTION_CHECKS)
@pytest.mark.parametrize("family", [mixture_family(rank) for rank in (0, 1, 2)], ids=str)
def test_contract(family: Family, check: str) -> None:
    check_distribution(family, check)


def test_diagonal_equals_torch() -> None:
    parameters = draw((4,), 5, 0)
    normal = Normal(parameters["loc"], parameters["diagonal"].rsqrt())
    weights = Categorical(logits=parameters["logits"])
    expected = MixtureSameFamily(weights, Independent(normal, 1))
    value = torch.randn(6, 4, 5, dtype=torch.float64)
    mixture = build(parameters)
    assert isinstance(mixture, MixtureSameFamily)
    torch.testing.assert_close(mixture.log_prob(value), expected.log_prob(value))
    torch.testing.assert_close(mixture.variance, expected.variance)


def test_a_component_of_the_weight_zero_has_no_density() -> None:
    components = LowRankPrecisionNormal(torch.tensor([[0.0], [1000.0]]), torch.ones(2, 1))
    for weights in (
        Categorical(probs=torch.tensor([1.0, 0.0])),
        Categorical(logits=torch.tensor([0.0, -math.inf])),
    ):
        mixture = Mixture(weights, components)
        alone = LowRankPrecisionNormal(torch.zeros(1), torch.ones(1))
        value = torch.tensor([[0.0], [30.0], [1000.0]])
        torch.testing.assert_close(mixture.log_prob(value), alone.log_prob(value))
        torch.testing.assert_close(mixture.icdf(torch.tensor(0.5)), torch.zeros(1))
        assert mixture.sample((100,)).max() < 100


def test_is_the_mixture_even_where_every_density_underflows() -> None:
    mixture = build({k: v.float() for k, v in draw((), 512, 2).items()})
    responsibilities = mixture.responsibilities(torch.full((512,), 40.0))
    assert responsibilities.sum().item() == pytest.approx(1)


def test_responsibilities_follow_bayes() -> None:
    parameters = draw((2,), 3, 1)
    mixture = build(parameters)
    value = torch.randn(4, 2, 3, dtype=torch.float64)
    weights = torch.softmax(parameters["logits"], dim=-1)
    joint = weights * mixture.component_distribution.log_prob(value.unsqueeze(-2)).exp()
    torch.testing.assert_close(mixture.responsibilities(value), joint / joint.sum(-1, keepdim=True))


@given(
    batch=st.sampled_from([(), (3,), (2, 2)]),
    features=st.integers(2, 8),
    rank=st.integers(0, 4),
    components=st.integers(1, 4),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=40, deadline=None)
def test_conditional_times_marginal_is_the_joint(
    batch: tuple[int, ...], features: int, rank: int, components: int, seed: int
) -> None:
    torch.manual_seed(seed)
    mixture = build(draw(batch, features, rank, components=components))
    observed = torch.rand(features) < 0.5
    observed[seed % features], observed[(seed + 1) % features] = True, False
    value = 2 * torch.randn(3, *batch, features, dtype=torch.float64)
    conditional = mixture.condition(value, observed)
    marginal = mixture.marginal(observed.nonzero()[:, 0].tolist())
    product = conditional.log_prob(value[..., ~observed]) + marginal.log_prob(value[..., observed])
    torch.testing.assert_close(product, mixture.log_prob(value), rtol=1e-9, atol=1e-9)


def test_condition_updates_the_weights() -> None:
    # What is seen of the first feature says which component the second comes from.
    loc = torch.tensor([[-10.0, 3.0], [10.0, 7.0]])
    mixture = Mixture(
        Categorical(logits=torch.zeros(2)), LowRankPrecisionNormal(loc, torch.ones(2, 2))
    )
    values = torch.tensor([[-10.0, math.nan], [10.0, math.nan]])
    conditional = mixture.condition(values, torch.tensor([True, False]))
    torch.testing.assert_close(conditional.mean, torch.tensor([[3.0], [7.0]]))


def test_nothing_observed_leaves_it_as_it_is() -> None:
    mixture = build(draw((2,), 3, 1))
    value = torch.randn(2, 3, dtype=torch.float64)
    conditional = mixture.condition(value, torch.zeros(3, dtype=torch.bool))
    torch.testing.assert_close(conditional.log_prob(value), mixture.log_prob(value))


def test_marginal_keeps_the_order_given() -> None:
    mixture = build(draw((2,), 4, 2))
    order = [2, 0]
    torch.testing.assert_close(mixture.marginal(order).mean, mixture.mean[..., order])
    torch.testing.assert_close(
        mixture.marginal(order).covariance_matrix,
        mixture.covariance_matrix[..., order, :][..., order],
    )


def test_cdf_and_quantiles_are_those_of_the_marginals() -> None:
    mixture = build(draw((2,), 3, 2))
    draws = mixture.sample((20_000,))
    value = torch.randn(2, 3, dtype=torch.float64)
    share = (draws <= value).double().mean(0)
    assert (mixture.cdf(value) - share).abs().max() < 5 * 0.5 / 20_000**0.5
    for q in (0.001, 0.25, 0.5, 0.99):
        quantile = mixture.icdf(torch.tensor(q))
        assert quantile.shape == (2, 3)
        torch.testing.assert_close(mixture.cdf(quantile), torch.full_like(quantile, q))
        for feature in range(3):
            alone = mixture.marginal([feature]).icdf(torch.tensor(q))
            torch.testing.assert_close(quantile[:, [feature]], alone)


@pytest.mark.parametrize("rank", [0, 2])
def test_tempered(rank: int) -> None:
    parameters = draw((2,), 3, rank)
    tempered = build(parameters).tempered(mixing=0.5, scale=4.0)
    torch.testing.assert_close(
        tempered.mixture_distribution.probs, torch.softmax(2 * parameters["logits"], dim=-1)
    )
    torch.testing.assert_close(
        tempered.component_distribution.covariance_matrix, 4 * dense.covariance(parameters)
    )
    value = torch.randn(2, 3, dtype=torch.float64)
    untouched = build(parameters).tempered()
    torch.testing.assert_close(untouched.log_prob(value), build(parameters).log_prob(value))


def test_tempered_takes_one_number_a_context() -> None:
    mixture = build(draw((2,), 3, 1))
    tempered = mixture.tempered(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 3.0]))
    value = torch.randn(2, 3, dtype=torch.float64)
    expected = torch.stack(
        [mixture.log_prob(value)[0], mixture.tempered(2.0, 3.0).log_prob(value)[1]]
    )
    torch.testing.assert_close(tempered.log_prob(value), expected)
    with pytest.raises(ValueError, match="mixing must be positive"):
        mixture.tempered(mixing=0.0)


def test_one_gaussian_tempered_is_the_renormalised_power() -> None:
    mixture = build(draw((), 2, 1, components=1))
    value = torch.randn(6, 2, dtype=torch.float64)
    ratio = mixture.tempered(0.7, 0.7).log_prob(value) - mixture.log_prob(value) / 0.7
    torch.testing.assert_close(ratio, ratio[:1].expand(6))


def test_draws_only_from_the_chosen_component(monkeypatch: pytest.MonkeyPatch) -> None:
    mixture = build(draw((7,), 3, 2, components=64))
    shapes = []
    randn = torch.randn
    monkeypatch.setattr(
        torch,
        "randn",
        lambda shape, **options: shapes.append(tuple(shape)) or randn(shape, **options),
    )
    mixture.sample((5,))
    assert shapes == [(5, 7, 3)]


def test_shared_components_serve_many_contexts() -> None:
    components = LowRankPrecisionNormal(torch.randn(4, 3), torch.ones(4, 3))
    mixture = Mixture(Categorical(logits=torch.randn(5, 4)), components)
    assert mixture.batch_shape == (5,)
    assert mixture.sample((2,)).shape == (2, 5, 3)


def test_refuses_what_does_not_fit() -> None:
    gaussians = LowRankPrecisionNormal(torch.zeros(3, 4, 2), torch.ones(3, 4, 2))
    with pytest.raises(ValueError, match=r"found \(3, 5\) and \(3, 4\)"):
        Mixture(Categorical(logits=torch.zeros(3, 5)), gaussians)
    with pytest.raises(ValueError, match=r"found \(2, 4\) and \(3, 4\)"):
        Mixture(Categorical(logits=torch.zeros(2, 4)), gaussians)
    with pytest.raises(TypeError, match="found Normal"):
        Mixture(Categorical(logits=torch.zeros(4)), Normal(torch.zeros(4), torch.ones(4)))
    mixture = Mixture(Categorical(logits=torch.zeros(3, 4)), gaussians)
    with pytest.raises(ValueError, match="all 2 features"):
        mixture.condition(torch.zeros(3, 2), torch.ones(2, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"found \[2\]"):
        mixture.marginal([2])
    with pytest.raises(ValueError, match=r"probabilities in \[0, 1\]; found 1.5"):
        mixture.icdf(torch.tensor(1.5))


def test_logits_of_a_user_need_not_be_normalised() -> None:
    parameters = draw((2,), 3, 1)
    moved = parameters | {"logits": parameters["logits"] + 5 * torch.randn(2, 1).double()}
    value = torch.randn(4, 2, 3, dtype=torch.float64)
    torch.testing.assert_close(build(moved).log_prob(value), build(parameters).log_prob(value))
    torch.testing.assert_close(
        build(moved).mixture_distribution.logits.exp().sum(-1), torch.ones(2).double()
    )


def test_weights_that_are_normalised_are_taken_as_they_are() -> None:
    weights = mixing_weights(torch.randn(40, 7))
    mixture = Mixture(weights, LowRankPrecisionNormal(torch.zeros(40, 7, 2), torch.ones(40, 7, 2)))
    assert torch.equal(mixture.mixture_distribution.logits, weights.logits)
    assert torch.equal(mixture.marginal([1]).mixture_distribution.logits, weights.logits)


def test_refuses_weights_that_are_nan() -> None:
    components = LowRankPrecisionNormal(torch.zeros(3, 4, 2), torch.ones(3, 4, 2))
    logits = torch.zeros(3, 4)
    logits[1, 2] = math.nan  # a normalised row of NaN
    weights = Categorical(logits=logits, validate_args=False)
    with pytest.raises(ValueError, match=r"weights hold 4 NaN in 12 values, shape \(3, 4\)"):
        Mixture(weights, components)
    assert Mixture(weights, components, validate_args=False).batch_shape == (3,)


def test_repr_says_what_it_is() -> None:
    assert repr(build(draw((2,), 3, 1))) == (
        "Mixture(components=3, rank=1, batch_shape=(2,), event_shape=(3,))"
    )
