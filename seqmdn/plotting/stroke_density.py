"""Where a model expects the pen to go next, summed over all points of a drawing."""

from __future__ import annotations

__all__ = ["StrokeDensity", "density_along", "save_stroke_density", "stroke_density_figure"]

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from seqmdn.plotting.page import check_ending, style, write
from seqmdn.plotting.rows import Array
from seqmdn.plotting.strokes import stroke_lines

if TYPE_CHECKING:
    from torch import Tensor

_WINDOW = 64  # points of a step's own grid, across and down
_DRAWS = 256  # of each step, to see where its density is
_BLOCK = 200_000  # offsets evaluated at once
_WIDTH = 9.0  # inches


@dataclass(frozen=True)
class StrokeDensity:
    """A sum of densities over the plane.

    Attributes:
        density: The sum in cells of the plane, (Y, X), in 1 / unit²; y as in the data.
        left: The lowest x of the plane.
        bottom: The lowest y of the plane.
        step: The side of a cell.
        lines: The strokes of the drawing, (P, 2) each.
        steps: The number of densities that were summed, T: what the map integrates to where all of
            them lie inside.
    """

    density: Array
    left: float
    bottom: float
    step: float
    lines: tuple[Array, ...]
    steps: int

    @property
    def integral(self) -> float:
        """What the map integrates to; what lies outside it or between its points misses."""
        return float(self.density.sum() * self.step**2)


def density_along(
    log_prob: Callable[[Tensor], Tensor],
    sample: Callable[[int], Tensor],
    frames: npt.ArrayLike,
    attributes: Mapping[str, Any],
    *,
    cells: int = 500,
) -> StrokeDensity:
    r"""Sum the predicted density of the next pen position over all steps of a drawing:

    .. math::
        s(x) = \sum_{t=1}^T p_t(x - x_{t-1})

    with the pen at :math:`x_t` after step t, as it really was. The density of a step is evaluated
    on a grid of its own, 64 x 64 points over the middle 99 % of draws and a third more on each
    side, and spread over the cells of the plane that it covers. So a narrow density keeps its mass
    on a coarse plane. Mass outside the drawing by more than half its size is left out.

    Args:
        log_prob: Takes offsets (N, T, 2) and gives the log-density (N, T) of each at its step, in
            the unit of the data: the ``log_prob`` of a distribution with batch shape (T,).
        sample: Takes S and draws as many offsets a step, (S, T, 2).
        frames: The real pen points, (T, 3) or wider: [dx, dy, end, ...].
        attributes: How the data want to be seen (:mod:`seqmdn.plotting`).
        cells: The cells of the plane along its longer side.

    Raises:
        ValueError: If the frames are none, not (T, 3) or wider or not finite, or the draws or the
            log-densities are not of the shapes above or not finite.

    References:
        Graves, Generating Sequences With Recurrent Neural Networks (2013), figure 10,
        https://arxiv.org/abs/1308.0850

    Example:
        >>> import torch
        >>> from torch.distributions import Independent, Normal
        >>> near = Independent(Normal(torch.zeros(3, 2), 0.2), 1)
        >>> walk = [[0, 0, 0], [1, 0, 0], [1, 0, 1]]
        >>> found = density_along(near.log_prob, lambda n: near.sample((n,)), walk, {})
        >>> round(found.integral, 1)
        3.0
    """
    import torch  # takes seconds, and no other picture needs it

    pen = np.asarray(frames, dtype=np.float64)  # (T, 3+)
    lines = stroke_lines(pen, attributes.get("resolution"))
    if not len(pen) or not np.isfinite(pen).all():
        raise ValueError(f"expected at least one frame, all finite; found {pen.shape}: draw again")
    points = np.concatenate(lines)  # (T, 2)
    before = np.pad(points[:-1], ((1, 0), (0, 0)))
    with torch.no_grad():
        draws = torch.as_tensor(sample(_DRAWS))
        _check("draws", draws, (_DRAWS, len(pen), 2))
        low, high = _windows(draws)  # (T, 2)
        density = _evaluated(log_prob, low, high)  # (T, _WINDOW, _WINDOW): down, across
    first, last = before + low.double().cpu().numpy(), before + high.double().cpu().numpy()
    near, far = points.min(axis=0), points.max(axis=0)
    room = max((far - near).max(), np.median(last - first)) / 2
    near, far = np.maximum(first.min(axis=0), near - room), np.minimum(last.max(axis=0), far + room)
    step = float((far - near).max() / cells)
    across, down = np.maximum(np.ceil((far - near) / step).astype(int), 1)
    plane = np.zeros((down, across))
    for t, own in enumerate(density):
        x, columns = _overlap(first[t, 0], last[t, 0], near[0], step, across)
        y, rows = _overlap(first[t, 1], last[t, 1], near[1], step, down)
        plane[y, x] += rows @ own @ columns.T / step**2
    return StrokeDensity(plane, float(near[0]), float(near[1]), step, tuple(lines), len(pen))


def stroke_density_figure(
    found: StrokeDensity, attributes: Mapping[str, Any], *, floor: float = 1e-3
) -> Figure:
    """Draw a sum of densities as a heat map with the strokes over it.

    Colours are logarithmic, from ``floor`` times the highest value to the highest; what is lower
    looks like the floor.

    Raises:
        ValueError: If the floor is not between 0 and 1, or the map is zero everywhere.
    """
    top = float(found.density.max())
    if not 0 < floor < 1 or not top > 0:
        raise ValueError(
            f"expected a floor between 0 and 1 and a map above 0 somewhere; found {floor} and {top}"
        )
    # Of a wide plane most may be dark: what is above the floor, and the strokes, are shown.
    size = np.array(found.density.shape)[::-1]
    rows, columns = np.nonzero(found.density > floor * top)
    corner = np.array([found.left, found.bottom])
    bright = corner + found.step * np.array(
        [[columns.min(), rows.min()], [columns.max() + 1, rows.max() + 1]]
    )
    shown = np.concatenate([bright, *found.lines])
    low, high = shown.min(axis=0), shown.max(axis=0)
    margin = 0.03 * (high - low).max()
    low, high = low - margin, high + margin
    across, down = high - low
    unit = str(attributes.get("unit", "unit"))
    with style():
        height = float(np.clip(_WIDTH * down / across, 1.2, 7.0)) + 0.6
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        axes = figure.add_subplot()
        image = axes.imshow(
            np.maximum(found.density, floor * top),
            origin="lower",
            extent=tuple(np.stack([corner, corner + found.step * size], axis=1).ravel()),
            cmap="magma",
            norm=LogNorm(floor * top, top),
            interpolation="nearest",
        )
        axes.add_collection(
            LineCollection(list(found.lines), colors="white", linewidths=0.7, alpha=0.75)
        )
        dots = np.array([line[0] for line in found.lines if len(line) == 1]).reshape(-1, 2)
        axes.plot(*dots.T, "o", color="white", markersize=1.5, alpha=0.75)
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xticks=[], yticks=[])
        axes.set_facecolor(image.get_cmap()(0.0))
        axes.spines[:].set_visible(False)
        if attributes.get("y_axis") != "up":
            axes.invert_yaxis()
        bar = figure.colorbar(image, ax=axes, location="bottom", aspect=60, shrink=0.6, pad=0.03)
        bar.set_label(
            f"density of the next pen position, summed over {found.steps} steps (1/{unit}²); "
            f"black: up to {floor:g} of the highest",
            fontsize=8,
        )
    return figure


def save_stroke_density(
    path: str | os.PathLike[str],
    log_prob: Callable[[Tensor], Tensor],
    sample: Callable[[int], Tensor],
    frames: npt.ArrayLike,
    attributes: Mapping[str, Any],
    *,
    floor: float = 1e-3,
) -> None:
    """Write :func:`stroke_density_figure` of :func:`density_along` as .png or .svg.

    Raises:
        ValueError: If the ending is another, or the arguments do not fit.
        OSError: If the file cannot be written.
    """
    check_ending(path)
    found = density_along(log_prob, sample, frames, attributes)
    figure = stroke_density_figure(found, attributes, floor=floor)
    with style():
        write(figure, path)


def _windows(draws: Tensor) -> tuple[Tensor, Tensor]:
    """Give the corners of a rectangle around the draws of each step, (T, 2) both."""
    ordered = draws.sort(dim=0).values
    few = round(0.005 * len(draws))
    low, high = ordered[few], ordered[-1 - few]
    # Draws that are all the same would leave no window at all.
    margin = ((high - low) / 3).maximum(1e-6 * (1 + high.abs()))
    return low - margin, high + margin


def _evaluated(log_prob: Callable[[Tensor], Tensor], low: Tensor, high: Tensor) -> Array:
    """Evaluate the density of each step in the cells of its window, a block at a time."""
    import torch

    steps = len(low)
    place = (torch.arange(_WINDOW, device=low.device, dtype=low.dtype) + 0.5) / _WINDOW
    y, x = torch.meshgrid(place, place, indexing="ij")
    shares = torch.stack([x, y], dim=-1).reshape(-1, 1, 2)  # (N, 1, 2)
    blocks = []
    for part in shares.split(max(1, _BLOCK // steps)):
        value = torch.as_tensor(log_prob(low + part * (high - low)))
        _check("log-densities", value, (len(part), steps), infinite=True)
        blocks.append(value.double().exp().cpu())
    return torch.cat(blocks).T.reshape(steps, _WINDOW, _WINDOW).numpy()


def _check(name: str, found: Tensor, shape: tuple[int, ...], infinite: bool = False) -> None:
    wrong = found.isnan().any() or (not infinite and found.isinf().any())
    if tuple(found.shape) != shape or wrong:
        raise ValueError(
            f"expected {name} of shape {shape} without NaN; found {tuple(found.shape)}"
            f"{' with values that are none' if wrong else ''}: give those of all T steps"
        )


def _overlap(
    low: float, high: float, edge: float, step: float, count: int
) -> tuple[slice, npt.NDArray[np.float64]]:
    """Give how much of each of a window's cells lies in each cell of the plane.

    Returns:
        The cells of the plane that the window touches, n of them, and the lengths, (n, _WINDOW).
    """
    first, last = np.clip([(low - edge) // step, (high - edge) // step + 1], 0, count).astype(int)
    cells = edge + step * np.arange(first, last + 1)
    own = np.linspace(low, high, _WINDOW + 1)
    inside = np.minimum(cells[1:, None], own[1:]) - np.maximum(cells[:-1, None], own[:-1])
    return slice(first, last), np.maximum(inside, 0.0)
