"""Learning curves: the validation NLL against steps and against seconds."""

from __future__ import annotations

__all__ = ["CurveSummary", "curves_figure", "draw_curves"]

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from seqmdn.plotting.page import LIMIT, check_ending, colour, line_style, style, write
from seqmdn.plotting.rows import Array

Curve = tuple[npt.ArrayLike, npt.ArrayLike]


class CurveSummary(TypedDict):
    """What was logged of one model's trainings, a curve a seed."""

    steps: Sequence[Curve]  # (steps, validation NLL)
    seconds: Sequence[Curve]  # (seconds of training, validation NLL)


def curves_figure(
    path: str | os.PathLike[str],
    models: Mapping[str, CurveSummary],
    unit: str,
    *,
    limit: float | None = None,
) -> None:
    """Write the validation NLL of each model against its steps and against its seconds.

    Several seeds are the mean as a line and the band between the lowest and the highest; against
    seconds, a validation lies at the mean time at which the seeds came to it.

    Args:
        path: The file, .png or .svg, written as :func:`save_samples` does.
        models: The name of each model and its curves, in the order to show them.
        unit: The unit of every NLL, such as "nats/image".
        limit: The NLL on the validation split that no model can go below, where it is known.

    Raises:
        ValueError: If there is no model, or the ending is another.
        OSError: If the file cannot be written.
    """
    check_ending(path)
    if not models:
        raise ValueError("expected at least one model to show; found none")
    height = max(3.0, 0.6 + 0.17 * len(models))
    with style():
        figure = Figure(figsize=(9.5, height), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        # The axis of seconds cuts off the same start as that of steps.
        draw_curves(right, [_at_mean_times(model["seconds"]) for model in models.values()], limit)
        draw_curves(left, [model["steps"] for model in models.values()], limit)
        left.set(xlabel="step", ylabel=f"validation NLL ({unit})")
        right.set(xlabel="training, s on the clock")
        right.tick_params(labelleft=True)
        keys = [
            left.plot([], [], line_style(index), color=colour(index), label=name)[0]
            for index, name in enumerate(models)
        ]
        if limit is not None:
            keys.append(Line2D([], [], **LIMIT, label="limit"))
        figure.legend(handles=keys, loc="outside right center", frameon=False, fontsize=8)
        write(figure, path)


def draw_curves(axes: Axes, models: Sequence[Sequence[Curve]], limit: float | None) -> None:
    """Draw the curves of each model, those of several seeds as their mean and a band.

    The steep start is cut off: the vertical axis fits what comes after a tenth of the horizontal.

    Args:
        axes: Where to draw.
        models: The curves of each model, one a seed; its place gives it its colour.
        limit: A height to mark.
    """
    shown = [] if limit is None else [np.array([limit])]
    for index, curves in enumerate(models):
        seeds = [(np.asarray(x), np.asarray(y, dtype=np.float64)) for x, y in curves]
        shown += [_after_the_start(places, values) for places, values in seeds]
        if len(seeds) > 1 and all(np.array_equal(places, seeds[0][0]) for places, _ in seeds):
            places, together = seeds[0][0], np.stack([values for _, values in seeds])
            low, high = together.min(axis=0), together.max(axis=0)
            axes.fill_between(places, low, high, color=colour(index), alpha=0.2, linewidth=0)
            seeds = [(places, together.mean(axis=0))]
        for places, values in seeds:
            (line,) = axes.plot(places, values, line_style(index), color=colour(index))
            line.set(linewidth=1.4, marker="o" if len(places) == 1 else "", markersize=4)
    if limit is not None:
        axes.axhline(limit, **LIMIT)
    heights = np.concatenate([*shown, np.empty(0)])
    if heights.size and np.ptp(heights) > 0:
        margin = 0.06 * np.ptp(heights)
        axes.set_ylim(heights.min() - margin, heights.max() + margin)


def _at_mean_times(curves: Sequence[Curve]) -> list[Curve]:
    """Give curves of as many validations the same times, the means of theirs."""
    times = [np.asarray(each, dtype=np.float64) for each, _ in curves]
    if len({len(each) for each in times}) != 1:
        return list(curves)
    mean = np.mean(times, axis=0)
    return [(mean, values) for _, values in curves]


def _after_the_start(places: npt.NDArray[Any], values: Array) -> Array:
    """Give the finite values after a tenth of the training."""
    late = places >= 0.1 * places.max(initial=0)
    return values[late & np.isfinite(values)]
