"""Frames of continuous features and bits: sums and integrals, and the sum of their parts."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, MultivariateNormal

from seqmdn.distributions import Bits, Flowed, Joint, LowRankPrecisionNormal
from seqmdn.heads import AutoregressiveHead, FlowMixtureHead, MixtureHead
from tests.contracts import perturbed
from tests.contracts.distributions import assert_within_errors
from tests.distributions import dense, test_mixture

HEADS: dict[str, Callable[[int, int], torch.nn.Module]] = {
    "mixture": lambda d, h: MixtureHead(d, h, components=3, covariance="lowrank", rank=1),
    "flowed": lambda d, h: FlowMixtureHead(d, h, components=3, conditional=True),
    "autoregressive": lambda d, h: AutoregressiveHead(d, h, components=3),
}


@pytest.fixture(params=HEADS)
def parts(request: pytest.FixtureRequest) -> tuple[Distribution, Bits]:
    """Two contexts of two continuous features, and two bits that depend on each other."""
    head = perturbed(HEADS[request.param](2, 3), 0.2).double()
    logits, couplings = torch.randn(2, 2).double(), torch.randn(2, 1).double()
    return head(torch.randn(2, 3).double()), Bits(logits, couplings)


def frames(*shape: int) -> Tensor:
    y, b = torch.randn(*shape, 2).double(), Bernoulli(0.5).sample((*shape, 2)).double()
    return torch.cat((y, b), dim=-1)


def test_it_integrates_and_sums_to_one(parts: tuple[Distribution, Bits]) -> None:
    joint = Joint(*parts)
    axis = torch.linspace(-12, 12, 121, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    total = torch.zeros(2, dtype=torch.float64)
    with torch.no_grad():
        for bits in product([0.0, 1.0], repeat=2):
            both = torch.cat((grid, grid.new_tensor(bits).expand(len(grid), 2)), dim=-1)
            total += joint.log_prob(both.unsqueeze(1)).exp().sum(0) * (axis[1] - axis[0]) ** 2
    torch.testing.assert_close(total, torch.ones(2).double(), atol=1e-3, rtol=0)


def test_it_is_the_sum_of_its_parts(parts: tuple[Distribution, Bits]) -> None:
    continuous, bits = parts
    joint, value = Joint(continuous, bits), frames(7, 2)
    expected = continuous.log_prob(value[..., :2]) + bits.log_prob(value[..., 2:])
    torch.testing.assert_close(joint.log_prob(value), expected)
    assert joint.columns == 2 and joint.batch_shape == (2,) and joint.event_shape == (4,)
    assert joint.continuous is continuous and joint.bits is bits


def test_it_is_graves_formula() -> None:
    # Equations 23 to 25 of his paper: weights, means, deviations and a correlation of each
    # component, and the probability e that the stroke ends.
    K, generator = 4, torch.Generator().manual_seed(1)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    pi, mu, rho = normal(K).softmax(-1), normal(K, 2), 0.9 * normal(K).tanh()
    sigma, e = (0.5 * normal(K, 2)).exp(), normal(()).sigmoid()
    covariance = torch.diag_embed(sigma.square())
    covariance[:, 0, 1] = covariance[:, 1, 0] = rho * sigma.prod(-1)
    # D + uu' = the precision: its entry off the diagonal is u1 u2, and D takes what is left.
    precision = torch.linalg.inv(covariance)
    size = precision[:, 0, 1].abs().sqrt()
    factor = torch.stack((size, size * precision[:, 0, 1].sign()), dim=-1).unsqueeze(-1)
    scale = (precision[:, 0, 0] / precision[:, 1, 1]) ** 0.25  # so that D stays positive
    factor = factor * torch.stack((scale, 1 / scale), dim=-1).unsqueeze(-1)
    diagonal = precision.diagonal(dim1=-2, dim2=-1) - factor.squeeze(-1).square()
    assert (diagonal > 0).all()
    mixture = test_mixture.build(
        {"logits": pi.log(), "loc": mu, "diagonal": diagonal, "factor": factor}
    )
    joint = Joint(mixture, Bits(e.logit().unsqueeze(0)))
    for x1, x2, x3 in torch.cat((normal(20, 2), (normal(20, 1) > 0).double()), dim=-1):
        density = torch.zeros((), dtype=torch.float64)
        for j in range(K):
            a, b = (x1 - mu[j, 0]) / sigma[j, 0], (x2 - mu[j, 1]) / sigma[j, 1]
            Z = a**2 + b**2 - 2 * rho[j] * a * b
            norm = 2 * math.pi * sigma[j, 0] * sigma[j, 1] * (1 - rho[j] ** 2).sqrt()
            density += pi[j] * torch.exp(-Z / (2 * (1 - rho[j] ** 2))) / norm
        expected = (density * (e if x3 == 1 else 1 - e)).log()
        found = joint.log_prob(torch.stack((x1, x2, x3)))
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_temperatures_act_on_their_parts(parts: tuple[Distribution, Bits]) -> None:
    continuous, bits = parts
    value = frames(7, 2)
    options = {"mixing": 0.5, "scale": 2.5}
    found = Joint(continuous, bits).tempered(**options, bits=0.3).log_prob(value)
    expected = continuous.tempered(**options).log_prob(value[..., :2])
    expected = expected + bits.tempered(0.3).log_prob(value[..., 2:])
    torch.testing.assert_close(found, expected)
    plain = Joint(continuous, bits).tempered(**options).log_prob(value)
    alone = continuous.tempered(**options).log_prob(value[..., :2])
    torch.testing.assert_close(plain, alone + bits.log_prob(value[..., 2:]))
    with pytest.raises(ValueError, match="temperature must be positive; found 0"):
        Joint(continuous, bits).tempered(bits=0.0)


def test_draws_have_the_moments_of_the_parts() -> None:
    parameters = test_mixture.draw((2,), 2, 1)
    bits = Bits(torch.tensor([[1.0, -2.0], [0.0, 3.0]]), torch.tensor([[2.0], [-4.0]]))
    drawn = Joint(test_mixture.build(parameters), bits).sample((200_000,))
    assert drawn.shape == (200_000, 2, 4) and drawn.dtype == torch.float64
    weights = parameters["logits"].softmax(-1)
    mean, _ = dense.mixture_moments(weights, parameters["loc"], dense.covariance(parameters))
    first = bits.logits[:, 0].sigmoid()
    given = torch.stack((bits.logits[:, 1], bits.logits[:, 1] + bits.couplings[:, 0])).sigmoid()
    second = (1 - first) * given[0] + first * given[1]
    expected = torch.cat((mean, torch.stack((first, second), dim=-1)), dim=-1)
    error = drawn.std(0) / 200_000**0.5
    assert_within_errors(drawn.mean(0), expected, error)
    # Continuous features and bits are independent of each other.
    centred = drawn - drawn.mean(0)
    products = centred[..., :2].unsqueeze(-1) * centred[..., 2:].unsqueeze(-2)
    zero = torch.zeros(2, 2, 2, dtype=torch.float64)
    assert_within_errors(products.mean(0), zero, products.std(0) / 200_000**0.5)


def test_it_expands(parts: tuple[Distribution, Bits]) -> None:
    joint, value = Joint(*parts), frames(5, 2)
    wider = joint.expand((3, 2))
    assert type(wider) is Joint and wider.batch_shape == (3, 2) and wider.event_shape == (4,)
    found = wider.log_prob(value.unsqueeze(1).expand(5, 3, 2, 4))
    torch.testing.assert_close(found, joint.log_prob(value).unsqueeze(1).expand(5, 3, 2))
    assert wider.sample((5,)).shape == (5, 3, 2, 4)


def test_what_does_not_fit_is_refused(parts: tuple[Distribution, Bits]) -> None:
    joint = Joint(*parts)
    with pytest.raises(ValueError, match=r"one batch shape; found \(2,\) .* and \(3,\) of the bi"):
        Joint(parts[0], Bits(torch.zeros(3, 1)))
    for wrong in (torch.zeros(2, 1), torch.zeros(2, 5), torch.zeros(())):
        with pytest.raises(ValueError, match=r"\(\.\.\., 4\).*found"):
            joint.log_prob(wrong.double())
    with pytest.raises(ValueError, match="bits must be 0 or 1; found 0.25"):
        joint.log_prob(torch.tensor([0.0, 0.0, 1.0, 0.25]).double())
    with pytest.raises(ValueError, match="value"):
        joint.log_prob(torch.tensor([math.nan, 0.0, 1.0, 0.0]).double())


def test_what_it_does_not_offer_says_where_to_find_it(parts: tuple[Distribution, Bits]) -> None:
    joint = Joint(*parts)
    remedy = "is not offered. Take it of `continuous` or of `bits`"
    for name in ("mean", "variance", "mode"):
        with pytest.raises(NotImplementedError, match=f"^{name} of .*{remedy}"):
            getattr(joint, name)
    calls: dict[str, tuple[object, ...]] = {
        "modes": (),
        "entropy_bounds": (),
        "cdf": (frames(2),),
        "icdf": (frames(2),),
        "marginal": ([0],),
    }
    for name, arguments in calls.items():
        with pytest.raises(NotImplementedError, match=f"^{name} of .*{remedy}"):
            getattr(joint, name)(*arguments)
    with pytest.raises(NotImplementedError, match="move the head and its input to the device"):
        joint.to("cpu")


def test_its_support_says_of_each_frame_whether_it_is_one(
    parts: tuple[Distribution, Bits],
) -> None:
    value = frames(5, 2)
    value[0, 1, 3] = 0.5
    value[3, 0, 0] = math.nan
    found = Joint(*parts).support.check(value)
    expected = torch.ones(5, 2, dtype=torch.bool)
    expected[0, 1] = expected[3, 0] = False
    assert torch.equal(found, expected)


def test_a_gaussian_is_a_continuous_part_like_any_other() -> None:
    parameters = dense.draw_gaussian((3,), 2, 1)
    normal = LowRankPrecisionNormal(**parameters)
    joint = Joint(normal, Bits(torch.zeros(3, 1).double()))
    value = torch.cat((torch.randn(3, 2).double(), torch.ones(3, 1).double()), dim=-1)
    expected = MultivariateNormal(
        parameters["loc"], precision_matrix=dense.precision(parameters)
    ).log_prob(value[:, :2])
    torch.testing.assert_close(joint.log_prob(value), expected - math.log(2))
    assert repr(joint).startswith("Joint(") and "Bits(batch_shape=(3,)" in repr(joint)
    assert not isinstance(joint, Flowed)
