"""What is expected of some features over time, and what came: bands of draws around a line."""

from __future__ import annotations

__all__ = ["save_futures"]

import os
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from seqmdn.plotting.page import GIVEN, INK, check_ending, colour, style, write

_BANDS = ((0.05, 0.95, 0.18), (0.25, 0.75, 0.32))  # from, to, and how strong it is
_WIDTH, _HEIGHT = 3.4, 1.25  # inches of a panel


def save_futures(
    path: str | os.PathLike[str],
    real: NDArray[np.floating],
    drawn: Mapping[str, NDArray[np.floating]],
    names: Sequence[str],
    *,
    given: int = 0,
    step: str = "step",
    unit: str = "",
) -> None:
    """Write what was drawn for each feature over time as bands, and what was real as a line.

    A column a model, a row a feature. The bands hold the middle half and the middle 90 % of the
    draws at each step, the line within is their median.

    Args:
        path: The file, .png or .svg.
        real: Features ``(T, N)``.
        drawn: Draws ``(S, T - given, N)`` of each model by its name.
        names: Of the N features.
        given: How many first steps the models were given.
        step: What lies between one row and the next.
        unit: Of the features.

    Raises:
        ValueError: If the ending is another, there is nothing to draw, or shapes do not fit.
        OSError: If the file cannot be written.
    """
    check_ending(path)
    steps, features = np.shape(real)
    shapes = {name: np.shape(each) for name, each in drawn.items()}
    fits = all(
        len(s) == 3 and s[0] > 0 and s[1:] == (steps - given, features) for s in shapes.values()
    )
    if not drawn or not fits or len(names) != features or not 0 <= given < steps:
        raise ValueError(
            f"expected draws (S, {steps - given}, {features}) and {features} names for real ones "
            f"of shape {(steps, features)}, found {shapes} and {len(names)} names"
        )
    time = np.arange(steps)
    with style():
        figure = Figure(
            figsize=(_WIDTH * len(drawn) + 0.6, _HEIGHT * features + 0.7), layout="constrained"
        )
        axes = figure.subplots(features, len(drawn), sharex=True, sharey="row", squeeze=False)
        for column, (name, draws) in enumerate(drawn.items()):
            axes[0][column].set_title(name)
            axes[-1][column].set_xlabel(step)
            for row in range(features):
                axis = axes[row][column]
                for low, high, strength in _BANDS:
                    edges = np.quantile(draws[:, :, row], (low, high), axis=0)
                    axis.fill_between(
                        time[given:], *edges, color=colour(column), alpha=strength, linewidth=0
                    )
                median = np.median(draws[:, :, row], axis=0)
                axis.plot(time[given:], median, color=colour(column), linewidth=0.8)
                axis.plot(time, real[:, row], color=INK, linewidth=0.8)
                if given:
                    axis.axvline(given, color=GIVEN, linewidth=0.8)
                if column == 0:
                    axis.set_ylabel(names[row])
        if unit:
            figure.supylabel(unit, fontsize=8)
        write(figure, path)
