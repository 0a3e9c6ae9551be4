"""What a pen did: frames of offsets as lines on the paper."""

from __future__ import annotations

__all__ = ["part_at", "stroke_lines"]

import numpy as np
import numpy.typing as npt

from seqmdn.plotting.rows import Array


def stroke_lines(values: npt.ArrayLike, resolution: float | None = None) -> list[Array]:
    """Follow the pen: one line of points (P, 2) for each time it touches the paper.

    Args:
        values: The frames [dx, dy, end], (T, 3); further columns are not read. The pen starts at
            the origin, moves by (dx, dy), draws there, and is lifted after a frame whose ``end`` is
            above 1/2.
        resolution: The step of the grid that pen points lie on. Offsets are rounded to it, which
            takes away what noise a model of such data was trained under: the sum of many offsets
            would add it up. None leaves them as they are.

    Raises:
        ValueError: If a frame has less than three values, or the resolution is not positive.

    Example:
        >>> [line.tolist() for line in stroke_lines([[1, 0, 0], [0, 1, 1], [2, 0, 1]])]
        [[[1.0, 0.0], [1.0, 1.0]], [[3.0, 1.0]]]
    """
    frames = np.asarray(values, dtype=np.float64)  # (T, 3+)
    if frames.ndim != 2 or frames.shape[1] < 3:
        raise ValueError(
            f"expected frames [dx, dy, end], (T, 3) or wider; found {frames.shape}: give the "
            "columns of the offsets and of the end of a stroke first"
        )
    if resolution is not None and not resolution > 0:
        raise ValueError(f"expected a resolution above 0, or None; found {resolution}")
    offsets = frames[:, :2]
    if resolution is not None:
        offsets = resolution * np.rint(offsets / resolution)
    points = offsets.cumsum(axis=0)  # (T, 2)
    lifted = np.flatnonzero(frames[:, 2] > 0.5) + 1
    return [line for line in np.split(points, lifted) if len(line)]


def part_at(lines: list[Array], start: int) -> tuple[list[Array], list[Array]]:
    """Part a drawing into what its first ``start`` frames drew, and the rest.

    Where the pen was down at that moment, the last point of the one is the first of the other, so
    that no gap opens between them.

    Example:
        >>> given, drawn = part_at(stroke_lines([[1, 0, 0], [1, 0, 0], [1, 0, 1]]), 2)
        >>> given[0][:, 0].tolist(), drawn[0][:, 0].tolist()
        ([1.0, 2.0], [2.0, 3.0])
    """
    before: list[Array] = []
    after: list[Array] = []
    for line in lines:
        inside = min(max(start, 0), len(line))
        if inside:
            before.append(line[:inside])
        if inside < len(line):
            after.append(line[max(inside - 1, 0) :])
        start -= len(line)
    return before, after
