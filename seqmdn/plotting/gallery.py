"""Rows of sequences beneath each other, each row with its name."""

from __future__ import annotations

__all__ = ["across", "draw_series", "gallery", "gallery_height", "in_cells"]

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import FigureBase

from seqmdn.plotting.cells import cell_aspect, draw_images, draw_strokes, is_writing
from seqmdn.plotting.page import shaded
from seqmdn.plotting.rows import Row, kind_of

_WIDEST = 16  # square pictures beside each other
_WORDS = 12  # the same for drawings that are read
_FEATURES = 4  # curves of one sequence beside each other


def in_cells(attributes: Mapping[str, Any]) -> bool:
    """Say whether sequences are pictures, many beside each other, or else lines over time."""
    return kind_of(attributes) in ("image", "strokes")


def across(rows: Sequence[Row], attributes: Mapping[str, Any]) -> int:
    """Give the number of pictures that stand beside each other."""
    most = max(len(row.sequences) for row in rows)
    if is_writing(rows, attributes):
        # Fewer, to be read, and as many in each line as in the others.
        wide = max(1, round(_WORDS / cell_aspect(rows, attributes)))
        return -(-most // -(-most // wide))
    return min(most, max(1, round(_WIDEST / cell_aspect(rows, attributes))))


def gallery_height(rows: Sequence[Row], attributes: Mapping[str, Any], width: float) -> float:
    """Give the inches that the rows need where they are ``width`` inches wide."""
    if not in_cells(attributes):
        return 0.75 + 0.8 * len(rows)
    most = max(len(row.sequences) for row in rows)
    return 0.3 + len(rows) * min(width / (most * cell_aspect(rows, attributes)), 1.1)


def gallery(figure: FigureBase, rows: Sequence[Row], attributes: Mapping[str, Any]) -> None:
    """Draw the rows as their kind wants to be seen."""
    if not in_cells(attributes):
        draw_series(figure, rows, attributes)
        return
    axes = figure.add_subplot()
    draw = draw_images if kind_of(attributes) == "image" else draw_strokes
    centres = draw(axes, rows, attributes)
    axes.set_yticks(centres, [row.name for row in rows], fontsize=9)
    for text, row in zip(axes.get_yticklabels(), rows, strict=True):
        text.set_color(shaded(row.colour))
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_anchor("W")


def draw_series(
    figure: FigureBase,
    rows: Sequence[Row],
    attributes: Mapping[str, Any],
    features: Sequence[int] | None = None,
) -> None:
    """Draw the first sequence of each row over time, a feature a column.

    Args:
        figure: Where to draw.
        rows: What to draw.
        attributes: How the data want to be seen (:mod:`seqmdn.plotting`).
        features: The indices of the features; the first four if left out.
    """
    audio = kind_of(attributes) == "audio"
    first = [row.sequences[0] for row in rows]
    lines = [frames.reshape(-1, 1) for frames in first] if audio else first  # (T, D)
    count = lines[0].shape[1]
    chosen = range(min(_FEATURES, count)) if features is None or audio else features
    names = attributes.get("features", ()) if not audio else ["amplitude"]
    rate = float(attributes.get("sample_rate", 0))
    grid = figure.subplots(len(rows), len(chosen), sharex=True, sharey="col", squeeze=False)
    for panels, row, frames in zip(grid, rows, lines, strict=True):
        time = np.arange(len(frames)) / (rate or 1.0)
        for axes, feature in zip(panels, chosen, strict=True):
            axes.plot(time, frames[:, feature], color=row.colour, linewidth=0.7)
            axes.locator_params(axis="y", nbins=3)
            axes.margins(x=0.01)
        panels[0].set_ylabel(
            row.name, color=shaded(row.colour), rotation=0, ha="right", va="center"
        )
    for axes, feature in zip(grid[0], chosen, strict=True):
        name = names[feature] if feature < len(names) else f"feature {feature}"
        axes.set_title(name, fontsize=9)
    for axes in grid[-1]:
        axes.set_xlabel("time (s)" if rate else str(attributes.get("step", "frame")))
    if "unit" in attributes:
        figure.supylabel(textwrap.fill(str(attributes["unit"]), 12 * len(rows)), fontsize=8)
