"""Which character a model looks at while it writes: the weights of its window over the text."""

from __future__ import annotations

__all__ = ["attention_figure", "save_attention"]

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from seqmdn.plotting.page import check_ending, colour, style, write
from seqmdn.plotting.rows import Array
from seqmdn.plotting.strokes import stroke_lines

_WIDTH = 8.0  # inches
_ROW = 0.17  # inches of a character, for its name to be readable
_SPACE = "\u2423"  # the open box, which stands for a space


def attention_figure(
    weights: npt.ArrayLike, text: str, frames: npt.ArrayLike, attributes: Mapping[str, Any]
) -> Figure:
    """Draw the weights of a soft window over a text, above what was written under them.

    A row is a character, a column a pen point; the darker, the more weight. The characters have
    colours in turn. A point of the drawing has the colour of the character with the most weight at
    that point; so has the strip between both pictures.

    Args:
        weights: The weight of each character at each pen point, (T, U), not negative.
        text: The U characters.
        frames: The pen points, (T, 3) or wider: [dx, dy, end, ...].
        attributes: How the data want to be seen (:mod:`seqmdn.plotting`).

    Raises:
        ValueError: If weights, text and frames do not fit, or weights are negative or not finite.

    References:
        Graves, Generating Sequences With Recurrent Neural Networks (2013), figure 13,
        https://arxiv.org/abs/1308.0850
    """
    window = np.asarray(weights, dtype=np.float64)  # (T, U)
    pen = np.asarray(frames, dtype=np.float64)  # (T, 3+)
    if window.shape != (len(pen), len(text)) or not window.size:
        raise ValueError(
            f"expected weights (T, U) of {len(pen)} pen points and {len(text)} characters, both at "
            f"least 1; found {window.shape}: give the text that the drawing was made under"
        )
    if not np.isfinite(window).all() or window.min() < 0 or not np.isfinite(pen).all():
        raise ValueError(
            "expected finite frames and finite weights of at least 0; found others: "
            "draw again, or show fewer points"
        )
    read = window.argmax(axis=1)  # (T,)
    # A character read a second time has the colour of the first.
    shades = np.array([to_rgb(colour(index)) for index in range(len(text))])  # (U, 3)
    lines = _segments(pen, attributes)
    size = np.ptp(np.concatenate([line for line, _ in lines]), axis=0)
    tall = float(np.clip(0.9 * _WIDTH * size[1] / max(size[0], 1e-12), 0.5, 3.5))
    heights = [max(0.8, _ROW * len(text)), 0.09, tall]
    with style():
        figure = Figure(figsize=(_WIDTH, sum(heights) + 0.75), layout="constrained")
        top, strip, paper = figure.subplots(3, 1, height_ratios=heights)
        top.imshow(
            window.T, aspect="auto", cmap="Greys", vmin=0, vmax=window.max(), interpolation="none"
        )
        top.set_yticks(range(len(text)), [_shown(letter) for letter in text])
        for label, shade in zip(top.get_yticklabels(), shades, strict=True):
            label.set(color=0.8 * shade, fontweight="bold", parse_math=False)
        top.tick_params(axis="y", length=0)
        top.tick_params(axis="x", labelbottom=False)
        strip.imshow(shades[read][None], aspect="auto", interpolation="none")
        strip.set_yticks([])
        strip.set_xlabel(str(attributes.get("step", "frame")))
        strip.spines[:].set_visible(False)
        _draw_pen(paper, lines, shades[read])
    return figure


def save_attention(
    path: str | os.PathLike[str],
    weights: npt.ArrayLike,
    text: str,
    frames: npt.ArrayLike,
    attributes: Mapping[str, Any],
) -> None:
    """Write :func:`attention_figure` as .png or .svg, whole or not at all.

    Raises:
        ValueError: If the ending is another, or the arguments do not fit.
        OSError: If the file cannot be written.
    """
    check_ending(path)
    figure = attention_figure(weights, text, frames, attributes)
    with style():
        write(figure, path)


def _segments(
    pen: Array, attributes: Mapping[str, Any]
) -> list[tuple[Array, npt.NDArray[np.int64]]]:
    """Give the points of each stroke, upright, and the frame of each."""
    # The vertical axis of the picture counts upwards.
    upright = np.array([1.0, 1.0 if attributes.get("y_axis") == "up" else -1.0])
    found: list[tuple[Array, npt.NDArray[np.int64]]] = []
    first = 0
    for line in stroke_lines(pen, attributes.get("resolution")):
        found.append((line * upright, np.arange(first, first + len(line))))
        first += len(line)
    return found


def _draw_pen(axes: Axes, lines: list[tuple[Array, npt.NDArray[np.int64]]], shades: Array) -> None:
    """Draw strokes whose points have colours (T, 3); a segment has that of its end."""
    for points, frames in lines:
        if len(points) > 1:
            pieces = np.stack([points[:-1], points[1:]], axis=1)  # (P - 1, 2, 2)
            axes.add_collection(
                LineCollection(
                    list(pieces), colors=shades[frames[1:]], linewidths=1.8, capstyle="round"
                )
            )
        else:
            axes.plot(*points.T, "o", color=shades[frames[0]], markersize=2.5)
    axes.autoscale_view()
    axes.set_aspect("equal")
    axes.set_axis_off()


def _shown(letter: str) -> str:
    return _SPACE if letter.isspace() else letter
