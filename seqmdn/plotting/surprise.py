"""Images, and below each how much a model is surprised by its pixels."""

from __future__ import annotations

__all__ = ["save_surprise"]

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from seqmdn.plotting.cells import image_grid
from seqmdn.plotting.page import check_ending, style, write

_WIDTH = 9.0  # inches
_REACH = (0.5, 99.5)  # percentiles that the colours reach


def save_surprise(
    path: str | os.PathLike[str],
    images: npt.ArrayLike,
    nats: npt.ArrayLike,
    attributes: Mapping[str, Any],
    title: str = "",
    *,
    columns: int = 8,
) -> None:
    """Write images with a map of nats below each, and what the colours stand for.

    Args:
        path: The file, .png or .svg. A file of that name is replaced when the new one is complete,
            and folders that are missing are made.
        images: In reading order, (N, height, width * channels).
        nats: Of each pixel, (N, height, width).
        attributes: How the data want to be seen (:mod:`seqmdn.plotting`).
        title: What stands above all of it.
        columns: Images beside each other.

    Raises:
        ValueError: If the ending is another, or the maps are not those of the images.
        OSError: If the file cannot be written.
    """
    check_ending(path)
    pixels, surprise = np.asarray(images, np.float64), np.asarray(nats, np.float64)
    height, width = int(attributes["height"]), int(attributes["width"])
    if surprise.shape != (len(pixels), height, width) or not len(pixels):
        raise ValueError(
            f"expected nats of 1 image or more ({len(pixels)}, {height}, {width}); found "
            f"{surprise.shape}"
        )
    limits = (0.0, float(attributes["levels"])) if "levels" in attributes else None
    gap, across = max(1, round(height / 12)), min(columns, len(pixels))
    known = surprise[np.isfinite(surprise)]
    low, high = np.percentile(known, _REACH) if known.size else (0.0, 1.0)
    high = high if high > low else low + 1.0
    lines = [slice(start, start + across) for start in range(0, len(pixels), across)]
    tall = 2 * (height + gap) / (across * (width + gap)) * (_WIDTH - 1.2)
    with style():
        figure = Figure(figsize=(_WIDTH, 0.5 + len(lines) * tall), layout="constrained")
        panels = figure.subplots(2 * len(lines), 1, squeeze=False)[:, 0]
        maps: list[AxesImage] = []
        for line, (above, below) in zip(lines, panels.reshape(-1, 2), strict=True):
            sheet = image_grid(pixels[line], height, width, columns=across, limits=limits, gap=gap)
            above.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            own = np.full((height, across * (width + gap) - gap), np.nan)
            for place, each in enumerate(surprise[line]):
                left = place * (width + gap)
                own[:, left : left + width] = each
            maps.append(
                below.imshow(own, cmap="inferno", vmin=low, vmax=high, interpolation="nearest")
            )
        for axes in panels:
            axes.set_axis_off()
        figure.colorbar(maps[0], ax=list(panels), label="nats a pixel", shrink=0.9, pad=0.01)
        figure.suptitle(title, fontsize=9, x=0.01, ha="left")
        write(figure, path)
