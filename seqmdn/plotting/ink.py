"""The line of a pen: curves through its points, wider where it was slow."""

from __future__ import annotations

__all__ = ["curve", "path_parts", "usual_step", "width_levels"]

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from seqmdn.plotting.rows import Array

Levels = npt.NDArray[np.int64]

_LEVEL = 1.09  # two widths of a line that differ by less look the same
_THIN, _THICK = -5, 4  # levels: 0.65 and 1.41 of the pen
_LEAVE = 0.6  # how far, in widths of the pen, a curve may leave a point


def usual_step(lines: Sequence[Array]) -> float:
    """Give the usual distance of two points of a line, infinite where there are no two.

    Example:
        >>> usual_step([np.array([[0.0, 0.0], [3.0, 4.0]]), np.zeros((1, 2))])
        5.0
    """
    moved = np.concatenate([np.zeros(0), *(_steps(line) for line in lines)])
    return float(np.median(moved)) if len(moved) else np.inf


def width_levels(points: Array, usual: float | None) -> Levels:  # (P,)
    """Say how much wider than the pen the line is at each point, in levels of 9 %.

    Points are read at equal times, so that their distance is a speed, and the width of the line is
    that of the pen times (speed / usual)^-0.3, within limits.

    Args:
        points: The points of a line, (P, 2).
        usual: The distance of two points where the line is as wide as the pen; None for a line of
            one width.

    Example:
        >>> width_levels(np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]), usual=0.5)
        array([-2, -2, -2])
    """
    if usual is None or len(points) < 3:
        return np.zeros(len(points), dtype=np.int64)
    speed = np.convolve(np.pad(_steps(points), 1, "edge"), [0.5, 0.5], "valid")  # (P,)
    # A hand's speed does not jump from point to point; that of rounded points does.
    reach = min(4, (len(points) - 1) // 2)
    near = np.hanning(2 * reach + 3)[1:-1]
    speed = np.convolve(np.pad(speed, reach, "edge"), near / near.sum(), "valid")
    wide = -0.3 * np.log(np.maximum(speed, 1e-3 * usual) / usual) / np.log(_LEVEL)
    return np.clip(np.rint(wide), _THIN, _THICK).astype(np.int64)


def path_parts(
    points: Array, levels: Levels, pen: float, digits: int
) -> Iterator[tuple[float, str]]:
    """Write the path of a line, in parts of one width each.

    A path is a quadratic B-spline: each point bends it between the middles of its two segments. It
    leaves no point by more than 0.6 of the pen's width; a line of one point is a dot.

    Args:
        points: The points of the line, (P, 2).
        levels: How wide the line is at each, (P,).
        pen: The width of the pen.
        digits: The digits behind the point of a number.

    Yields:
        How much wider than the pen a part is, and its path as SVG writes it.

    Example:
        >>> list(path_parts(np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0]]), np.zeros(3), 9.0, 0))
        [(1.0, 'M0 0l1 0q1 0 1 1l0 1')]
    """
    points, at = _bent(points, pen)
    levels = levels[np.rint(at).astype(np.int64)]
    # With points on a grid of two units of the last digit the middles have no more digits: a curve
    # that is told by its middles alone (t) would swing about its points otherwise.
    grid = 2 * np.rint(points * 10**digits / 2).astype(np.int64)  # (P, 2)
    if len(grid) == 1:
        yield 1.0, _words("M", grid[0], digits) + "h" + _word(1, digits)
        return
    joints = _joints(grid)
    last = len(grid) - 1
    for level, run in groupby(range(len(grid)), key=lambda i: int(levels[i])):
        inside = list(run)
        path, before = _words("M", joints[inside[0]], digits), "M"
        for i in inside:
            end = joints[i + 1] - joints[i]
            if i in (0, last):
                path, before = path + _words("l", end, digits), "l"
            elif before in ("q", "t"):
                path, before = path + _words("t" if before == "q" else " ", end, digits), "t"
            else:
                bend = _words("q", grid[i] - joints[i], digits)
                path, before = path + bend + _words(" ", end, digits), "q"
        yield _LEVEL**level, path


def curve(points: Array, pen: float) -> tuple[Array, Array]:
    """Follow the same path by short straight segments, for pictures of pixels.

    Returns:
        Points of the path, (Q, 2), and where each stands among the given ones: 1.25 is a quarter
        of the way from the second to the third, (Q,).

    Example:
        >>> points, at = curve(np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0]]), pen=9.0)
        >>> points[[0, 1, 3, -1]].tolist()
        [[0.0, 0.0], [1.0, 0.0], [1.75, 0.25], [2.0, 2.0]]
    """
    corners, at = _bent(points, pen)  # (P, 2), (P,)
    both = np.column_stack([corners, at])
    if len(both) < 3:
        return points, at
    joints = _joints(both)
    t = np.linspace(0.0, 1.0, 4, endpoint=False)[:, None, None]
    left, right = joints[1:-2], joints[2:-1]
    bends = (1 - t) ** 2 * left + 2 * t * (1 - t) * both[1:-1] + t**2 * right  # (4, P - 2, 3)
    path = np.concatenate([both[:1], bends.swapaxes(0, 1).reshape(-1, 3), joints[-2:]])
    return path[:, :2], path[:, 2]


def _joints(points: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Give where the curve goes from one point's bend to the next: (P + 1, ...)."""
    middles = points[:-1] + (points[1:] - points[:-1]) / 2
    return np.concatenate([points[:1], middles.astype(points.dtype), points[-1:]])


def _bent(points: Array, pen: float) -> tuple[Array, Array]:
    """Add points where the curve would leave a corner by too much.

    A curve that bends from a distance r before a corner to r behind it, turning by an angle a,
    leaves the corner by r sin(a / 2) / 2. It begins in the middle of two points: another point at
    2 r from the corner keeps it to that.

    Returns:
        The points, and where each stands among the old ones: 1.25 is a quarter behind the second.
    """
    old = np.arange(len(points), dtype=np.float64)
    if len(points) < 3:
        return points, old
    moved = np.diff(points, axis=0)  # (P - 1, 2)
    steps = np.maximum(_steps(points), 1e-12)
    straight = (moved[:-1] * moved[1:]).sum(1) / (steps[:-1] * steps[1:])  # cos a
    half = np.sqrt(np.clip(0.5 - 0.5 * straight, 1e-12, 1.0))  # sin(a / 2)
    reach = np.pad(2 * _LEAVE * pen / half, (1, 1), constant_values=np.inf)
    # Of each segment: how far the corners at its ends may reach into it, as a share of it.
    ahead, behind = (np.minimum(each / steps, 0.5) for each in (reach[:-1], reach[1:]))
    room = ahead + behind
    apart, close = room < 0.5, (room >= 0.5) & (room < 1.0)
    at = old[:-1]
    added = [(at + 2 * ahead)[apart], (at + 1 - 2 * behind)[apart], (at + ahead / room)[close]]
    places = np.sort(np.concatenate([old, *added]))
    return np.stack([np.interp(places, old, axis) for axis in points.T], axis=1), places


def _steps(points: Array) -> Array:
    return np.hypot(*np.diff(points, axis=0).T)


def _words(command: str, pair: npt.NDArray[np.int64], digits: int) -> str:
    """Write two numbers behind a command with as few letters as it takes."""
    x, y = _word(int(pair[0]), digits), _word(int(pair[1]), digits)
    return f"{command}{x}{y if y[0] == '-' else ' ' + y}"


def _word(number: int, digits: int) -> str:
    """Write a whole number of units of the last digit.

    Example:
        >>> _word(-105, 1), _word(20, 1), _word(0, 1), _word(7, 0)
        ('-10.5', '2', '0', '7')
    """
    text = f"{number / 10**digits:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if digits else text
    return text if text != "-0" else "0"
