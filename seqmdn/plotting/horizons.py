"""How forecasts grow worse, the further ahead they look."""

from __future__ import annotations

__all__ = ["save_horizons"]

import os
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from seqmdn.plotting.page import check_ending, colour, line_style, style, write

_LEGEND = "bars: ± 2 standard errors of the paired difference to the first"

#: A score's mean at each horizon, and the standard error of what it is apart from the first's.
Line = tuple[Sequence[float], Sequence[float]]


def save_horizons(
    path: str | os.PathLike[str],
    horizons: Sequence[int],
    scores: Mapping[str, Mapping[str, Line]],
) -> None:
    """Write a panel a score, a line a model: the score against how many steps ahead it is of.

    Args:
        path: The file, .png or .svg.
        horizons: K numbers of steps, 1 or more.
        scores: By the name of each score, by the name of each model, the same ones everywhere: the
            K means, and the K standard errors of the paired differences to the first model. What
            is not finite is left out.

    Raises:
        ValueError: If the ending is another, there is nothing to draw, or lengths do not fit.
        OSError: If the file cannot be written.
    """
    check_ending(path)
    lengths = {len(each) for models in scores.values() for line in models.values() for each in line}
    if lengths != {len(horizons)} or not horizons:
        raise ValueError(
            f"expected means and errors at {len(horizons)} horizons, found {sorted(lengths)}"
        )
    with style():
        figure = Figure(figsize=(4.0 * len(scores) + 1.4, 3.0), layout="constrained")
        panels = figure.subplots(1, len(scores), squeeze=False)[0]
        for axes, (title, models) in zip(panels, scores.items(), strict=True):
            for index, (name, (means, errors)) in enumerate(models.items()):
                # Bars of lines beside each other do not hide one another.
                places = [k * 1.04 ** (index - (len(models) - 1) / 2) for k in horizons]
                axes.errorbar(
                    places,
                    means,
                    yerr=[2 * error for error in errors],
                    label=name,
                    color=colour(index),
                    linestyle=line_style(index),
                    marker="o",
                    markersize=3,
                    linewidth=1.2,
                )
            axes.set(xscale="log", xlabel="steps ahead", title=title)
            axes.set_xticks(horizons, [str(k) for k in horizons])
            axes.set_xticks([], minor=True)
        keys, names = panels[0].get_legend_handles_labels()
        figure.legend(keys, names, loc="outside right center", frameon=False, fontsize=8)
        figure.supxlabel(_LEGEND, fontsize=7)
        write(figure, path)
