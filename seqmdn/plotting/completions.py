"""Images of which some pixels are given, and below them what a model expects of the others."""

from __future__ import annotations

__all__ = ["save_completions"]

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from seqmdn.plotting.cells import image_grid
from seqmdn.plotting.page import check_ending, style, write
from seqmdn.plotting.rows import Array

_WIDTH = 9.0  # inches
_NAMES = 1.4  # inches beside the rows
_TITLE = 0.3  # inches above them
_UNKNOWN = (0.80, 0.87, 0.94)  # neither ink nor paper


def save_completions(
    path: str | os.PathLike[str],
    images: npt.ArrayLike,
    completions: Mapping[str, Mapping[str, npt.ArrayLike]],
    attributes: Mapping[str, Any],
    title: str = "",
) -> None:
    """Write rows of completions, group by group, above the images themselves.

    What is NaN is tinted. Rows named ``deviation`` are shown as ink, the mean over the channels of
    a pixel, black where it is half of the range, which no deviation within the range exceeds.

    Args:
        path: The file, .png or .svg. A file of that name is replaced when the new one is complete,
            and folders that are missing are made.
        images: In reading order, (N, height, width * channels).
        completions: Rows of each group by their names, of the images' shape.
        attributes: ``height`` and ``width``, and ``levels``, as of images
            (:mod:`seqmdn.plotting`).
        title: What stands above all of it.

    Raises:
        ValueError: If the ending is another, or rows are not of the images' shape.
        OSError: If the file cannot be written.
    """
    check_ending(path)
    truth = np.asarray(images, np.float64)
    height, width = int(attributes["height"]), int(attributes["width"])
    limits = (0.0, float(attributes.get("levels", np.nanmax(truth, initial=1.0))))
    gap = max(1, round(height / 12))
    strips: list[Array] = []
    names: dict[float, str] = {}
    top = 0
    for group, rows in [*completions.items(), ("", {"truth": truth})]:
        for name, row in rows.items():
            values = np.asarray(row, np.float64)
            if values.shape != truth.shape or not len(truth):
                raise ValueError(
                    f"expected rows of 1 image or more, shape {truth.shape}; found {name} of "
                    f"{values.shape}"
                )
            strip = _strip(values, height, width, limits, gap, name == "deviation")
            first = name == next(iter(rows))
            if strips:
                between = 3 * gap if first else gap
                strips.append(np.ones((between, *strip.shape[1:])))
                top += between
            names[top + (height - 1) / 2] = f"{group} {name}".strip() if first else name
            strips.append(strip)
            top += height
    sheet = np.concatenate(strips)
    with style():
        tall = (_WIDTH - _NAMES) * len(sheet) / sheet.shape[1]
        high = tall + _TITLE
        figure = Figure(figsize=(_WIDTH, high))
        axes = figure.add_axes((_NAMES / _WIDTH, 0.0, 1 - _NAMES / _WIDTH, tall / high))
        axes.imshow(sheet, interpolation="nearest")
        axes.set_yticks(list(names), list(names.values()))
        axes.set_xticks([])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        figure.suptitle(title, fontsize=9, x=0.01, y=1 - 0.3 * _TITLE / high, ha="left", va="top")
        write(figure, path)


def _strip(
    values: Array, height: int, width: int, limits: tuple[float, float], gap: int, ink: bool
) -> Array:  # (height, X, 3)
    """Lay the images of a row side by side, in colours."""
    images = values.reshape(len(values), height, width, -1)
    unknown = np.isnan(images).any(-1)
    if ink:
        low, high = limits
        images, limits = images.mean(-1, keepdims=True), (0.0, (high - low) / 2)
    cells = images.reshape(len(images), height, -1)
    sheet = image_grid(cells, height, width, columns=len(cells), limits=limits, gap=gap)
    if sheet.ndim == 2:
        sheet = np.repeat(sheet[..., None], 3, axis=-1)
    # One-channel images are drawn as ink: what is 1 becomes 0, and gaps are 1.
    marks = image_grid(
        unknown.astype(float), height, width, columns=len(cells), limits=(0.0, 1.0), gap=gap
    )
    sheet[marks == 0] = _UNKNOWN
    return sheet
