"""The logit as a flow: borders, inverse, integral, and its place before others."""

import pytest
import torch

from seqmdn import data
from seqmdn.distributions import Flowed, LowRankPrecisionNormal
from seqmdn.flows import AffineCoupling, Logit, Sequential
from tests.contracts import perturbed


def test_it_is_the_data_transform_in_the_place_of_a_flow() -> None:
    frames = torch.rand(200, 2) * 0.98 + 0.01
    flow, transform = Logit(2), data.Logit(2).fit(frames)
    flow.initialise(frames)
    for found, expected in zip(
        flow().call_and_ladj(frames), transform.call_and_ladj(frames), strict=True
    ):
        assert torch.equal(found, expected)
    fresh = Logit(2)
    fresh.load_state_dict(flow.state_dict())
    assert torch.equal(fresh()(frames), flow()(frames))
    assert not list(flow.parameters())


def test_there_and_back_and_the_slope() -> None:
    flow = Logit(3, 4, low=-1.0, high=[1.0, 2.0, 30.0])
    y = torch.rand(100, 3) * torch.tensor([2.0, 3.0, 31.0]) - 1
    transform = flow(torch.zeros(100, 4))
    z, ladj = transform.call_and_ladj(y)
    torch.testing.assert_close(transform.inv(z), y, atol=1e-5, rtol=0)
    jacobian = torch.autograd.functional.jacobian(lambda y: transform(y).sum(0), y)
    slopes = jacobian.diagonal(dim1=0, dim2=2).log().sum(-1)
    torch.testing.assert_close(ladj, slopes, atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match="context of 4 features, found none"):
        flow()


def test_a_chain_behind_it_is_a_density_on_the_interval() -> None:
    flow = perturbed(Sequential(2, 0, [Logit, AffineCoupling]), 0.2)
    density = Flowed(LowRankPrecisionNormal(torch.zeros(2), torch.full((2,), 4.0)), flow())
    axis = (torch.arange(400) + 0.5) / 400
    with torch.no_grad():
        total = density.log_prob(torch.cartesian_prod(axis, axis)).exp().mean()
    assert float(total) == pytest.approx(1, abs=1e-3)
    draws = density.sample((1000,))
    assert draws.min() > 0 and draws.max() < 1


@pytest.mark.parametrize("value", [0.0, 1.0, 1.5, float("nan")])
def test_a_value_outside_is_refused(value: float) -> None:
    y = torch.full((4, 2), 0.5)
    y[2, 1] = value
    with pytest.raises(ValueError, match=r"strictly inside \(0, 1\), found .* frame 2, feature 1"):
        Logit(2)().call_and_ladj(y)


def test_borders_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="expected low below high"):
        Logit(2, low=1.0, high=0.0)
