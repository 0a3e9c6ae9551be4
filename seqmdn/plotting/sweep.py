"""What a grid of settings found: one line a setting, one panel a model."""

from __future__ import annotations

__all__ = ["CellSummary", "sweep_figure"]

import itertools
import os
from collections.abc import Sequence
from typing import Any, TypedDict

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from seqmdn.plotting.page import INK, LIMIT, check_ending, colour, style, write

_WIDEST = 3  # panels beside each other
_NONE = "without"  # what a model is that has no such key
_LEGEND = "bars: ± 2 standard errors of the paired difference to the best, which is ringed"


class CellSummary(TypedDict):
    """What the picture shows of one cell of a sweep."""

    model: str
    settings: dict[str, str]  # of each key that the model has, its value
    nll: float  # mean over the test sequences
    error: float  # standard error of the paired difference to the best cell, 0 for that one


def sweep_figure(
    path: str | os.PathLike[str],
    cells: Sequence[CellSummary],
    keys: Sequence[str],
    unit: str,
    *,
    limit: float | None = None,
) -> None:
    """Write the test NLL of every cell of a sweep against the first key.

    The second key gives the lines, every other one and the model the panels; with a single key,
    lines are models. Bars are two standard errors of the paired difference to the best cell, which
    is ringed: other than those of the NLL itself, they show which cells can be told from it.
    Values are spaced evenly, in the order they were given.

    Args:
        path: The file, .png or .svg, written as :func:`save_samples` does.
        cells: The cells, at least one.
        keys: The keys that were swept.
        unit: The unit of every NLL, such as "nats/image".
        limit: The NLL that no model can go below, where it is known.

    Raises:
        ValueError: If there is no cell or no key, or the ending is another.
        OSError: If the file cannot be written.
    """
    check_ending(path)
    if not cells or not keys:
        raise ValueError(f"expected cells and keys to show; found {len(cells)} and {len(keys)}")
    across, lines, others = keys[0], keys[1] if len(keys) > 1 else None, keys[2:]
    ticks = [value for value in _values(cells, across) if value != _NONE]
    models = list(dict.fromkeys(cell["model"] for cell in cells))
    # With one key the models are the lines of a single panel.
    panels = _panels(cells, others, models if lines is not None else [None])
    names = models if lines is None else _values(cells, lines)
    best = min(cells, key=lambda cell: cell["nll"])
    wide = min(_WIDEST, len(panels))
    down = -(-len(panels) // wide)
    with style():
        figure = Figure(figsize=(3.3 * wide + 1.6, 2.7 * down + 0.4), layout="constrained")
        grid = figure.subplots(down, wide, sharey=True, squeeze=False)
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
        for axes, (title, inside) in zip(grid.flat, panels, strict=False):
            for index, name in enumerate(names):
                own = [c for c in inside if _line_of(c, lines) == name]
                shade = colour(index) if lines is None else _shade(index, len(names))
                offset = 0.06 * (index - (len(names) - 1) / 2)
                _draw_line(axes, own, across, ticks, best, offset, color=shade, label=_shown(name))
            if limit is not None:
                axes.axhline(limit, **LIMIT)
            axes.set_title(title)
            axes.set_xticks(range(len(ticks)), [_shown(tick) for tick in ticks])
            axes.set_xlim(-0.4, len(ticks) - 0.6)
            axes.set_xlabel(across)
            axes.tick_params(labelleft=True)
        for axes in grid[:, 0]:
            axes.set_ylabel(f"test NLL ({unit})")
        # A line that only one panel has is named as well.
        found = [axes.get_legend_handles_labels() for axes in grid.flat[: len(panels)]]
        named = {
            label: key
            for keys_of, labels in found
            for key, label in zip(keys_of, labels, strict=True)
        }
        shown = [label for label in map(_shown, names) if label in named]
        figure.legend(
            [named[label] for label in shown],
            shown,
            title=lines or "model",
            loc="outside right center",
            frameon=False,
            fontsize=8,
        )
        figure.supxlabel(_LEGEND, fontsize=7)
        write(figure, path)


def _draw_line(
    axes: Axes,
    cells: Sequence[CellSummary],
    across: str,
    ticks: Sequence[str],
    best: CellSummary,
    offset: float,
    **look: Any,
) -> None:
    """Draw cells in the order of their values; one without such a value is the same at each."""
    for cell in cells:
        if across not in cell["settings"]:
            axes.axhline(cell["nll"], linestyle=":", linewidth=1.2, **look)
    placed = [(ticks.index(c["settings"][across]), c) for c in cells if across in c["settings"]]
    if not placed:
        return
    placed.sort(key=lambda pair: pair[0])
    # Bars of lines beside each other do not hide one another.
    x = np.array([place for place, _ in placed]) + offset
    nll = [cell["nll"] for _, cell in placed]
    errors = [2 * cell["error"] for _, cell in placed]
    axes.errorbar(x, nll, yerr=errors, marker="o", markersize=4, linewidth=1.3, **look)
    for place, (_, cell) in zip(x, placed, strict=True):
        if cell is best:
            axes.plot(place, cell["nll"], "o", markersize=9, fillstyle="none", color=INK)


def _panels(
    cells: Sequence[CellSummary], others: Sequence[str], models: Sequence[str | None]
) -> list[tuple[str, list[CellSummary]]]:
    """Part the cells by model and by the values of the keys that are no axis and no line."""
    found = []
    for model, *values in itertools.product(models, *(_values(cells, key) for key in others)):
        inside = [
            cell
            for cell in cells
            if model in (None, cell["model"])
            and all(
                cell["settings"].get(k, _NONE) == v for k, v in zip(others, values, strict=True)
            )
        ]
        words = [f"{k} {_shown(str(v))}" for k, v in zip(others, values, strict=True) if v != _NONE]
        if inside:
            found.append((", ".join(([model] if model else []) + words), inside))
    return found


def _values(cells: Sequence[CellSummary], key: str) -> list[str]:
    """List the values of a key in the order of the cells, last what stands for having none."""
    own = dict.fromkeys(cell["settings"].get(key, _NONE) for cell in cells)
    return [value for value in own if value != _NONE] + [_NONE] * (_NONE in own)


def _line_of(cell: CellSummary, key: str | None) -> str:
    return cell["model"] if key is None else cell["settings"].get(key, _NONE)


def _shade(index: int, count: int) -> str:
    """Give the colour of a line among ordered ones: dark to light, none too faint."""
    return to_hex(matplotlib.colormaps["viridis"](0.85 * index / max(1, count - 1)))


def _shown(value: str) -> str:
    """Cut a class's path to its name."""
    name = value.rpartition(".")[2]
    return name if name.isidentifier() else value
