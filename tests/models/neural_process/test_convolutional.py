"""The grid: what is drawn on it and read from it, that it moves along, and where it ends."""

from collections.abc import Sequence

import pytest
import torch
from torch.nn import functional as F

from seqmdn.models.neural_process import ConvolutionalEncoder
from tests.contracts import perturbed
from tests.models.neural_process.kinds import D, X, points


def build(
    inputs: int = 1, channels: Sequence[int] = (3, 4), reach: float = 12.0, resolution: float = 2.0
) -> ConvolutionalEncoder:
    torch.manual_seed(0)
    encoder = ConvolutionalEncoder(
        inputs, D, 8, 1, channels, kernel=3, reach=reach, margin=0.0, resolution=resolution
    )
    return perturbed(encoder, 0.2).double()


def given_points(inputs: int) -> tuple[torch.Tensor, ...]:
    x, *rest = points()
    return x[..., :inputs], *rest


def test_the_grid_is_as_its_arguments_say() -> None:
    for reach, resolution, count in [(2.0, 16.0, 72), (2.0, 4.0, 24), (3.5, 16.0, 120)]:
        encoder = ConvolutionalEncoder(1, 1, reach=reach, resolution=resolution)
        assert encoder.network.divisor == 8 and len(encoder.grid) == count
        torch.testing.assert_close(encoder.grid, -encoder.grid.flip(0))
        assert encoder.grid[-1] + 0.5 / resolution >= reach + 0.1
        torch.testing.assert_close(encoder.grid.diff(), torch.full((count - 1,), 1 / resolution))


def test_points_are_drawn_and_read_as_the_formula_says() -> None:
    encoder = build(2, reach=3.0)
    x, y, given, present = given_points(2)
    h, _ = encoder(x, y, given, present)
    grid = torch.cartesian_prod(encoder.grid, encoder.grid)  # (G^2, 2)
    drawn, read = encoder.log_lengths.exp() / 2  # two points of the grid a unit
    near = torch.cdist(grid, x[0, :3]).square()
    weights = (-0.5 * near / drawn**2).exp()
    density = weights.sum(1, keepdim=True)
    seen = torch.cat((density, weights @ y[0, :3] / (density + 1e-4)), dim=1)
    found = encoder.network(seen.T.reshape(1, 1 + D, *[len(encoder.grid)] * 2))
    weights = (-0.5 * torch.cdist(x[0], grid).square() / read**2).softmax(-1)
    expected = encoder.decoder(F.silu(weights @ found[0].flatten(1).T))
    torch.testing.assert_close(h[0], expected)


@pytest.mark.parametrize("channels", [(4,), (3, 4), (3, 4, 5)])
@pytest.mark.parametrize("inputs", [1, 2])
def test_it_moves_with_its_points_by_whole_cells(inputs: int, channels: Sequence[int]) -> None:
    encoder = build(inputs, channels, reach=18.0)
    x, y, given, present = given_points(inputs)
    x = x.clamp(-2, 2)
    h, task = encoder(x, y, given, present)
    cell = encoder.network.divisor / encoder.resolution
    moved, same = encoder(x - cell, y, given, present)
    torch.testing.assert_close(moved[present], h[present])
    torch.testing.assert_close(same, task)
    moved, _ = encoder(x - cell * given.unsqueeze(-1), y, given, present)
    assert (moved[0, 3:] - h[0, 3:]).abs().max() > 1e-3, "without its targets"
    # With nothing given, all places are alike.
    prior, _ = encoder(x, y, given & False, present)
    first = prior[0, :1].expand_as(prior[present])
    torch.testing.assert_close(prior[present], first)


def test_beyond_the_grid_it_is_as_at_its_edge_and_nothing_is_seen_there() -> None:
    encoder = build(1, reach=3.0)
    x, y, given, present = given_points(1)
    x[0, 5], x[0, 6] = encoder.grid[-1] + 50, encoder.grid[-1] + 500
    h, _ = encoder(x, y, given, present)
    torch.testing.assert_close(h[0, 5], h[0, 6])
    x[0, :3] += 100
    far, _ = encoder(x, y, given, present)
    nothing, _ = encoder(x, y, given & False, present)
    torch.testing.assert_close(far[0, 3:], nothing[0, 3:])


def test_another_batch_has_the_same_grid() -> None:
    encoder = build(1, reach=3.0)
    x, y, given, present = given_points(1)
    h, _ = encoder(x, y, given, present)
    x[1:] *= 3
    found, _ = encoder(x, y, given, present)
    torch.testing.assert_close(found[0], h[0])


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="a grid expected 1 or 2 inputs, found 3: use an Att"):
        ConvolutionalEncoder(3, D)
    for options in ({"reach": 0.0}, {"resolution": -1.0}, {"margin": -0.5}, {"reach": torch.inf}):
        with pytest.raises(ValueError, match="a reach and a resolution above 0 and a margin of at"):
            ConvolutionalEncoder(X, D, **options)
    with pytest.raises(ValueError, match="kernel must be odd"):
        ConvolutionalEncoder(X, D, kernel=2)
    with pytest.raises(ValueError, match="channels must be one number of at least 1 for each"):
        ConvolutionalEncoder(X, D, channels=[])
