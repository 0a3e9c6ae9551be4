from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from seqmdn.distributions import FactorisedMixture
from seqmdn.distributions.weights import mixing_weights
from tests.contracts import DISTRIBUTION_CHECKS, Family, check_distribution
from tests.distributions import dense

COMPONENTS = 3


def draw(batch: tuple[int, ...], features: int, scale: float = 1.0) -> dense.Parameters:
    shape = (*batch, features, COMPONENTS)
    return {
        "logits": torch.randn(shape, dtype=torch.float64),
        "loc": 2 * scale * torch.randn(shape, dtype=torch.float64),
        "scale": scale * (0.3 + torch.rand(shape, dtype=torch.float64)),
    }


def build(parameters: dense.Parameters) -> FactorisedMixture:
    return FactorisedMixture(
        Categorical(logits=parameters["logits"]), Normal(parameters["loc"], parameters["scale"])
    )


def reference(parameters: dense.Parameters) -> Independent:
    normal = Normal(parameters["loc"], parameters["scale"])
    return Independent(MixtureSameFamily(Categorical(logits=parameters["logits"]), normal), 1)


def moments(parameters: dense.Parameters) -> tuple[Tensor, Tensor]:
    weights = torch.softmax(parameters["logits"], dim=-1)
    within = parameters["scale"].square()[..., None, None]
    mean, covariance = dense.mixture_moments(weights, parameters["loc"].unsqueeze(-1), within)
    return mean.squeeze(-1), torch.diag_embed(covariance[..., 0, 0])


FAMILY = Family(
    name="factorised mixture",
    draw=draw,
    build=build,
    log_prob=lambda parameters, value: reference(parameters).log_prob(value),
    moments=moments,
    shift=lambda parameters, offset: parameters | {"loc": parameters["loc"] + offset.unsqueeze(-1)},
)


@pytest.mark.parametrize("check", DISTRIBUTION_CHECKS)
def test_contract(check: str) -> None:
    check_distribution(FAMILY, check)


def test_cdf_equals_torch_and_icdf_inverts_it() -> None:
    parameters = draw((4,), 3)
    mixture = build(parameters)
    value = torch.randn(4, 3, dtype=torch.float64)
    torch.testing.assert_close(mixture.cdf(value), reference(parameters).base_dist.cdf(value))
    torch.testing.assert_close(mixture.icdf(mixture.cdf(value)), value)
    assert mixture.icdf(torch.tensor(0.5)).shape == (4, 3)


def test_responsibilities_are_of_every_feature() -> None:
    parameters = draw((2,), 4)
    value = torch.randn(5, 2, 4, dtype=torch.float64)
    found = build(parameters).responsibilities(value)
    assert found.shape == (5, 2, 4, COMPONENTS)
    normal = Normal(parameters["loc"], parameters["scale"])
    joint = torch.softmax(parameters["logits"], -1) * normal.log_prob(value.unsqueeze(-1)).exp()
    torch.testing.assert_close(found, joint / joint.sum(-1, keepdim=True))


def test_condition_drops_and_marginal_selects() -> None:
    mixture = build(draw((2,), 4))
    value = torch.randn(3, 2, 4, dtype=torch.float64)
    observed = torch.tensor([True, False, False, True])
    conditional, marginal = mixture.condition(value, observed), mixture.marginal([0, 3])
    assert conditional.batch_shape == (3, 2)
    product = conditional.log_prob(value[..., ~observed]) + marginal.log_prob(value[..., observed])
    torch.testing.assert_close(product, mixture.log_prob(value))
    torch.testing.assert_close(mixture.marginal([3, 1]).mean, mixture.mean[..., [3, 1]])


def test_tempered() -> None:
    parameters = draw((2,), 3)
    tempered = build(parameters).tempered(mixing=0.5, scale=4.0)
    torch.testing.assert_close(
        tempered.mixture_distribution.probs, torch.softmax(2 * parameters["logits"], dim=-1)
    )
    torch.testing.assert_close(tempered.component_distribution.scale, 2 * parameters["scale"])
    by_context = build(parameters).tempered(torch.tensor([1.0, 0.5]), torch.tensor([1.0, 4.0]))
    torch.testing.assert_close(by_context.variance[1], tempered.variance[1])
    torch.testing.assert_close(by_context.variance[0], build(parameters).variance[0])
    with pytest.raises(ValueError, match="scale must be positive"):
        build(parameters).tempered(scale=-1.0)


def test_a_component_of_the_weight_zero_has_no_density() -> None:
    weights = Categorical(probs=torch.tensor([[1.0, 0.0]]))
    mixture = FactorisedMixture(weights, Normal(torch.tensor([[0.0, 1e3]]), torch.ones(1, 2)))
    expected = Normal(0.0, 1.0).log_prob(torch.tensor(1000.0))
    torch.testing.assert_close(mixture.log_prob(torch.tensor([1000.0])), expected)


def test_logits_of_a_user_need_not_be_normalised() -> None:
    parameters = draw((2,), 3)
    moved = parameters | {"logits": parameters["logits"] + 5 * torch.randn(2, 3, 1).double()}
    value = torch.randn(4, 2, 3, dtype=torch.float64)
    torch.testing.assert_close(build(moved).log_prob(value), build(parameters).log_prob(value))
    torch.testing.assert_close(
        build(moved).mixture_distribution.logits.exp().sum(-1), torch.ones(2, 3).double()
    )


def test_weights_that_are_normalised_are_taken_as_they_are() -> None:
    weights = mixing_weights(torch.randn(40, 3, 7))
    mixture = FactorisedMixture(weights, Normal(torch.zeros(40, 3, 7), torch.ones(40, 3, 7)))
    assert mixture.mixture_distribution is weights
    part = mixture.marginal([2, 0]).mixture_distribution.logits
    assert torch.equal(part, weights.logits[:, [2, 0]])


def test_refuses_weights_that_are_nan() -> None:
    normal = Normal(torch.zeros(3, 4, 2), torch.ones(3, 4, 2))
    logits = torch.zeros(3, 4, 2)
    logits[1, 2, 0] = math.nan
    weights = mixing_weights(logits)  # a normalised pair of NaN
    with pytest.raises(ValueError, match=r"weights hold 2 NaN in 24 values, shape \(3, 4, 2\)"):
        FactorisedMixture(weights, normal)
    assert FactorisedMixture(weights, normal, validate_args=False).batch_shape == (3,)


def test_refuses_what_does_not_fit() -> None:
    normal = Normal(torch.zeros(3, 4, 2), torch.ones(3, 4, 2))
    with pytest.raises(ValueError, match=r"found \(3, 2\) and \(3, 4, 2\)"):
        FactorisedMixture(Categorical(logits=torch.zeros(3, 2)), normal)
    with pytest.raises(TypeError, match="found Independent"):
        FactorisedMixture(Categorical(logits=torch.zeros(3, 4, 2)), Independent(normal, 1))
    with pytest.raises(ValueError, match="loc"):
        Normal(torch.full((1, 1), math.nan), torch.ones(1, 1))
    mixture = FactorisedMixture(Categorical(logits=torch.zeros(3, 4, 2)), normal)
    assert repr(mixture) == "FactorisedMixture(components=2, batch_shape=(3,), event_shape=(4,))"
