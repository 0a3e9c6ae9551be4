"""Convolutions on levels: their shapes, what a point sees, what moves with the grid."""

import pytest
import torch
from torch.nn import functional as F

from seqmdn.models.neural_process.pyramid import Pyramid
from tests.contracts import perturbed


def build(dimensions: int, channels: tuple[int, ...], depth: int = 1) -> Pyramid:
    torch.manual_seed(0)
    return perturbed(Pyramid(dimensions, 2, channels, kernel=3, depth=depth), 0.2).double()


@pytest.mark.parametrize("dimensions", [1, 2])
@pytest.mark.parametrize("channels", [(4,), (3, 5), (3, 4, 5)])
def test_shapes_and_gradients(dimensions: int, channels: tuple[int, ...]) -> None:
    pyramid = build(dimensions, channels, depth=2)
    assert pyramid.divisor == 2 ** (len(channels) - 1)
    size = (8, 12)[:dimensions]
    found = pyramid(torch.randn(2, 2, *size).double())
    assert found.shape == (2, channels[0], *size)
    found.square().sum().backward()
    for name, parameter in pyramid.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def test_two_levels_are_what_they_are_by_hand() -> None:
    pyramid = build(1, (3, 5))
    grid = torch.randn(2, 2, 8).double()
    fine = pyramid.first(grid)
    fine = fine + pyramid.falling[0][0](F.silu(fine))
    coarse = pyramid.down[0](F.silu(fine))
    assert coarse.shape == (2, 5, 4)
    coarse = coarse + pyramid.falling[1][0](F.silu(coarse))
    back = pyramid.up[0](F.silu(coarse))
    # Each point is a quarter of a coarse step from the nearest coarse one, or at the edge.
    near, other = back.repeat_interleave(2, -1), back.repeat_interleave(2, -1).clone()
    other[..., 2::2], other[..., 1:-1:2] = back[..., :-1], back[..., 1:]
    out = fine + 0.75 * near + 0.25 * other
    torch.testing.assert_close(pyramid(grid), out + pyramid.rising[0][0](F.silu(out)))


@pytest.mark.parametrize("channels", [(3,), (3, 4), (3, 4, 5)])
@pytest.mark.parametrize("dimensions", [1, 2])
def test_it_moves_with_its_grid(dimensions: int, channels: tuple[int, ...]) -> None:
    pyramid = build(dimensions, channels)
    step, axes = pyramid.divisor, tuple(range(2, 2 + dimensions))
    grid = torch.zeros(1, 2, *(96,) * dimensions).double()
    middle = (slice(None), slice(None), *(slice(44, 48),) * dimensions)
    grid[middle] = torch.randn(grid[middle].shape).double()
    found = pyramid(grid)
    moved = pyramid(grid.roll((step,) * dimensions, axes)).roll((-step,) * dimensions, axes)
    away = (slice(None), slice(None), *(slice(36, 60),) * dimensions)
    torch.testing.assert_close(moved[away], found[away])
    assert (found[away] - pyramid(torch.zeros_like(grid))[away]).abs().max() > 1e-2


@pytest.mark.parametrize("dimensions", [1, 2])
def test_what_is_the_same_everywhere_stays_so(dimensions: int) -> None:
    found = build(dimensions, (3, 4, 5))(torch.ones(1, 2, *(96,) * dimensions).double())
    away = found[(slice(None), slice(None), *(slice(36, 60),) * dimensions)].flatten(2)
    torch.testing.assert_close(away, away[..., :1].expand_as(away))


def test_coarser_levels_see_farther() -> None:
    reached = []
    for channels in [(3,), (3, 4), (3, 4, 5)]:
        grid = torch.randn(1, 2, 64).double().requires_grad_()
        (slope,) = torch.autograd.grad(build(1, channels)(grid)[0, :, 32].sum(), grid)
        reached.append(int(slope[0].ne(0).any(0).sum()))
    assert reached[0] == 5 and reached[0] < reached[1] < reached[2]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="kernel must be odd, to have a middle, found 4"):
        Pyramid(1, 2, (4,), kernel=4)
    for channels in [(), (4, 0)]:
        with pytest.raises(ValueError, match="channels must be one number of at least 1 for each"):
            Pyramid(1, 2, channels)
    with pytest.raises(ValueError, match="depth must be at least 1, found 0"):
        Pyramid(1, 2, (4,), depth=0)
