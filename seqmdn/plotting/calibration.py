"""One picture of how far densities can be believed."""

from __future__ import annotations

__all__ = ["CalibrationSummary", "calibration_figure"]

import os
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from seqmdn.plotting.page import INK, check_ending, colour, line_style, shaded, style, write
from seqmdn.plotting.rows import Array

_WIDEST = 3  # histograms beside each other
_BAND = "#999999"
_LEGEND = (
    "bars: mean of the features; lines: each feature; grey: 95 % of a feature's bins by chance"
)
_SIDE = 2.6  # inches
_KINDS = {
    "central": ("central intervals", "o", True),
    "highest_density": ("highest-density regions", "s", False),
}


class Histogram(TypedDict):
    """Counts of what a calibrated density makes uniform."""

    counts: Sequence[Sequence[int]]  # (D, bins)


class CalibrationSummary(TypedDict):
    """What the picture shows of one model; `DensityReport.compute()["calibration"]` has more."""

    levels: Sequence[float]  # (L,)
    central: Sequence[float]  # (L,) the share that central intervals of these levels hold
    central_stderr: Sequence[float]
    highest_density: Sequence[float]  # (L,) the same of highest-density regions
    highest_density_stderr: Sequence[float]
    pit: Histogram
    rosenblatt: NotRequired[Histogram]


def calibration_figure(
    path: str | os.PathLike[str],
    models: Mapping[str, CalibrationSummary],
    *,
    title: str | None = None,
) -> None:
    """Write the coverage of each model's intervals and its PIT and Rosenblatt histograms.

    Coverage is drawn against the nominal level, with bands of two standard errors: a curve below
    the diagonal says that the model is too sure of itself. A histogram shows the mean over features
    as bars and each feature as a line; the grey band holds 95 % of the bins of one feature of a
    calibrated model. A feature that was never observed has no line, and where some were observed
    more often than others the band is that of the one with the fewest values.

    Args:
        path: The file, .png or .svg, written as :func:`save_samples` does.
        models: The name of each model and what is known of it, in the order to show them.
        title: A heading.

    Raises:
        ValueError: If there is no model, the ending is another, or a summary's shapes do not fit.
        OSError: If the file cannot be written.
    """
    check_ending(path)
    if not models:
        raise ValueError("expected at least one model to show; found none")
    for name, model in models.items():
        _check(name, model)
    panels = [
        (index, f"{name}, {kind}", _counts(model, key))
        for key, kind in (("pit", "PIT"), ("rosenblatt", "Rosenblatt"))
        for index, (name, model) in enumerate(models.items())
        if key in model
    ]
    # A model's two histograms stand beneath each other.
    across = min(_WIDEST, len(models))
    down = -(-len(panels) // across)
    height = max(_SIDE * down, 1.15 * _SIDE) + 0.25 * bool(title)
    with style():
        figure = Figure(figsize=(1.3 * _SIDE * (across + 1), height), layout="constrained")
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        left, right = figure.subfigures(1, 2, width_ratios=[1, across], squeeze=False)[0]
        _draw_coverage(left.subplots(), models)
        grid = right.subplots(down, across, squeeze=False, sharex=True, sharey=True)
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
        for axes, (index, name, counts) in zip(grid.flat, panels, strict=False):
            _draw_histogram(axes, index, name, counts)
        for axes in grid[:, 0]:
            axes.set_ylabel("density")
        for axes in grid.flat[max(0, len(panels) - across) : len(panels)]:
            axes.set_xlabel("u")
            axes.tick_params(labelbottom=True)
        right.supxlabel(_LEGEND if across > 1 else textwrap.fill(_LEGEND, 60), fontsize=7)
        write(figure, path)


def _draw_coverage(axes: Axes, models: Mapping[str, Mapping[str, Any]]) -> None:
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8)
    for index, (name, model) in enumerate(models.items()):
        levels = np.asarray(model["levels"], dtype=np.float64)
        for key, (kind, marker, filled) in _KINDS.items():
            share = np.asarray(model[key], dtype=np.float64)
            error = 2 * np.asarray(model[f"{key}_stderr"], dtype=np.float64)
            axes.fill_between(
                levels, share - error, share + error, color=colour(index), alpha=0.2, linewidth=0
            )
            (line,) = axes.plot(levels, share, line_style(index), color=colour(index))
            line.set(linewidth=1.0, marker=marker, markersize=4, label=f"{name}, {kind}")
            line.set_markerfacecolor(colour(index) if filled else "white")
    axes.set(title="Coverage, ± 2 standard errors", xlabel="level", ylabel="share inside")
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    # The models have their colours in the titles of the histograms.
    keys = [
        Line2D([], [], color=INK, marker=marker, markersize=4, linewidth=1.0, label=kind)
        for kind, marker, _ in _KINDS.values()
    ]
    for line, (*_, filled) in zip(keys, _KINDS.values(), strict=True):
        line.set_markerfacecolor(INK if filled else "white")
    axes.legend(handles=keys, loc="lower right", frameon=False, fontsize=7, borderaxespad=0.2)


def _draw_histogram(axes: Axes, index: int, name: str, counts: Array) -> None:
    counts = counts[counts.sum(axis=1) > 0]  # of a feature that was never observed there is nothing
    bins = counts.shape[1]
    edges = np.linspace(0, 1, bins + 1)
    frames = counts.sum(axis=1, keepdims=True)
    density = bins * counts / frames  # (D, bins)
    # A bin of one feature is binomial, and its frames are independent of each other.
    spread = 1.96 * np.sqrt((bins - 1) / frames.min())
    axes.stairs(density.mean(axis=0), edges, color=colour(index), alpha=0.3, fill=True)
    axes.axhspan(1 - spread, 1 + spread, color=_BAND, alpha=0.35, linewidth=0)
    for each in density if len(density) > 1 else ():
        line = axes.stairs(each, edges, color=shaded(colour(index)), baseline=None)
        line.set(linewidth=0.4, alpha=0.7)
    axes.axhline(1, color=INK, linewidth=0.8)
    axes.set_title(name, color=shaded(colour(index)), fontsize=9)
    axes.set(xlim=(0, 1))
    axes.set_ylim(bottom=0)


def _check(name: str, model: CalibrationSummary) -> None:
    expected = np.shape(model["levels"])
    for key in ("central", "central_stderr", "highest_density", "highest_density_stderr"):
        if np.shape(model[key]) != expected:
            raise ValueError(
                f"{name}: expected {key} of the levels' shape {expected}; found"
                f" {np.shape(model[key])}"
            )
    for key in ("pit", "rosenblatt"):
        counts = _counts(model, key) if key in model else np.ones((1, 1))
        if counts.ndim != 2 or not counts.sum() > 0:
            raise ValueError(
                f"{name}: expected {key} counts (D, bins) of some frames; found {counts.shape}"
                f" with {counts.sum(axis=-1).tolist()} frames"
            )


def _counts(model: CalibrationSummary, key: str) -> Array:
    histogram = model["pit"] if key == "pit" else model["rosenblatt"]
    counts: npt.NDArray[np.float64] = np.asarray(histogram["counts"], dtype=np.float64)
    return counts
