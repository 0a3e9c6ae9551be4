"""One picture of how far densities can be believed."""

from __future__ import annotations

__all__ = ["CalibrationSummary", "calibration_figure"]

import os
from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqmdn.plotting.page import INK, check_ending, colour, line_style, shaded, style, write
from seqmdn.plotting.rows import Array

_WIDEST = 3  # histograms beside each other
_BAND = "#bbbbbb"
_SIDE = 2.6  # inches


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
    calibrated model.

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
    across = min(_WIDEST, max(2, len(models), -(-len(panels) // 2)))
    down = max(2, -(-len(panels) // across)) if len(panels) > across else 1
    wide = 1.25 * _SIDE
    with style():
        figure = Figure(
            figsize=(wide * (across + 1.1), _SIDE * down + 0.25 * bool(title)), layout="constrained"
        )
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        left, right = figure.subfigures(1, 2, width_ratios=[1.1, across])
        _draw_coverage(left.subplots(), models)
        grid = right.subplots(down, across, squeeze=False, sharex=True, sharey=True)
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
        for axes, (index, name, counts) in zip(grid.flat, panels, strict=False):
            _draw_histogram(axes, index, name, counts)
        for axes in grid[:, 0]:
            axes.set_ylabel("density")
        write(figure, path)


def _draw_coverage(axes: Axes, models: Mapping[str, CalibrationSummary]) -> None:
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8)
    for index, (name, model) in enumerate(models.items()):
        levels = np.asarray(model["levels"], dtype=np.float64)
        for key, marker in (("central", "o"), ("highest_density", "s")):
            share = np.asarray(model[key], dtype=np.float64)
            error = 2 * np.asarray(model[f"{key}_stderr"], dtype=np.float64)
            hollow = "white" if key == "highest_density" else colour(index)
            kind = "central intervals" if key == "central" else "highest-density regions"
            axes.fill_between(
                levels, share - error, share + error, color=colour(index), alpha=0.2, linewidth=0
            )
            axes.plot(
                levels,
                share,
                line_style(index),
                color=colour(index),
                marker=marker,
                markersize=4,
                markerfacecolor=hollow,
                linewidth=1.0,
                label=f"{name}, {kind}" if len(models) > 1 else kind,
            )
    axes.set(title="Coverage, ± 2 standard errors", xlabel="level", ylabel="share inside")
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.legend(loc="upper left", frameon=False, fontsize=7, handlelength=1.5, borderaxespad=0.2)


def _draw_histogram(axes: Axes, index: int, name: str, counts: Array) -> None:
    bins = counts.shape[1]
    edges = np.linspace(0, 1, bins + 1)
    frames = counts.sum(axis=1, keepdims=True)
    density = bins * counts / frames  # (D, bins)
    # A bin of one feature is binomial, and its frames are independent of each other.
    spread = 1.96 * np.sqrt((bins - 1) / frames.mean())
    axes.axhspan(1 - spread, 1 + spread, color=_BAND, alpha=0.5, linewidth=0)
    axes.stairs(density.mean(axis=0), edges, color=colour(index), alpha=0.35, fill=True)
    for each in density if len(density) > 1 else ():
        axes.stairs(
            each, edges, color=shaded(colour(index)), linewidth=0.4, alpha=0.6, baseline=None
        )
    axes.axhline(1, color=INK, linewidth=0.8)
    axes.set_title(name, color=shaded(colour(index)), fontsize=9)
    axes.set(xlim=(0, 1), xlabel="u")
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
        if counts.ndim != 2 or not (counts.sum(axis=-1) > 0).all():
            raise ValueError(
                f"{name}: expected {key} counts (D, bins), none of no frames; found {counts.shape}"
                f" with {counts.sum(axis=-1).tolist()} frames"
            )


def _counts(model: CalibrationSummary, key: str) -> Array:
    histogram = model["pit"] if key == "pit" else model["rosenblatt"]
    counts: npt.NDArray[np.float64] = np.asarray(histogram["counts"], dtype=np.float64)
    return counts
