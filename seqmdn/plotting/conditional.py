"""The density of a target along its input, over real rows."""

from __future__ import annotations

__all__ = ["save_conditional", "shade"]

import os

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqmdn.plotting.page import INK, check_ending, colour, style, write


def save_conditional(
    path: str | os.PathLike[str],
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    density: npt.ArrayLike,
    rows: npt.ArrayLike,
    names: tuple[str, str] = ("x", "y"),
    unit: str = "",
    title: str = "",
    *,
    mean: npt.ArrayLike | None = None,
    modes: npt.ArrayLike | None = None,
) -> None:
    """Write the density p(y | x) as shades, the mean as a line, modes and real rows as points.

    Shades are relative to the highest density of each x, so that a wide density is seen, too.

    Args:
        path: The file, .png or .svg. A file of that name is replaced when the new one is complete,
            and folders that are missing are made.
        x: Inputs (P,), evenly.
        y: Targets (Q,), evenly.
        density: (P, Q).
        rows: x and y of real rows, (N, 2).
        names: Of x and y.
        unit: Of y.
        title: What stands above all of it.
        mean: Of the density at each x, (P,).
        modes: x and y of modes, (M, 2).

    Raises:
        ValueError: If the ending is another, or shapes do not fit.
        OSError: If the file cannot be written.
    """
    check_ending(path)
    across, up, values = (np.asarray(part, np.float64) for part in (x, y, density))
    if values.shape != (len(across), len(up)):
        raise ValueError(
            f"expected a density of shape ({len(across)}, {len(up)}), found {values.shape}"
        )
    points = np.asarray(rows, np.float64)
    with style():
        figure = Figure(figsize=(7.0, 4.4), layout="constrained")
        axes = figure.subplots()
        shade(axes, across, up, values)
        axes.plot(*points.T, ".", color=INK, markersize=1.5, alpha=0.35, label="real rows")
        if modes is not None:
            places = np.asarray(modes, np.float64)
            axes.plot(*places.T, ".", color=colour(1), markersize=2.5, label="modes")
        if mean is not None:
            axes.plot(across, np.asarray(mean), color=colour(2), linewidth=1.2, label="mean")
        unit = f", {unit}" if unit else ""
        axes.set(xlabel=names[0], ylabel=f"{names[1]}{unit}")
        axes.legend(frameon=True, framealpha=0.85, fontsize=8, markerscale=4, loc="best")
        figure.suptitle(title, fontsize=9, x=0.01, ha="left")
        write(figure, path)


def shade(
    axes: Axes,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    density: npt.NDArray[np.float64],
) -> None:
    """Draw a density (P, Q) along x (P,) as shades, relative to the highest of each x."""
    shades = density / np.maximum(density.max(1, keepdims=True), np.finfo(np.float64).tiny)
    extent = (x[0], x[-1], y[0], y[-1])
    axes.imshow(
        shades.T, origin="lower", extent=extent, aspect="auto", cmap="Blues", vmin=0, vmax=1.3
    )
    axes.set(xlim=extent[:2], ylim=extent[2:])
