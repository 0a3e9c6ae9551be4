"""Univariate maps: the same as zuko's, with parameters in front."""

from collections.abc import Callable

import pytest
import torch

from seqmdn.flows import Flow
from seqmdn.flows.rational_quadratic import RationalQuadratic
from seqmdn.flows.univariate import Affine, Univariate
from tests.contracts import perturbed
from tests.flows.kinds import SPLINES


@pytest.mark.parametrize("maps", [Affine(), RationalQuadratic(2, 1.0), RationalQuadratic(8, 5.0)])
@pytest.mark.parametrize("strength", [0.0, 1.0, 30.0])
def test_they_are_zukos(maps: Univariate, strength: float) -> None:
    count = sum(size[0] if size else 1 for size in maps.sizes)
    phi = strength * torch.randn(count, 7, 500, dtype=torch.float64)
    x = 4 * torch.randn(7, 500, dtype=torch.float64)
    # Borders of the box, and far out.
    x[:, :8] = torch.tensor([-5.0, 5.0, -1.0, 1.0, 0.0, 20.0, -20.0, 1e6])
    sizes = [size[0] if size else 1 for size in maps.sizes]
    parts = [
        part.movedim(0, -1) if size else part.squeeze(0)
        for part, size in zip(phi.split(sizes), maps.sizes, strict=True)
    ]
    theirs = maps.reference(*parts)
    z, ladj = maps.call_and_ladj(x, phi)
    expected, slope = theirs.call_and_ladj(x)
    torch.testing.assert_close(z, expected, rtol=1e-9, atol=1e-9)
    inner = torch.ones_like(x, dtype=torch.bool)
    inner[:, :5] = False  # at a border, either piece's slope is right
    torch.testing.assert_close(ladj[inner], slope[inner], rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(maps.inverse(z, phi), x, rtol=1e-6, atol=1e-6)


def test_pieces_meet_at_their_ends() -> None:
    maps = RationalQuadratic(4, 2.0)
    phi = torch.randn(11, 1, dtype=torch.float64).expand(11, 100_001)
    x = torch.linspace(-2.5, 2.5, 100_001, dtype=torch.float64)
    z, ladj = maps.call_and_ladj(x, phi)
    steps = z.diff()
    assert (steps > 0).all()
    # The slope is continuous as well: the middle's is that of the step.
    torch.testing.assert_close(steps / 5e-5, (ladj[1:] + ladj[:-1]).div(2).exp(), rtol=0, atol=1e-2)


@pytest.mark.parametrize("make", SPLINES)
def test_splines_leave_the_tails_alone(make: Callable[..., Flow]) -> None:
    transform = perturbed(make(2, bound=3.0), 0.1)()
    y = torch.tensor([[3.1, -20.0], [-4.0, 3.5], [1e4, -1e4]])
    z, ladj = transform.call_and_ladj(y)
    assert torch.equal(z, y) and torch.equal(ladj, torch.zeros(3))
    inside = transform(torch.rand(50, 2) * 6 - 3)
    assert inside.abs().max() <= 3.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bins": 1}, "at least 2 bins, found 1"),
        ({"bound": 0.0}, "bound must be positive, found 0.0"),
        ({"bound": float("nan")}, "bound must be positive, found nan"),
    ],
)
@pytest.mark.parametrize("make", SPLINES)
def test_splines_say_what_does_not_fit(
    make: Callable[..., Flow], arguments: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(2, **arguments)
