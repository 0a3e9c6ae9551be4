"""Autoregressive maps: their order, one feature, and the inverse kind."""

import pytest
import torch
from torch.distributions import Normal

from seqmdn.flows import InverseAutoregressive, MaskedAutoregressive
from tests.contracts import perturbed


def test_an_unknown_univariate_map_is_refused() -> None:
    for make in (MaskedAutoregressive, InverseAutoregressive):
        with pytest.raises(ValueError, match="'affine' or 'spline', found 'cubic'"):
            make(2, univariate="cubic")


@pytest.mark.parametrize("context", [0, 4], ids=["shared", "conditional"])
@pytest.mark.parametrize("univariate", ["affine", "spline"])
@pytest.mark.parametrize("make", [MaskedAutoregressive, InverseAutoregressive])
def test_one_feature_has_a_flow(make: type, univariate: str, context: int) -> None:
    flow = make(1, context, univariate=univariate)
    h = torch.randn(context) if context else None
    y = torch.linspace(-4, 4, 50).unsqueeze(-1)
    z, ladj = flow(h).call_and_ladj(y)
    torch.testing.assert_close(z, y, atol=5e-6, rtol=0)
    transform = perturbed(flow, 0.1 if context else 0.3)(h)
    z, ladj = transform.call_and_ladj(y)
    torch.testing.assert_close(transform.inv(z), y, atol=1e-5, rtol=0)
    slope = torch.autograd.functional.jacobian(lambda y: transform(y).sum(0), y)[0, :, 0]
    torch.testing.assert_close(ladj, slope.log(), atol=1e-4, rtol=0)
    assert ladj.abs().max() > 0.05
    axis = torch.linspace(-40, 40, 20_001).unsqueeze(-1)
    z, ladj = transform.call_and_ladj(axis)
    density = (Normal(0.0, 1.0).log_prob(z.squeeze(-1)) + ladj).exp()
    assert float(density.detach().sum() * 0.004) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("univariate", ["affine", "spline"])
def test_maps_take_the_features_in_turn(univariate: str) -> None:
    first = perturbed(MaskedAutoregressive(4, transforms=1, univariate=univariate), 0.2)
    jacobian = torch.autograd.functional.jacobian(first(), torch.randn(4))
    assert torch.equal(jacobian, jacobian.tril())
    assert (jacobian[torch.ones(4, 4).tril().bool()].abs() > 0).all()
    both = perturbed(MaskedAutoregressive(4, transforms=2, univariate=univariate), 0.2)
    second = both.transforms[1]()
    jacobian = torch.autograd.functional.jacobian(second, torch.randn(4))
    assert torch.equal(jacobian, jacobian.triu()), "the second map must reverse the order"


@pytest.mark.parametrize("univariate", ["affine", "spline"])
def test_the_inverse_kind_draws_in_one_pass(univariate: str) -> None:
    masked = perturbed(MaskedAutoregressive(6, 2, univariate=univariate), 0.2).double()
    inverse = InverseAutoregressive(6, 2, univariate=univariate).double()
    inverse.load_state_dict(masked.state_dict())
    h, y = torch.randn(9, 2).double(), torch.randn(9, 6).double()
    there, back = masked(h), inverse(h)
    torch.testing.assert_close(back.inv(y), there(y))
    torch.testing.assert_close(back(y), there.inv(y))
    passes = [0]
    for part in inverse.transforms:
        part.hyper[1].register_forward_hook(lambda *_: passes.__setitem__(0, passes[0] + 1))
    back = inverse(h)
    back.inv(y)
    assert passes == [2], "one pass for each of the two maps"
    back(y)
    assert passes == [2 + 2 * 6]


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("context", [0, 2], ids=["shared", "conditional"])
def test_the_way_back_asks_the_network_feature_by_feature(layers: int, context: int) -> None:
    flow = MaskedAutoregressive(5, context, layers=layers, hidden=8, univariate="spline").double()
    h = torch.randn(7, context).double() if context else None
    z = torch.randn(7, 5).double()
    transform = perturbed(flow, 0.2)(h)
    y = transform.inv(z)
    torch.testing.assert_close(transform(y), z)
    assert (y - z).abs().max() > 0.05
