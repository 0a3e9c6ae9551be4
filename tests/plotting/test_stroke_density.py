from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch.distributions import Independent, Normal

from seqmdn.plotting import (
    StrokeDensity,
    density_along,
    save_stroke_density,
    stroke_density,
    stroke_density_figure,
)

FRAMES = np.array([[0, 0, 0], [8, 2, 0], [8, -2, 1], [4, 12, 0], [6, 0, 1]], dtype=float)
POINTS = FRAMES[:, :2].cumsum(axis=0)
UP = {"kind": "strokes", "y_axis": "up", "unit": "pixel"}


def _along(scales: float | list[float], shift: float = 0.0, **more: int) -> StrokeDensity:
    """A model that is right about every offset but for ``shift``."""
    loc = torch.tensor(FRAMES[:, :2]) + shift
    scale = torch.as_tensor(scales, dtype=torch.float64).expand(len(FRAMES))[:, None]
    normal = Independent(Normal(loc, scale.expand(-1, 2)), 1)
    return density_along(normal.log_prob, lambda n: normal.sample((n,)), FRAMES, UP, **more)


def _centres(found: StrokeDensity) -> tuple[np.ndarray, np.ndarray]:
    down, across = found.density.shape
    x = found.left + found.step * (np.arange(across) + 0.5)
    return np.meshgrid(x, found.bottom + found.step * (np.arange(down) + 0.5))


@pytest.mark.parametrize("scale", [0.001, 0.3, 2.0])
def test_it_integrates_to_the_number_of_steps(scale: float) -> None:
    found = _along(scale)
    assert found.integral == pytest.approx(5, rel=0.002) and found.steps == 5


def test_the_map_is_the_sum_of_the_densities() -> None:
    scales = [0.7, 1.0, 3.0, 1.5, 0.8]
    found = _along(scales, cells=200)
    x, y = _centres(found)
    expected = np.zeros_like(x)
    for (a, b), s in zip(POINTS, scales, strict=True):
        expected += np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * s**2)) / (2 * np.pi * s**2)
    assert np.abs(found.density - expected).max() < 0.03 * expected.max()


def test_it_is_highest_where_the_pen_is_expected() -> None:
    for shift in (0.0, 1.5):
        found = _along([0.5, 0.5, 0.5, 0.2, 0.5], shift)
        x, y = _centres(found)
        top = found.density.argmax()
        place = POINTS[3] + shift
        assert np.hypot(x.flat[top] - place[0], y.flat[top] - place[1]) < 2 * found.step + 0.02


def test_blocks_do_not_change_it_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    whole = _along(1.0)
    sizes: list[int] = []
    normal = Normal(torch.tensor(FRAMES[:, :2]), torch.tensor(1.0, dtype=torch.float64))

    def log_prob(offsets: torch.Tensor) -> torch.Tensor:
        sizes.append(offsets.shape[0] * offsets.shape[1])
        return normal.log_prob(offsets).sum(-1)

    monkeypatch.setattr(stroke_density, "_BLOCK", 500)
    torch.manual_seed(1)
    parts = density_along(log_prob, lambda n: normal.sample((n,)), FRAMES, UP)
    np.testing.assert_allclose(parts.density, whole.density, atol=1e-12)
    assert max(sizes) <= 500 and sum(sizes) == 5 * 64 * 64


def test_a_step_that_expects_everything_does_not_make_the_plane_huge() -> None:
    found = _along([0.5, 0.5, 1e4, 0.5, 0.5])
    assert found.step * max(found.density.shape) <= 2.1 * np.ptp(POINTS, axis=0).max()
    assert found.integral == pytest.approx(4, abs=0.02)


def _image(figure: Figure) -> np.ndarray:
    return np.asarray(figure.axes[0].get_images()[0].get_array())


@pytest.mark.parametrize("y_axis", ["up", "down"])
def test_the_picture_has_a_floor_and_the_strokes(y_axis: str) -> None:
    found = _along(0.5)
    figure = stroke_density_figure(found, {**UP, "y_axis": y_axis}, floor=0.01)
    axes, bar = figure.axes
    shown, top = _image(figure), found.density.max()
    assert shown.min() == pytest.approx(0.01 * top) and shown.max() == top
    np.testing.assert_array_equal(
        shown[found.density > 0.01 * top], found.density[found.density > 0.01 * top]
    )
    (lines,) = axes.collections
    for line, expected in zip(lines.get_segments(), [POINTS[:3], POINTS[3:]], strict=True):
        np.testing.assert_array_equal(line, expected)
    assert axes.yaxis_inverted() == (y_axis == "down")
    assert "1/pixel²" in bar.get_xlabel() and "0.01 of the highest" in bar.get_xlabel()
    assert "5 steps" in bar.get_xlabel()
    left, right, bottom, up = axes.get_images()[0].get_extent()
    assert (right - left) / found.density.shape[1] == pytest.approx(found.step)
    assert (left, bottom) == (found.left, found.bottom) and up > bottom


def test_it_is_written_and_bad_input_is_refused(tmp_path: Path) -> None:
    normal = Independent(Normal(torch.tensor(FRAMES[:, :2]), torch.ones(5, 2)), 1)

    def sample(count: int) -> torch.Tensor:
        return normal.sample((count,))

    save_stroke_density(tmp_path / "a.png", normal.log_prob, sample, FRAMES, UP)
    assert [each.name for each in tmp_path.iterdir()] == ["a.png"]
    with pytest.raises(ValueError, match=r"ends in \.png or \.svg"):
        save_stroke_density(tmp_path / "a.gif", normal.log_prob, sample, FRAMES, UP)
    with pytest.raises(ValueError, match=r"draws of shape \(256, 5, 2\).*found \(256, 4, 2\)"):
        density_along(normal.log_prob, lambda n: sample(n)[:, :4], FRAMES, UP)
    with pytest.raises(ValueError, match=r"log-densities of shape \(4096, 5\) without NaN"):
        density_along(lambda o: normal.log_prob(o) * np.nan, sample, FRAMES, UP)
    with pytest.raises(ValueError, match="at least one frame, all finite"):
        density_along(normal.log_prob, sample, FRAMES * np.nan, UP)
    found = density_along(normal.log_prob, sample, FRAMES, UP)
    with pytest.raises(ValueError, match="floor between 0 and 1"):
        stroke_density_figure(found, UP, floor=0)
