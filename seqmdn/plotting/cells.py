"""Images and drawings, many beside each other, each in a cell of its own."""

from __future__ import annotations

__all__ = ["cell_aspect", "draw_images", "draw_strokes", "image_grid", "is_writing"]

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from seqmdn.plotting.page import GIVEN
from seqmdn.plotting.rows import Array, Row, kind_of
from seqmdn.plotting.sheet import WRITING
from seqmdn.plotting.strokes import part_at, stroke_lines

# A line of one point would not be drawn; this one, shorter than its width, is a dot.
_DOT = np.array([[-0.005, 0.0], [0.005, 0.0]])


def image_grid(
    values: npt.ArrayLike,
    height: int,
    width: int,
    *,
    columns: int | None = None,
    limits: tuple[float, float] | None = None,
    gap: int = 1,
) -> Array:
    """Lay images side by side on a white sheet.

    One-channel images are drawn as ink on paper: the highest value is black. Images of three
    channels keep their colours. What is not a number stays white.

    Args:
        values: The pixels in reading order, (N, T, D) with T * D = height * width or
            height * width * 3.
        height: The rows of one image.
        width: The columns of one image.
        columns: The images beside each other. The sheet is about square if left out.
        limits: The lowest and the highest value; those of ``values`` if left out.
        gap: The white pixels between two images.

    Returns:
        The brightness between 0 and 1, (Y, X) or (Y, X, 3).

    Raises:
        ValueError: If the frames do not make up images of that height and width.

    Example:
        >>> image_grid([[[0.0, 4.0], [2.0, 1.0]]] * 2, height=2, width=2, columns=2)
        array([[1.  , 0.  , 1.  , 1.  , 0.  ],
               [0.5 , 0.75, 1.  , 0.5 , 0.75]])
    """
    images = _images(values, height, width)  # (N, height, width, channels)
    low, high = _limits(images) if limits is None else limits
    shade = np.clip((images - low) / (high - low), 0.0, 1.0)
    if shade.shape[-1] == 1:
        shade = 1.0 - shade
    shade[np.isnan(shade)] = 1.0
    columns = columns or int(np.ceil(np.sqrt(len(images) * height / width)))
    rows = -(-len(images) // columns)
    sheet = np.ones((rows * (height + gap) - gap, columns * (width + gap) - gap, shade.shape[-1]))
    for index, image in enumerate(shade):
        top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet[..., 0] if shade.shape[-1] == 1 else sheet


def cell_aspect(rows: Sequence[Row], attributes: Mapping[str, Any]) -> float:
    """Give the width of a cell whose height is 1.

    It is that of the images, or of the first row's drawings, those of rows without a name below it
    included. Where most of these are writing, a cell holds the widest and the highest of all rows.
    """
    if kind_of(attributes) == "image":
        height, width = _image_size(attributes)
        return width / height
    if is_writing(rows, attributes):
        across, down = _largest(rows, attributes)
        return float(np.clip(across / down, WRITING, 8.0))
    return float(np.clip(_usual_aspect(rows, attributes), 1.0, 8.0))


def is_writing(rows: Sequence[Row], attributes: Mapping[str, Any]) -> bool:
    """Say whether most drawings of the first row are words: nearly twice as wide as high."""
    return kind_of(attributes) == "strokes" and _usual_aspect(rows, attributes) > WRITING


def draw_images(axes: Axes, rows: Sequence[Row], attributes: Mapping[str, Any]) -> list[float]:
    """Draw rows of images and give the height at which the middle of each row lies."""
    height, width = _image_size(attributes)
    gap = max(1, round(height / 12))
    across = max(len(row.sequences) for row in rows)
    if "levels" in attributes:
        low, high = 0.0, float(attributes["levels"])
    else:
        low, high = _limits(_whole(rows[0]))
    strips: list[Array] = []
    centres, top = [], 0
    for index, row in enumerate(rows):
        strip = image_grid(_whole(row), height, width, columns=across, limits=(low, high), gap=gap)
        if index:
            # A row without a name goes on with the one above.
            between = 2 * gap if row.name else gap
            strips.append(np.ones((between, *strip.shape[1:])))
            top += between
        strips.append(strip)
        centres.append(top + (height - 1) / 2)
        top += height
    axes.imshow(np.concatenate(strips), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    return centres


def draw_strokes(axes: Axes, rows: Sequence[Row], attributes: Mapping[str, Any]) -> list[float]:
    """Draw rows of pen drawings and give the height at which the middle of each row lies.

    A drawing fills its cell but for a margin; writing begins at the left of its cell, and has one
    scale in all rows. What a model was given is grey.
    """
    aspect = cell_aspect(rows, attributes)
    writing = is_writing(rows, attributes)
    titled = any(title for row in rows for title in row.titles)
    room = np.array([0.84 * aspect, 0.66 if titled else 0.84])
    most = (room / _largest(rows, attributes)).min() if writing else np.inf
    # The vertical axis of the picture counts downwards, as most pens do.
    upright = np.array([1.0, -1.0 if attributes.get("y_axis") == "up" else 1.0])
    for index, row in enumerate(rows):
        for column, frames in enumerate(row.sequences):
            left = (column + 0.08) * aspect
            if row.titles:
                axes.text(
                    left if writing else (column + 0.5) * aspect,
                    index + 0.04,
                    row.titles[column],
                    fontsize=7,
                    color="#777777",
                    ha="left" if writing else "center",
                    va="top",
                    parse_math=False,
                )
            found = stroke_lines(frames, attributes.get("resolution"))
            given, own = part_at(found, row.starts[column] if row.starts else 0)
            inks = [GIVEN] * len(given) + [row.colour] * len(own)
            whole = [(line, ink) for line, ink in zip(given + own, inks, strict=True)]
            whole = [(line, ink) for line, ink in whole if np.isfinite(line).all()]
            if not whole:
                continue
            points = np.concatenate([line for line, _ in whole])
            low, high = points.min(axis=0), points.max(axis=0)
            # A drawing keeps its own proportions.
            scale = min((room / np.maximum(high - low, 1e-9)).min(), most)
            middle = left + scale * (high - low)[0] / 2 if writing else (column + 0.5) * aspect
            centre = np.array([middle, index + 0.5 + (0.84 - room[1]) / 2])
            placed = [centre + (line - (low + high) / 2) * scale * upright for line, _ in whole]
            placed = [line if len(line) > 1 else line + _DOT for line in placed]
            axes.add_collection(
                LineCollection(
                    placed, colors=[ink for _, ink in whole], linewidths=0.9, capstyle="round"
                )
            )
    across = max(len(row.sequences) for row in rows)
    axes.set(xlim=(0, across * aspect), ylim=(len(rows), 0), aspect="equal")
    return [index + 0.5 for index in range(len(rows))]


def _first(rows: Sequence[Row]) -> list[Row]:
    """Give the first row and those that go on with it."""
    return [rows[0], *takewhile(lambda row: not row.name, rows[1:])]


def _usual_aspect(rows: Sequence[Row], attributes: Mapping[str, Any]) -> float:
    sizes = _sizes(_first(rows), attributes)
    ratios = [across / down for across, down in sizes if across > 0 and down > 0]
    return float(np.median(ratios)) if ratios else 1.0


def _sizes(rows: Sequence[Row], attributes: Mapping[str, Any]) -> list[Array]:
    """Give width and height of all drawings that are finite and not empty."""
    resolution = attributes.get("resolution")
    frames = [each for row in rows for each in row.sequences if len(each)]
    points = [np.concatenate(stroke_lines(each, resolution)) for each in frames]
    return [np.ptp(each, axis=0) for each in points if np.isfinite(each).all()]


def _largest(rows: Sequence[Row], attributes: Mapping[str, Any]) -> Array:
    """Give the width of the widest and the height of the highest drawing.

    Those more than three times as large as is usual in the first row do not count: they would make
    all others small.
    """
    usual = np.median(_sizes(_first(rows), attributes), axis=0).max()
    counted = [size for size in _sizes(rows, attributes) if size.max() <= 3 * usual]
    return np.maximum(np.max(counted, axis=0), 1e-9)


def _image_size(attributes: Mapping[str, Any]) -> tuple[int, int]:
    if "height" not in attributes or "width" not in attributes:
        raise ValueError(
            f"expected the attributes height and width of images; found {sorted(attributes)}"
        )
    return int(attributes["height"]), int(attributes["width"])


def _whole(row: Row) -> Array:
    lengths = {len(each) for each in row.sequences}
    if len(lengths) > 1:
        raise ValueError(
            f"{row.name}: expected images of one size; found lengths {sorted(lengths)}"
        )
    return np.stack(row.sequences)  # (N, T, D)


def _images(values: npt.ArrayLike, height: int, width: int) -> Array:
    pixels = np.asarray(values, dtype=np.float64)  # (N, T, D)
    channels = pixels[0].size / (height * width) if pixels.ndim == 3 and len(pixels) else 0
    if channels not in (1, 3):
        raise ValueError(
            f"expected images (N, T, D) with T * D = {height} x {width} or {height} x {width} x 3; "
            f"found {pixels.shape}"
        )
    return pixels.reshape(len(pixels), height, width, int(channels))


def _limits(values: Array) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    return low, high if high > low else low + 1.0
