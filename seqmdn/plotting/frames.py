"""Single frames in colours, row above row: real ones and what a model makes of them."""

from __future__ import annotations

__all__ = ["save_frames"]

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from seqmdn.plotting.gallery import gallery, gallery_height
from seqmdn.plotting.page import INK, check_ending, colour, style, write
from seqmdn.plotting.rows import Row

_LEVELS = 255
_WIDTH = 9.0  # inches


def save_frames(
    path: str | os.PathLike[str],
    frames: Mapping[str, npt.ArrayLike],
    attributes: Mapping[str, Any],
    *,
    columns: int = 8,
) -> None:
    """Write frames of several kinds beneath each other, the first of each kind in one column.

    Where there are more of a kind than columns, a line of each kind follows, and again.

    Args:
        path: The file, .png or .svg. A file of that name is replaced when the new one is complete,
            and folders that are missing are made.
        frames: Levels from 0 to 255 ``(N, D)`` of each kind by its name, in the order row, column,
            channel; as many of each. Those named "real" are what the others are compared with.
        attributes: ``height`` and ``width`` of a frame; there are one or three channels.
        columns: Frames beside each other.

    Raises:
        ValueError: If the ending is another, there is nothing to draw, kinds differ in their
            number of frames, or the frames are not of that height and width.
        OSError: If the file cannot be written.
    """
    check_ending(path)
    counts = {name: len(np.asarray(each)) for name, each in frames.items()}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        raise ValueError(f"expected as many frames of each kind, 1 or more; found {counts}")
    others = [name for name in frames if name != "real"]
    kinds = [
        Row.of(
            name,
            INK if name == "real" else colour(others.index(name)),
            np.asarray(each)[:, None],  # a frame is a picture of its own
        )
        for name, each in frames.items()
    ]
    total = next(iter(counts.values()))
    rows = [
        kind.part(start, start + columns) for start in range(0, total, columns) for kind in kinds
    ]
    look = {
        "kind": "image",
        "levels": _LEVELS,
        **{key: attributes[key] for key in ("height", "width") if key in attributes},
    }
    with style():
        figure = Figure(figsize=(_WIDTH, gallery_height(rows, look, _WIDTH)), layout="constrained")
        gallery(figure, rows, look)
        write(figure, path)
