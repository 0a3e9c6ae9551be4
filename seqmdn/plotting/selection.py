"""What to choose a number by: several criteria against it, each with its own minimum."""

from __future__ import annotations

__all__ = ["SelectionSummary", "selection_figure"]

import os
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqmdn.plotting.page import INK, check_ending, colour, line_style, style, write

_LEGEND = (
    "rings: the minimum of each curve; bars: ± 2 standard errors of the paired difference to the "
    "best of all"
)


class SelectionSummary(TypedDict):
    """What the picture shows of one cell of a sweep."""

    line: str  # the curve that it is on
    value: str  # of the number that is chosen
    scores: dict[str, tuple[float, float]]  # of each criterion, with its unit: value and error


def selection_figure(
    path: str | os.PathLike[str], cells: Sequence[SelectionSummary], across: str
) -> None:
    """Write every criterion in a panel of its own against the number to choose.

    Criteria have different units, so that their curves are beside each other. Values are spaced
    evenly, in the order they were given. A cell without a criterion is missing in its panel.

    Args:
        path: The file, .png or .svg, written as :func:`save_samples` does.
        cells: The cells, at least one.
        across: What the number is called.

    Raises:
        ValueError: If there is nothing to show, or the ending is another.
        OSError: If the file cannot be written.
    """
    check_ending(path)
    titles = list(dict.fromkeys(title for cell in cells for title in cell["scores"]))
    if not titles:
        raise ValueError(f"expected criteria to show, found none in {len(cells)} cells")
    ticks = list(dict.fromkeys(cell["value"] for cell in cells))
    lines = list(dict.fromkeys(cell["line"] for cell in cells))
    with style():
        figure = Figure(figsize=(3.2 * len(titles) + 1.6, 3.1), layout="constrained")
        panels = figure.subplots(1, len(titles), squeeze=False)[0]
        for axes, title in zip(panels, titles, strict=True):
            for index, line in enumerate(lines):
                own = [each for each in cells if each["line"] == line and title in each["scores"]]
                places = [ticks.index(each["value"]) for each in own]
                _draw_curve(axes, places, [each["scores"][title] for each in own], index)
            axes.set_title(title)
            axes.set_xticks(range(len(ticks)), ticks)
            axes.set_xlim(-0.4, len(ticks) - 0.6)
            axes.set_xlabel(across)
        keys = [
            panels[0].plot([], [], line_style(index), color=colour(index), label=line)[0]
            for index, line in enumerate(lines)
        ]
        if len(lines) > 1:
            figure.legend(handles=keys, loc="outside right center", frameon=False, fontsize=8)
        figure.supxlabel(_LEGEND, fontsize=7)
        write(figure, path)


def _draw_curve(
    axes: Axes, places: Sequence[int], scores: Sequence[tuple[float, float]], index: int
) -> None:
    if not scores:
        return
    order = np.argsort(places)
    x = np.array(places)[order]
    values, errors = np.array(scores)[order].T
    axes.errorbar(
        x,
        values,
        yerr=2 * errors,
        fmt=line_style(index),
        color=colour(index),
        marker="o",
        markersize=4,
        linewidth=1.3,
    )
    best = int(values.argmin())
    axes.plot(x[best], values[best], "o", markersize=10, fillstyle="none", color=INK)
