from __future__ import annotations

import pytest
import torch
import zuko
from torch import Tensor
from torch.distributions import AffineTransform, Distribution, constraints
from torch.distributions.transforms import Transform

from seqmdn.data import Logit
from seqmdn.distributions import Flowed
from tests.contracts import DISTRIBUTION_CHECKS, Family, check_distribution
from tests.distributions import dense, test_factorised, test_gaussian, test_mixture


class Affine(AffineTransform):
    """z = shift + slope * y, feature by feature, conditional where shift and slope are."""

    def call_and_ladj(self, y: Tensor) -> tuple[Tensor, Tensor]:
        z = self(y)
        return z, self.log_abs_det_jacobian(y, z)


class Sinh(Transform):
    """z = sinh(y)."""

    domain = constraints.real_vector
    codomain = constraints.real_vector
    bijective = True

    def _call(self, y: Tensor) -> Tensor:
        return torch.sinh(y)

    def _inverse(self, z: Tensor) -> Tensor:
        return torch.asinh(z)

    def call_and_ladj(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self(y), torch.cosh(y).log().sum(-1)


def split(parameters: dense.Parameters) -> tuple[dense.Parameters, Tensor, Tensor]:
    """Returns the base's parameters, the shift and the slope."""
    base = {k: v for k, v in parameters.items() if k not in ("shift", "slope")}
    return base, parameters["shift"], parameters["slope"]


def affine_family(base: Family) -> Family:
    """The base seen through an affine map of its own in every context."""

    def draw(batch: tuple[int, ...], features: int, scale: float) -> dense.Parameters:
        return base.draw(batch, features, 1.0) | {
            "shift": torch.randn(*batch, features, dtype=torch.float64),
            "slope": (0.5 + torch.rand(*batch, features, dtype=torch.float64)) / scale,
        }

    def build(parameters: dense.Parameters) -> Distribution:
        latent, shift, slope = split(parameters)
        return Flowed(base.build(latent), Affine(shift, slope, event_dim=1))

    def log_prob(parameters: dense.Parameters, value: Tensor) -> Tensor:
        latent, shift, slope = split(parameters)
        return base.log_prob(latent, shift + slope * value) + slope.abs().log().sum(-1)

    def moments(parameters: dense.Parameters) -> tuple[Tensor, Tensor]:
        latent, shift, slope = split(parameters)
        mean, covariance = base.moments(latent)
        return (mean - shift) / slope, covariance / (slope.unsqueeze(-1) * slope.unsqueeze(-2))

    def move(parameters: dense.Parameters, offset: Tensor) -> dense.Parameters:
        return parameters | {"shift": parameters["shift"] - parameters["slope"] * offset}

    return Family(f"affine flow of a {base.name}", draw, build, log_prob, moments, move)


BASES = [
    test_gaussian.gaussian_family(1),
    test_mixture.mixture_family(2),
    test_factorised.FAMILY,
]
FAMILIES = [affine_family(base) for base in BASES]


@pytest.mark.parametrize("check", DISTRIBUTION_CHECKS)
@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_contract(family: Family, check: str) -> None:
    check_distribution(family, check)


def test_a_curved_flow_integrates_to_one() -> None:
    flowed = Flowed(test_mixture.build(test_mixture.draw((), 2, 1)), Sinh())
    axis = torch.linspace(-5, 5, 801, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), dim=-1)
    total = flowed.log_prob(grid).exp().sum() * (axis[1] - axis[0]) ** 2
    assert total.item() == pytest.approx(1, abs=1e-4)


def test_a_flow_of_zuko_conditioned_on_contexts() -> None:
    flow = zuko.flows.MAF(features=2, context=3, hidden_features=(8,))
    Distribution.set_default_validate_args(True)
    context = 3 * torch.randn(4, 3)
    with torch.no_grad():
        transform = flow(context).transform
        parameters = {k: v.float() for k, v in test_mixture.draw((4,), 2, 1).items()}
        flowed = Flowed(test_mixture.build(parameters), transform)
        assert flowed.batch_shape == (4,)
        value = flowed.sample((50,))
        density = flowed.log_prob(value)
        for i in range(4):
            own = {name: parameter[i] for name, parameter in parameters.items()}
            alone = Flowed(test_mixture.build(own), flow(context[i]).transform)
            torch.testing.assert_close(density[:, i], alone.log_prob(value[:, i]))
        # The base's density at the latent, and the determinant of autograd's own jacobian.
        point = value[0, 0]
        jacobian = torch.autograd.functional.jacobian(flow(context[0]).transform, point)
        own = {name: parameter[0].double() for name, parameter in parameters.items()}
        latent = flow(context[0]).transform(point).double()
        expected = dense.mixture_log_prob(own, latent) + jacobian.double().det().abs().log()
        assert density[0, 0].item() == pytest.approx(expected.item(), abs=1e-4)


def test_autocast_is_off_inside_the_flow() -> None:
    flow = zuko.flows.MAF(features=2, context=3, hidden_features=(8,))
    Distribution.set_default_validate_args(True)
    context, value = torch.randn(4, 3), torch.randn(4, 2)
    base = test_gaussian.build({k: v.float() for k, v in dense.draw_gaussian((4,), 2, 1).items()})
    plain = Flowed(base, flow(context).transform).log_prob(value)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(Flowed(base, flow(context).transform).log_prob(value), plain)


@pytest.mark.parametrize("base", BASES, ids=str)
def test_through_a_map_of_single_features_a_part_of_a_frame_has_a_density(base: Family) -> None:
    known = base.build(base.draw((2,), 3, 1.0))
    fitted = Logit(3, low=-9.0, high=11.0).fit(torch.linspace(-8, 10, 30).reshape(10, 3)).double()
    flowed = Flowed(known, fitted)
    value, mask = flowed.sample((6,)), torch.rand(6, 2, 3) < 0.5
    mask[0], mask[1] = True, False
    found = flowed.log_prob(value.where(mask, torch.nan), mask)
    u = flowed.rosenblatt(value.where(mask, torch.nan), mask)
    assert torch.equal(u.isnan(), ~mask)
    torch.testing.assert_close(found[0], flowed.log_prob(value[0]))
    for i in range(6):
        for j in range(2):
            seen = mask[i, j].nonzero()[:, 0].tolist()
            if not seen:
                assert found[i, j] == 0
                continue
            # The slope of each feature by itself, by autograd.
            place = value[i, j].clone().requires_grad_()
            latent = fitted(place)
            (slope,) = torch.autograd.grad(latent.sum(), place)
            part = known.marginal(seen)
            expected = part.log_prob(latent[seen])[j] + slope[seen].log().sum()
            torch.testing.assert_close(found[i, j], expected)
            torch.testing.assert_close(u[i, j, seen], part.rosenblatt(latent[seen])[j])
    # One mask for every frame, one frame for every mask.
    torch.testing.assert_close(
        flowed.log_prob(value, mask[2, 0]),
        torch.stack([flowed.log_prob(each, mask[2, 0].expand(2, 3)) for each in value]),
    )
    torch.testing.assert_close(
        flowed.log_prob(value[0], mask), flowed.log_prob(value[:1].expand(6, 2, 3), mask)
    )


def test_responsibilities_are_of_the_latent() -> None:
    base = test_mixture.build(test_mixture.draw((2,), 3, 1))
    flowed = Flowed(base, Sinh())
    value = torch.randn(2, 3, dtype=torch.float64)
    torch.testing.assert_close(
        flowed.responsibilities(value), base.responsibilities(torch.sinh(value))
    )
    assert flowed.component_distribution is base.component_distribution
    assert flowed.mixture_distribution is base.mixture_distribution


@pytest.mark.parametrize(
    "base",
    [
        test_mixture.build(test_mixture.draw((), 2, 1)),
        test_factorised.build(test_factorised.draw((), 2)),
    ],
    ids=["mixture", "factorised"],
)
def test_tempered_tempers_the_base(base: Distribution) -> None:
    flowed = Flowed(base, Sinh()).tempered(0.5, 2.0)
    expected = Flowed(base.tempered(0.5, 2.0), Sinh())
    value = torch.randn(4, 2, dtype=torch.float64)
    torch.testing.assert_close(flowed.log_prob(value), expected.log_prob(value))


def test_tempered_of_one_gaussian_has_no_mixing() -> None:
    base = test_gaussian.build(dense.draw_gaussian((), 2, 1))
    value = torch.randn(4, 2, dtype=torch.float64)
    torch.testing.assert_close(
        Flowed(base, Sinh()).tempered(0.5, 2.0).log_prob(value),
        Flowed(base.tempered(2.0), Sinh()).log_prob(value),
    )


def test_refuses_what_does_not_fit() -> None:
    base = test_mixture.build(test_mixture.draw((), 2, 1))
    with pytest.raises(TypeError, match="Linear lacks call_and_ladj and inv"):
        Flowed(base, torch.nn.Linear(2, 2))
    elementwise = Flowed(base, Affine(0.0, torch.ones(2, dtype=torch.float64)))
    with pytest.raises(ValueError, match=r"shape \(4,\); found \(4, 2\)"):
        elementwise.log_prob(torch.zeros(4, 2, dtype=torch.float64))
    flowed = Flowed(base, Sinh())
    for call in (
        lambda: flowed.condition(torch.zeros(2), torch.tensor([True, False])),
        lambda: flowed.marginal([0]),
    ):
        with pytest.raises(NotImplementedError, match="not closed under a flow.*head without"):
            call()
    for name in ("modes", "entropy_bounds"):
        with pytest.raises(NotImplementedError, match=f"^{name} of a flow has no formula"):
            getattr(flowed, name)()
    with pytest.raises(NotImplementedError, match="^mode of a flow has no formula"):
        _ = flowed.mode
    with pytest.raises(NotImplementedError, match="Move that module"):
        flowed.to(torch.float32)
