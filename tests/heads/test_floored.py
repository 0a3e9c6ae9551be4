"""Deviations with a floor: what the floor is, and what it costs."""

import math

import pytest
import torch

from seqmdn.heads import FlooredMixtureHead
from tests.contracts import perturbed


def test_a_deviation_is_the_floor_and_a_softplus() -> None:
    head = FlooredMixtureHead(2, 4, components=3, narrowest=0.1).double()
    raw = torch.linspace(-30, 30, 61).double()
    found = (head._make_positive(raw) + head.floor).rsqrt()
    torch.testing.assert_close(found, 0.1 + raw.exp().log1p(), rtol=1e-3, atol=0)
    assert found.min() >= 0.1 and found[0] < 0.1 + 1e-12
    # Whatever the floor of the precision, the narrowest deviation is as it was asked for.
    other = FlooredMixtureHead(2, 4, narrowest=0.1, floor=50.0).double()
    found = (other._make_positive(raw) + other.floor).rsqrt()
    torch.testing.assert_close(found[0].item(), 0.1, rtol=1e-9, atol=0)
    assert found.max() <= 50**-0.5


@pytest.mark.parametrize("narrowest", [0.1, 0.01])
@pytest.mark.parametrize("factorised", [False, True])
def test_no_density_exceeds_that_of_the_narrowest_gaussian(
    narrowest: float, factorised: bool
) -> None:
    D = 3
    head = FlooredMixtureHead(D, 4, 1, narrowest, factorised).double()
    most = -D * (math.log(narrowest) + 0.5 * math.log(2 * math.pi))
    assert most / D == pytest.approx(-math.log(narrowest) - 0.919, abs=1e-3)
    with torch.no_grad():  # where a training on one value over and over would end
        offsets = head._split(head.projection.bias)
        offsets["loc"].fill_(0.7)
        offsets["diagonal"].fill_(-50)
    best = head(torch.zeros(4).double()).log_prob(torch.full((D,), 0.7).double()).item()
    assert best == pytest.approx(most, abs=1e-9) and best <= most + 1e-12
    # Nor that of any mixture, at the means of its components.
    mixture = perturbed(FlooredMixtureHead(1, 4, 5, narrowest), 9.0)(torch.randn(40, 4))
    places = mixture.component_distribution.loc.transpose(0, 1)  # (K, 40, 1)
    assert mixture.log_prob(places).max() <= most / D + 1e-5


def test_initialise_knows_the_floor() -> None:
    values = torch.cat((torch.full((100, 1), 3.0), torch.full((100, 1), 8.0) + 0.5))
    values = values + 0.3 * torch.randn(200, 1, generator=torch.Generator().manual_seed(0))
    head = FlooredMixtureHead(1, 4, components=2)
    head.initialise(values)
    deviation = head(torch.zeros(4)).component_distribution.variance.sqrt()
    torch.testing.assert_close(deviation, torch.full((2, 1), 0.3), atol=0.02, rtol=0)
    # Where the data are narrower than the floor, it begins beside it and goes on learning.
    head.initialise(values.round())
    head(torch.zeros(4)).log_prob(values[:1]).backward()
    raw = head._split(head.projection.bias.grad)["diagonal"]
    assert raw.isfinite().all() and raw.any()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"narrowest": 0.0}, "narrowest must be positive .* found 0.0"),
        ({"narrowest": float("nan")}, "narrowest must be positive .* found nan"),
        ({"narrowest": 2.0, "floor": 0.25}, "below floor.* found 2.0 and a floor of 0.25"),
        ({"floor": 0.0}, "floor must be positive, found 0.0"),
        ({"components": 0}, "components must be at least 1, found 0"),
    ],
)
def test_bounds_that_leave_nothing_are_refused(options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FlooredMixtureHead(2, 4, **options)
