"""Images beside what a classifier says of them, and how sure it is."""

from __future__ import annotations

__all__ = ["save_uncertainty"]

import math
import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from seqmdn.plotting.page import GIVEN, INK, check_ending, colour, style, write

_ACROSS = 4


def save_uncertainty(
    path: str | os.PathLike[str],
    images: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    labels: npt.ArrayLike,
    names: Sequence[str] | None = None,
) -> None:
    r"""Write a picture of images with a bar for each class's probability, and the entropy.

    .. math:: H = -\sum_c p_c \log p_c, \quad 0 \le H \le \log C

    The bar of the true class is blue, that of a likelier wrong one red. The entropy is in nats.

    Args:
        path: The file, .png or .svg. A file of that name is replaced when the new one is complete,
            and folders that are missing are made.
        images: (N, height, width).
        probabilities: (N, C), which sum to 1.
        labels: True classes (N,), 0 to C - 1.
        names: Of the C classes; their numbers by default.

    Raises:
        ValueError: If the ending is another, shapes do not fit, or probabilities do not sum to 1.
        OSError: If the file cannot be written.
    """
    check_ending(path)
    pictures, p = np.asarray(images, np.float64), np.asarray(probabilities, np.float64)
    true = np.asarray(labels).astype(int)
    if (
        pictures.ndim != 3
        or p.ndim != 2
        or not len(p) == len(pictures) == len(true) > 0
        or true.shape != (len(p),)
    ):
        raise ValueError(
            "expected images (N, height, width), probabilities (N, C) and labels (N,), found "
            f"{pictures.shape}, {p.shape} and {true.shape}"
        )
    if not np.allclose(p.sum(1), 1, atol=1e-3):
        raise ValueError("expected probabilities that sum to 1, found others: give no logits")
    words = [str(c) for c in range(p.shape[1])] if names is None else list(names)
    if len(words) != p.shape[1] or true.min() < 0 or true.max() >= len(words):
        raise ValueError(
            f"expected {p.shape[1]} names, and labels below that, found {len(words)} and labels "
            f"from {true.min()} to {true.max()}"
        )
    entropy = np.abs((p * np.log(np.maximum(p, np.finfo(np.float64).tiny))).sum(1))
    with style():
        columns = min(len(p), _ACROSS)
        rows = math.ceil(len(p) / columns)
        figure = Figure(figsize=(2.9 * columns, 1.3 * rows), layout="constrained")
        panels = figure.subplots(rows, 2 * columns, squeeze=False, width_ratios=[1, 1.5] * columns)
        for place in range(rows * columns):
            left, right = panels[place // columns, 2 * (place % columns) :][:2]
            if place >= len(p):
                left.set_visible(False)
                right.set_visible(False)
                continue
            left.imshow(pictures[place], cmap="gray_r", interpolation="nearest")
            left.set(xticks=[], yticks=[])
            left.axis("off")
            colours = [GIVEN] * p.shape[1]
            colours[int(p[place].argmax())] = colour(1)
            colours[true[place]] = colour(0)
            right.bar(range(len(words)), p[place], color=colours)
            right.set(ylim=(0, 1), yticks=[], xticks=range(len(words)))
            right.set_xticklabels(words, fontsize=6.5)
            right.set_title(f"{entropy[place]:.2f} nats", fontsize=7.5, color=INK)
        write(figure, path)
