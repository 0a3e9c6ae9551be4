"""What likelihood costs: the test NLL against parameters, training and drawing."""

from __future__ import annotations

__all__ = ["CostSummary", "front", "pareto_figure"]

import os
from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from seqmdn.plotting.page import LIMIT, check_ending, colour, style, write

_COSTS = {
    "params": ("parameters", 1.0),
    "seconds": ("training, s on the clock", 1.0),
    "draw_seconds": ("drawing, ms a frame", 1000.0),
}
# One more than there are colours, so that the two together come again after 42 models.
_MARKERS = "osD^vPX"


class CostSummary(TypedDict):
    """What a model costs and is worth; the entry of ``compare.json`` has all of it."""

    nll: float  # mean over the test sequences
    stderr: float
    params: int
    seconds: float  # of training
    draw_seconds: NotRequired[float]  # of one frame


def pareto_figure(
    path: str | os.PathLike[str],
    models: Mapping[str, CostSummary],
    unit: str,
    *,
    groups: Mapping[str, str] | None = None,
    limit: float | None = None,
    paired: bool = False,
) -> None:
    """Write the test NLL against each cost, and the front of those that no other beats in both.

    Bars are two standard errors over test sequences, which models share: a difference can be
    certain where they overlap.

    Args:
        path: The file, .png or .svg, written as :func:`save_samples` does.
        models: The name of each model and what is known of it, in the order to show them.
        unit: The unit of every NLL, such as "nats/image".
        groups: The group of each model, drawn in one colour and named once, for many models.
        limit: The NLL that no model can go below, where it is known.
        paired: Errors are those of the paired differences to the best model, and the picture says
            so.

    Raises:
        ValueError: If there is no model, or the ending is another.
        OSError: If the file cannot be written.
    """
    check_ending(path)
    if not models:
        raise ValueError("expected at least one model to show; found none")
    costs = [key for key in _COSTS if all(key in model for model in models.values())]
    groups = groups or {name: name for name in models}
    names = list(dict.fromkeys(groups[name] for name in models))
    with style():
        figure = Figure(
            figsize=(3.1 * len(costs) + 1.2, max(2.9, 0.6 + 0.17 * len(names))),
            layout="constrained",
        )
        grid = figure.subplots(1, len(costs), sharey=True, squeeze=False)[0]
        places = [names.index(groups[name]) for name in models]
        for axes, key in zip(grid, costs, strict=True):
            words, factor = _COSTS[key]
            # Of a TypedDict mypy asks for a literal key; those of _COSTS are keys of CostSummary.
            cost = np.array([factor * model[key] for model in models.values()])  # type: ignore[literal-required]
            _draw(axes, cost, list(models.values()), places)
            axes.set_xlabel(words)
            if limit is not None:
                axes.axhline(limit, **LIMIT)
        grid[0].set_ylabel(f"test NLL ({unit})")
        keys = [
            Line2D([], [], color=colour(i), marker=_marker(i), linestyle="", markersize=5, label=n)
            for i, n in enumerate(names)
        ]
        keys.append(Line2D([], [], color="#888888", linewidth=1.0, label="best at its cost"))
        if limit is not None:
            keys.append(Line2D([], [], **LIMIT, label="limit"))
        figure.legend(handles=keys, loc="outside right center", frameon=False, fontsize=8)
        if paired:
            words = "bars: ± 2 standard errors of the paired difference to the best"
            figure.supxlabel(words, fontsize=7)
        write(figure, path)


def front(cost: npt.ArrayLike, value: npt.ArrayLike) -> list[int]:
    """Return the places, cheapest first, that no other beats in cost and value both.

    Example:
        >>> front([3.0, 1.0, 2.0, 4.0], [5.0, 9.0, 9.5, 5.0])
        [1, 0]
    """
    costs, values = np.asarray(cost, dtype=np.float64), np.asarray(value, dtype=np.float64)
    found, lowest = [], np.inf
    for place in np.lexsort((values, costs)).tolist():
        if values[place] < lowest:
            found.append(place)
            lowest = values[place]
    return found


def _draw(
    axes: Axes,
    cost: npt.NDArray[np.float64],
    models: Sequence[CostSummary],
    places: Sequence[int],
) -> None:
    nll = np.array([model["nll"] for model in models])
    ahead = front(cost, nll)
    axes.step(cost[ahead], nll[ahead], where="post", color="#888888", linewidth=1.0, zorder=1)
    for x, model, place in zip(cost, models, places, strict=True):
        axes.errorbar(
            x,
            model["nll"],
            yerr=2 * model["stderr"],
            fmt=_marker(place),
            color=colour(place),
            markersize=5,
            elinewidth=1.0,
        )
    axes.set_xscale("log")
    low, high = cost.min() / 1.15, cost.max() * 1.15
    axes.set_xlim(low, high)
    # Costs often span less than a decade, where a logarithmic axis has no tick of its own.
    fine, coarse = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0), (1.0, 2.0, 5.0)
    scale = (
        MaxNLocator(3) if high / low < 2.5 else LogLocator(subs=fine if high / low < 6 else coarse)
    )
    axes.xaxis.set_major_locator(scale)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _short(x)))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _short(number: float) -> str:
    """Write a number in the room that a tick has.

    Example:
        >>> _short(0.5), _short(350_000), _short(2e6)
        ('0.5', '350k', '2M')
    """
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.4g}{letter}"
    return f"{number:.4g}"


def _marker(index: int) -> str:
    return _MARKERS[index % len(_MARKERS)]
