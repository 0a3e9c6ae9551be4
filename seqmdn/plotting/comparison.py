"""One picture of what a comparison found."""

from __future__ import annotations

__all__ = ["ModelSummary", "comparison_figure"]

import os
from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqmdn.plotting.curves import draw_curves
from seqmdn.plotting.gallery import across, gallery, gallery_height, in_cells
from seqmdn.plotting.page import INK, LIMIT, check_ending, colour, shaded, style, write
from seqmdn.plotting.rows import Row


class ModelSummary(TypedDict):
    """What a comparison shows of one model."""

    nll: float  # mean over the test sequences, in the comparison's unit
    stderr: float  # its standard error
    curve: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]]  # of each seed: (steps, validation NLL)
    samples: NotRequired[npt.ArrayLike]  # (N, T, D)
    lengths: NotRequired[npt.ArrayLike | None]  # (N,) frames of each; all T if left out


def comparison_figure(
    path: str | os.PathLike[str],
    models: Mapping[str, ModelSummary],
    unit: str,
    *,
    real: npt.ArrayLike | None = None,
    real_lengths: npt.ArrayLike | None = None,
    attributes: Mapping[str, Any] | None = None,
    limit: float | None = None,
    limit_valid: float | None = None,
    title: str | None = None,
) -> None:
    """Write what a comparison found: learning curves, test likelihoods and samples of each model.

    A model has one colour everywhere. Curves of several seeds are drawn as their mean and the band
    between the lowest and the highest. The steep start is cut off: the axis begins where the first
    tenth of the training is over.

    Args:
        path: The file, .png or .svg, written as :func:`save_samples` does.
        models: The name of each model and what is known of it, in the order to show them.
        unit: The unit of every NLL, such as "nats/image".
        real: Real sequences, (N, T, D), shown above the samples.
        real_lengths: The frames of each of them, (N,); None if all T count.
        attributes: How the data want to be seen (:mod:`seqmdn.plotting`).
        limit: The test NLL that no model can go below, where it is known.
        limit_valid: The same of the validation split, for the learning curves.
        title: A heading, such as the recipe's name.

    Raises:
        ValueError: If there is no model, the ending is another, or samples do not fit their
            ``kind``.
        OSError: If the file cannot be written.
    """
    check_ending(path)
    if not models:
        raise ValueError("expected at least one model to compare; found none")
    attributes = attributes or {}
    rows = [] if real is None else [Row.of("real", INK, real, real_lengths)]
    for index, (name, model) in enumerate(models.items()):
        if "samples" in model:
            rows.append(Row.of(name, colour(index), model["samples"], model.get("lengths")))
    if rows and in_cells(attributes):
        wide = across(rows, attributes)
        rows = [row.part(0, wide) for row in rows]
    top = 2.4 + 0.16 * max(0, len(models) - 4)
    bottom = gallery_height(rows, attributes, 8.6) if rows else 0.0
    with style():
        figure = Figure(figsize=(9.5, top + bottom + 0.25 * bool(title)), layout="constrained")
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        heights = [top, bottom] if rows else [top]
        parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        curves, dots = parts[0].subplots(
            1, 2, width_ratios=[1.25, 1.0], gridspec_kw={"wspace": 0.05}
        )
        draw_curves(curves, [model["curve"] for model in models.values()], limit_valid)
        curves.set(title="While training", xlabel="step", ylabel=f"validation NLL ({unit})")
        _draw_dots(dots, models, unit, limit)
        if rows:
            gallery(parts[1], rows, attributes)
        write(figure, path)


def _draw_dots(
    axes: Axes, models: Mapping[str, ModelSummary], unit: str, limit: float | None
) -> None:
    for index, model in enumerate(models.values()):
        nll, wide = model["nll"], 2 * model["stderr"]
        axes.errorbar(nll, index, xerr=wide, fmt="o", color=colour(index), markersize=5)
        axes.annotate(
            _plus_minus(nll, wide), (1.03, index), xycoords=("axes fraction", "data"), va="center"
        )
    if limit is not None:
        axes.axvline(limit, **LIMIT)
        axes.annotate(
            f"limit {_number(limit, 2)}",
            (limit, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(3, -2),
            textcoords="offset points",
            va="top",
        )
    axes.set_yticks(range(len(models)), list(models), fontsize=9)
    for index, text in enumerate(axes.get_yticklabels()):
        text.set_color(shaded(colour(index)))
    axes.set(title="Test, ± 2 standard errors", xlabel=f"NLL ({unit}), lower is better")
    # Downwards, as a table; the line above the first model is for the limit's name.
    axes.set_ylim(len(models) - 0.4, -0.6 - 0.4 * (limit is not None))
    axes.margins(x=0.08)
    axes.locator_params(axis="x", nbins=6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _plus_minus(value: float, wide: float) -> str:
    """Write both with two digits of the second."""
    digits = 1 - int(np.floor(np.log10(wide))) if np.isfinite(wide) and wide > 0 else 3
    digits = min(max(digits, 0), 6)
    return f"{_number(value, digits)} ± {_number(wide, digits)}"


def _number(value: float, digits: int) -> str:
    """Write a number as the axes do, with a minus sign instead of a hyphen."""
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")
