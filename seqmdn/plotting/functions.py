"""The densities of functions along their input, with the points that were given."""

from __future__ import annotations

__all__ = ["save_functions"]

import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from seqmdn.plotting.conditional import shade
from seqmdn.plotting.page import INK, check_ending, colour, style, write

_SIZE = (3.2, 2.3)  # inches of a panel


def save_functions(
    path: str | os.PathLike[str],
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    density: npt.ArrayLike,
    given: Sequence[npt.ArrayLike],
    asked: Sequence[npt.ArrayLike],
    names: tuple[str, str] = ("x", "y"),
    unit: str = "",
    title: str = "",
    *,
    columns: int = 3,
) -> None:
    """Write a panel of each task: the density as shades, given points, and those asked for.

    Shades are relative to the highest density of each x, so that a wide density is seen, too.

    Args:
        path: The file, .png or .svg. A file of that name is replaced when the new one is complete,
            and folders that are missing are made.
        x: Inputs (P,), evenly.
        y: Outputs (Q,), evenly.
        density: Of N tasks, (N, P, Q).
        given: x and y of the points that are given of each, (n, 2).
        asked: x and y of those that are asked for, (m, 2).
        names: Of x and y.
        unit: Of y.
        title: What stands above all of it.
        columns: Panels beside each other.

    Raises:
        ValueError: If the ending is another, or shapes do not fit.
        OSError: If the file cannot be written.
    """
    check_ending(path)
    across, up, values = (np.asarray(part, np.float64) for part in (x, y, density))
    count = len(given)
    if not count or len(asked) != count or values.shape != (count, len(across), len(up)):
        raise ValueError(
            f"expected densities of 1 task or more ({count}, {len(across)}, {len(up)}) and points "
            f"of each, found {values.shape} and points of {count} and {len(asked)}"
        )
    columns = min(columns, count)
    rows = -(-count // columns)
    with style():
        size = (_SIZE[0] * columns, _SIZE[1] * rows + 0.3)
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat
        for axes, task, known, hidden in zip(panels, values, given, asked, strict=False):
            shade(axes, across, up, task)
            for points, marker, shown, name in (
                (hidden, ".", {"color": INK, "markersize": 3, "alpha": 0.5}, "asked for"),
                (known, "o", {"color": colour(1), "markersize": 4}, "given"),
            ):
                places = np.asarray(points, np.float64).reshape(-1, 2)
                axes.plot(*places.T, marker, label=name, **shown)
        for axes in panels[count:]:
            axes.set_axis_off()
        unit = f", {unit}" if unit else ""
        figure.supxlabel(names[0], fontsize=9)
        figure.supylabel(f"{names[1]}{unit}", fontsize=9)
        panels[0].legend(frameon=True, framealpha=0.85, fontsize=7, loc="best")
        figure.suptitle(title, fontsize=9, x=0.01, ha="left")
        write(figure, path)
