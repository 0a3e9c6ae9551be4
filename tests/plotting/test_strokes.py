import numpy as np
import pytest

from seqmdn.plotting.strokes import part_at, stroke_lines


def test_pen_lines() -> None:
    frames = [[1, 1, 0], [2, 0, 1], [0, 3, 0.2], [1, 0, 0.9], [1, 1, 0]]
    lines = [line.tolist() for line in stroke_lines(frames)]
    assert lines == [[[1, 1], [3, 1]], [[3, 4], [4, 4]], [[5, 5]]]
    assert stroke_lines(np.zeros((0, 3))) == []
    with pytest.raises(ValueError, match=r"\[dx, dy, end\], \(T, 3\) or wider; found \(4, 2\)"):
        stroke_lines(np.zeros((4, 2)))


def test_further_columns_are_not_read() -> None:
    frames = np.random.default_rng(0).normal(size=(9, 5))
    for wide, plain in zip(stroke_lines(frames), stroke_lines(frames[:, :3]), strict=True):
        np.testing.assert_array_equal(wide, plain)


def test_pen_points_are_put_on_their_grid() -> None:
    levels = np.array([[2, 0, 0], [0, 1, 0], [-1, 1, 1], [0, 0, 1]]) * [0.5, 0.5, 1.0]
    noise = np.random.default_rng(0).uniform(-0.24, 0.24, size=(4, 2))
    noisy = levels + np.pad(noise, ((0, 0), (0, 1)))
    for found, expected in zip(stroke_lines(noisy, 0.5), stroke_lines(levels), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert not np.array_equal(stroke_lines(noisy)[0], stroke_lines(levels)[0])
    with pytest.raises(ValueError, match="resolution above 0, or None; found 0"):
        stroke_lines(noisy, 0)


@pytest.mark.parametrize(
    ("start", "before", "after"),
    [
        (0, [], [[1, 2, 3], [4, 5]]),
        (1, [[1]], [[1, 2, 3], [4, 5]]),
        (2, [[1, 2]], [[2, 3], [4, 5]]),
        (3, [[1, 2, 3]], [[4, 5]]),  # the pen was in the air: nothing to connect
        (4, [[1, 2, 3], [4]], [[4, 5]]),
        (5, [[1, 2, 3], [4, 5]], []),
        (9, [[1, 2, 3], [4, 5]], []),
    ],
)
def test_a_drawing_is_parted_without_a_gap(start: int, before: list, after: list) -> None:
    lines = stroke_lines([[1, 0, 0], [1, 0, 0], [1, 0, 1], [1, 0, 0], [1, 0, 1]])
    found = [[line[:, 0].tolist() for line in part] for part in part_at(lines, start)]
    assert found == [before, after]
