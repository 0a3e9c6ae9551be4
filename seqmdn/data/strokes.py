"""Strokes of a pen: points become the frames of a sequence, and lines of few points."""

from __future__ import annotations

__all__ = ["simplify", "stroke_frames"]

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float64]


def stroke_frames(strokes: Sequence[ArrayLike]) -> Points:
    r"""Gives the frames [dx, dy, eos] of strokes, one frame a pen point.

    .. math:: (dx_t, dy_t) = p_t - p_{t-1}, \qquad (dx_0, dy_0) = (0, 0),

    and eos is 1 at the last point of a stroke, so that the offset after it is a jump in the air.

    Args:
        strokes: The points (P, 2) of each stroke, in the order in which they were drawn, in any
            unit.

    Returns:
        (T, 3), T the number of points of all strokes, offsets in the unit of the points.

    Raises:
        ValueError: If there are no strokes or fewer than two points, or if a stroke is empty, of
            another shape or not finite.

    Example:
        >>> stroke_frames([[[5, 5], [6, 7]], [[6, 0]]]).tolist()
        [[0.0, 0.0, 0.0], [1.0, 2.0, 1.0], [0.0, -7.0, 1.0]]
    """
    if not len(strokes):
        raise ValueError("expected at least one stroke, found none: leave the drawing out")
    checked = [_check(stroke, f"stroke {number}") for number, stroke in enumerate(strokes, 1)]
    points = np.concatenate(checked)
    if len(points) < 2:
        raise ValueError("expected at least 2 points, found 1: leave the drawing out")
    frames = np.zeros((len(points), 3))
    # Adding 0 turns -0 into 0.
    frames[1:, :2] = np.diff(points, axis=0) + 0.0
    frames[np.cumsum([len(stroke) for stroke in checked]) - 1, 2] = 1
    return frames


def simplify(stroke: ArrayLike, tolerance: float) -> Points:
    """Leaves away the points of a stroke that a line through the others passes closely.

    The first and the last point stay. Between two points that stay, the one furthest from the
    segment between them stays, too, if it is further away than the tolerance; so no point lies
    further than the tolerance from the line of those that stay.

    Args:
        stroke: (P, 2), in any unit.
        tolerance: The largest distance of a point that is left away, in that unit; 0 leaves away
            only what lies on the line between others.

    Returns:
        (Q, 2), Q <= P, the points that stay in their order.

    Raises:
        ValueError: If the stroke is empty, of another shape or not finite, or the tolerance is
            negative or not finite.

    References:
        An iterative procedure for the polygonal approximation of plane curves (Ramer, 1972);
        Algorithms for the reduction of the number of points required to represent a digitized line
        or its caricature (Douglas, Peucker, 1973).

    Example:
        >>> simplify([[0, 0], [1, 0.4], [2, 0], [3, 3]], tolerance=0.5).tolist()
        [[0.0, 0.0], [2.0, 0.0], [3.0, 3.0]]
    """
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise ValueError(f"expected a tolerance of 0 or more, found {tolerance}")
    points = _check(stroke, "the stroke")
    kept = np.zeros(len(points), bool)
    kept[[0, -1]] = True
    # A list in place of calls of itself: a spiral of thousands of points splits off one at a time.
    waiting = [(0, len(points) - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        distances = _distances(points[first + 1 : last], points[first], points[last])
        furthest = int(distances.argmax())
        if distances[furthest] > tolerance:
            middle = first + 1 + furthest
            kept[middle] = True
            waiting += [(first, middle), (middle, last)]
    return points[kept]


def _distances(points: Points, start: Points, end: Points) -> Points:
    """Gives the distances (P,) of points (P, 2) from the segment between two points (2,)."""
    along = end - start
    squared = float(along @ along)
    share = (points - start) @ along / squared if squared else np.zeros(len(points))
    away = points - start - np.clip(share, 0, 1)[:, None] * along
    return np.hypot(away[:, 0], away[:, 1])


def _check(stroke: ArrayLike, where: str) -> Points:
    points = np.asarray(stroke)
    if points.dtype.kind not in "iuf" or points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(
            f"{where}: expected points of shape (P, 2), found {points.dtype} of shape "
            f"{points.shape}: give x and y of each point"
        )
    if not len(points):
        raise ValueError(f"{where}: expected at least one point, found none: leave it out")
    if not np.isfinite(points).all():
        row = int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0])
        raise ValueError(
            f"{where}: expected finite points, found {points[row].tolist()} at point {row + 1}: "
            "mend or leave out the drawing"
        )
    return points.astype(np.float64)
