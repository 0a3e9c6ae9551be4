"""The map that keeps distances: its bounds hold, whatever is done to its weights."""

import pytest
import torch

from seqmdn.models.neural_process.lipschitz import BiLipschitzMap
from tests.contracts import perturbed


def pairs(inputs: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pairs of points near to each other and far apart."""
    generator = torch.Generator().manual_seed(1)
    x = 2 * torch.randn(4000, inputs, generator=generator).double()
    step = torch.randn(4000, inputs, generator=generator).double()
    return x, x + step * 10 ** (4 * torch.rand(4000, 1, generator=generator).double() - 3)


def ratios(places: BiLipschitzMap, inputs: int) -> torch.Tensor:
    x, other = pairs(inputs)
    with torch.no_grad():
        return (places(x) - places(other)).norm(dim=-1) / (x - other).norm(dim=-1)


def assert_bounds_hold(places: BiLipschitzMap, inputs: int) -> None:
    low, high = places.bounds
    found = ratios(places, inputs)
    assert low * (1 - 1e-6) <= found.min() and found.max() <= high * (1 + 1e-6)


@pytest.mark.parametrize("contraction", [0.3, 0.9])
@pytest.mark.parametrize("inputs", [1, 3])
@pytest.mark.parametrize("strength", [0.0, 0.3, 5.0])
def test_bounds_hold_whatever_the_weights(inputs: int, contraction: float, strength: float) -> None:
    torch.manual_seed(0)
    places = BiLipschitzMap(inputs, 6, layers=2, hidden=8, contraction=contraction).double()
    assert places.bounds == ((1 - contraction) ** 2, (1 + contraction) ** 2)
    # In training and after it: nothing is estimated that a first step would have to find.
    for training in (True, False):
        assert_bounds_hold(perturbed(places.train(training), strength), inputs)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_bounds_are_reached_by_weights_that_try_to(sign: float) -> None:
    places = BiLipschitzMap(1, 2, layers=2, hidden=1, contraction=0.6).double()
    with torch.no_grad():
        for layer in places.layers:
            layer.inner.weight.copy_(torch.tensor([[10.0, 0.0]]))
            layer.outer.weight.copy_(torch.tensor([[10.0 * sign], [0.0]]))
            layer.inner.bias.zero_()
        x = torch.tensor([[0.0], [1e-6]]).double()
        slope = (places(x)[1] - places(x)[0]).norm() / 1e-6
    assert slope.item() == pytest.approx(places.bounds[int(sign > 0)], rel=1e-3)


def test_bounds_hold_after_training_against_them() -> None:
    torch.manual_seed(0)
    places = BiLipschitzMap(1, 4, layers=2, hidden=8, contraction=0.5).double()
    begun = ratios(places, 1)
    optimiser = torch.optim.Adam(places.parameters(), lr=0.03)
    x = torch.linspace(-1, 1, 50).double().unsqueeze(-1)
    for _ in range(150):
        optimiser.zero_grad()
        # A loss that is lowest where all points fall together.
        places(x).square().sum().backward()
        optimiser.step()
    assert ratios(places, 1).min() < 0.7 * begun.min(), "it has tried to"
    assert_bounds_hold(places, 1)
    fresh = BiLipschitzMap(1, 4, layers=2, hidden=8, contraction=0.5).double().eval()
    fresh.load_state_dict(places.state_dict())
    assert torch.equal(fresh(x), places(x))


def test_where_weights_are_small_they_are_left_alone() -> None:
    places = BiLipschitzMap(2, 3, layers=1, hidden=4).double()
    (layer,) = places.layers
    with torch.no_grad():
        layer.inner.weight.mul_(0.1)
    x = torch.randn(5, 2).double()
    u = torch.cat((x, torch.zeros(5, 1).double()), dim=-1)
    expected = u + layer.inner(u).tanh() @ layer.outer.weight.T
    torch.testing.assert_close(places(x), expected)


def test_what_cannot_be_is_refused() -> None:
    for sizes, words in [
        ({"features": 1}, "features must be at least the 2 inputs, found 1"),
        ({"contraction": 1.0}, "contraction must be above 0 and below 1, found 1.0"),
        ({"contraction": 0.0}, "contraction must be above 0 and below 1, found 0.0"),
        ({"layers": 0}, "layers must be at least 1, found 0"),
    ]:
        with pytest.raises(ValueError, match=words):
            BiLipschitzMap(**{"inputs": 2, "features": 4, **sizes})
