"""Frames of strokes, and thinned strokes, against what can be said of any."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seqmdn.data import simplify, stroke_frames

coordinates = st.integers(-50, 50).map(float)
walks = st.integers(1, 40).flatmap(
    lambda length: arrays(np.float64, (length, 2), elements=coordinates)
)


def distance(point: np.ndarray, start: np.ndarray, end: np.ndarray) -> float:
    """From a point to a segment: the least over a fine grid of its points and the foot."""
    along = end - start
    shares = [0.0, 1.0]
    if along.any():
        shares.append(float(np.clip((point - start) @ along / (along @ along), 0, 1)))
    return min(math.dist(point, start + share * along) for share in shares)


@given(st.lists(walks, min_size=1, max_size=4).filter(lambda found: sum(map(len, found)) > 1))
@settings(max_examples=50, deadline=None)
def test_offsets_lead_back_to_the_points(strokes: list[np.ndarray]) -> None:
    frames = stroke_frames(strokes)
    points = np.concatenate(strokes)
    assert frames.shape == (len(points), 3) and frames.dtype == np.float64
    np.testing.assert_array_equal(frames[:, :2].cumsum(0), points - points[0])
    np.testing.assert_array_equal(
        np.flatnonzero(frames[:, 2]), np.cumsum([len(stroke) for stroke in strokes]) - 1
    )
    assert not np.signbit(frames[frames == 0]).any()


@pytest.mark.parametrize(
    ("strokes", "message"),
    [
        ([], "at least one stroke, found none"),
        ([[[1, 2]]], "at least 2 points, found 1"),
        ([[[1, 2]], np.zeros((0, 2))], "stroke 2: expected at least one point, found none"),
        (
            [[[1, 2], [3, math.nan]]],
            r"stroke 1: expected finite points, found \[3.0, nan\] at point 2",
        ),
        ([[[1, 2]], [[math.inf, 0]]], "stroke 2: expected finite points, found .*inf"),
        (
            [[[1, 2, 3], [1, 2, 3]]],
            r"stroke 1: expected points of shape \(P, 2\), found .*\(2, 3\)",
        ),
        ([[["a", "b"]]], "expected points of shape .*found <U1"),
    ],
)
def test_what_is_no_drawing_is_refused(strokes: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stroke_frames(strokes)


@given(walks, st.sampled_from([0.0, 0.5, 2.0, 10.0]))
@settings(max_examples=100, deadline=None)
def test_no_point_is_further_than_the_tolerance(stroke: np.ndarray, tolerance: float) -> None:
    kept = simplify(stroke, tolerance)
    np.testing.assert_array_equal(kept[[0, -1]], stroke[[0, -1]])
    # The points that stay are some of the stroke's, in their order.
    place, places = 0, []
    for point in kept:
        while not (stroke[place] == point).all():
            place += 1
        places.append(place)
        place += len(stroke) > 1
    if (np.unique(stroke, axis=0).shape[0]) < len(stroke):
        return  # which of two equal points stayed cannot be told
    assert places[0] == 0 and places[-1] == len(stroke) - 1
    for first, last in zip(places, places[1:], strict=False):
        for point in stroke[first:last]:
            assert distance(point, stroke[first], stroke[last]) <= tolerance + 1e-9


@pytest.mark.parametrize(
    ("stroke", "tolerance", "expected"),
    [
        ([[0, 0], [1, 0], [2, 0]], 0, [[0, 0], [2, 0]]),
        ([[0, 0], [5, 1], [10, 0]], 1, [[0, 0], [10, 0]]),
        ([[0, 0], [5, 1.01], [10, 0]], 1, [[0, 0], [5, 1.01], [10, 0]]),
        # A line that turns back goes beyond its end: near the line, but not near the segment.
        ([[0, 0], [10, 0], [5, 0]], 1, [[0, 0], [10, 0], [5, 0]]),
        # A closed stroke has no line from its first to its last point.
        ([[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]], 1, [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]),
        ([[3, 3]], 1, [[3, 3]]),
        ([[3, 3], [3, 3]], 1, [[3, 3], [3, 3]]),
    ],
)
def test_known_strokes(stroke: list, tolerance: float, expected: list) -> None:
    np.testing.assert_array_equal(simplify(stroke, tolerance), expected)


def test_a_long_spiral_needs_no_recursion() -> None:
    # Each split takes off one point: as deep as there are points.
    turn = np.arange(3000)
    stroke = np.stack([turn, 1e-3 * 1.01**turn % 7 + 1e9 * (turn % 2)], axis=1)
    assert len(simplify(stroke, 0.0)) == len(stroke)


@pytest.mark.parametrize("tolerance", [-1, math.nan, math.inf])
def test_a_tolerance_that_makes_no_sense_is_refused(tolerance: float) -> None:
    with pytest.raises(ValueError, match="a tolerance of 0 or more, found"):
        simplify([[0, 0], [1, 1]], tolerance)
