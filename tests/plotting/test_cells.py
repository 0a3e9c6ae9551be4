import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from seqmdn.plotting.cells import cell_aspect, draw_images, draw_strokes, image_grid, is_writing
from seqmdn.plotting.page import GIVEN
from seqmdn.plotting.rows import Row
from seqmdn.plotting.sheet import WRITING
from seqmdn.plotting.strokes import stroke_lines

SQUARE = {"kind": "image", "height": 2, "width": 2}
STROKES = {"kind": "strokes"}


def test_grid_puts_each_image_in_its_place() -> None:
    values = np.arange(12.0).reshape(3, 2, 2)
    sheet = image_grid(values, 2, 2, columns=2, gap=3)
    assert sheet.shape == (7, 7)
    ink = 11.0 * (1.0 - sheet)
    for index, (top, left) in enumerate([(0, 0), (0, 5), (5, 0)]):
        np.testing.assert_allclose(ink[top : top + 2, left : left + 2], values[index])
    covered = np.zeros_like(sheet, dtype=bool)
    for top, left in [(0, 0), (0, 5), (5, 0)]:
        covered[top : top + 2, left : left + 2] = True
    assert (sheet[~covered] == 1.0).all()


def test_frames_are_read_in_order_however_wide_they_are() -> None:
    pixels = np.random.default_rng(0).random((2, 24))
    grids = [image_grid(pixels.reshape(2, -1, wide), 4, 6) for wide in (1, 4, 6, 24)]
    assert all(np.array_equal(grid, grids[0]) for grid in grids)


def test_colours_stay() -> None:
    red = np.tile([1.0, 0.0, 0.0], (1, 4, 1))  # (N, T = pixels, D = channels)
    sheet = image_grid(red, 2, 2)
    assert sheet.shape == (2, 2, 3) and (sheet == [1.0, 0.0, 0.0]).all()


def test_limits_clip_and_a_constant_image_is_white() -> None:
    assert image_grid([[[-5.0, 5.0]]], 1, 2, limits=(0.0, 1.0)).tolist() == [[1.0, 0.0]]
    assert image_grid([[[3.0, 3.0]]], 1, 2).tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize("shape", [(1, 2, 3), (1, 2, 4), (4, 1), (0, 2, 2)])
def test_pixels_that_make_no_image_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"T \* D = 2 x 2 or 2 x 2 x 3; found"):
        image_grid(np.zeros(shape), 2, 2)


def test_pen_points_are_put_on_their_grid() -> None:
    levels = np.array([[2, 0, 0], [0, 1, 0], [-1, 1, 1], [0, 0, 1]]) * [0.5, 0.5, 1.0]
    noise = np.random.default_rng(0).uniform(-0.24, 0.24, size=(4, 2))
    drawn = []
    for frames in (levels + np.pad(noise, ((0, 0), (0, 1))), levels):
        axes = Figure().add_subplot()
        row = Row.of("real", "#000000", [frames])
        draw_strokes(axes, [row], {**STROKES, "resolution": 0.5})
        drawn.append(np.concatenate(axes.collections[0].get_segments()))
    np.testing.assert_array_equal(*drawn)


def test_rows_of_images_share_their_limits() -> None:
    rows = [
        Row.of("real", "#000000", np.array([[[0.0, 1.0], [2.0, 4.0]]])),
        Row.of("model", "#000000", np.array([[[0.0, 1.0], [2.0, 2.0]]] * 2)),
    ]
    axes = Figure().add_subplot()
    centres = draw_images(axes, rows, SQUARE)
    (image,) = axes.get_images()
    sheet = np.asarray(image.get_array())
    ink = 4.0 * (1.0 - sheet)
    np.testing.assert_allclose(ink[:2, :2], [[0.0, 1.0], [2.0, 4.0]])
    np.testing.assert_allclose(ink[4:6, 3:5], [[0.0, 1.0], [2.0, 2.0]])
    assert centres == [0.5, 4.5]  # two white lines between two sources


def test_levels_are_the_limits_where_they_are_known() -> None:
    axes = Figure().add_subplot()
    rows = [Row.of("real", "#000000", np.full((1, 2, 2), 4.0))]
    draw_images(axes, rows, {**SQUARE, "levels": 16})
    np.testing.assert_allclose(np.asarray(axes.get_images()[0].get_array()), 0.75)


def test_a_row_without_a_name_stands_closer() -> None:
    rows = [Row.of(name, "#000000", np.ones((1, 2, 2))) for name in ("real", "", "model")]
    assert draw_images(Figure().add_subplot(), rows, SQUARE) == [0.5, 3.5, 7.5]


def test_images_need_a_size() -> None:
    with pytest.raises(ValueError, match=r"height and width of images; found \['kind'\]"):
        cell_aspect([], {"kind": "image"})


@pytest.mark.parametrize(("y_axis", "upright"), [("down", 1.0), ("up", -1.0)])
def test_drawings_fill_their_cell_and_stay_in_it(y_axis: str, upright: float) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 9, 3)) * [6.0, 7.0, 1.0]
    values[1] *= [1e-3, 1e-3, 1.0]
    values[:, :, 2] = np.arange(9) == 4
    rows = [Row.of("real", "#112233", values), Row.of("model", "#445566", values[:2])]
    attributes = {**STROKES, "y_axis": y_axis}
    axes = Figure().add_subplot()
    assert draw_strokes(axes, rows, attributes) == [0.5, 1.5]
    aspect = cell_aspect(rows, attributes)
    assert 1.0 < aspect < WRITING
    drawn = [each for each in axes.collections if isinstance(each, LineCollection)]
    assert len(drawn) == 5
    for place, collection in enumerate(drawn):
        row, column = divmod(place, 3)
        points = np.concatenate(collection.get_segments())
        low, high = points.min(axis=0), points.max(axis=0)
        size = (high - low) / [aspect, 1.0]
        assert size.max() == pytest.approx(0.84)
        np.testing.assert_allclose((low + high) / 2, [(column + 0.5) * aspect, row + 0.5])
        original = np.concatenate(stroke_lines(values[column]))
        moved, meant = np.diff(points, axis=0), np.diff(original, axis=0) * [1.0, upright]
        np.testing.assert_allclose(moved * (np.ptp(original[:, 0]) / (high - low)[0]), meant)


def test_drawings_that_are_not_finite_or_empty_leave_their_cell_white() -> None:
    values = np.ones((3, 4, 3))
    values[0, 2, 0] = np.nan
    axes = Figure().add_subplot()
    draw_strokes(axes, [Row.of("model", "#000000", values, [4, 0, 4])], STROKES)
    points = [np.concatenate(each.get_segments()) for each in axes.collections]
    assert all(np.isfinite(each).all() for each in points) and len(points) == 2


def test_a_dot_is_drawn() -> None:
    axes = Figure().add_subplot()
    draw_strokes(axes, [Row.of("real", "#000000", [[[0, 0, 1], [2, 2, 0], [2, 0, 1]]])], STROKES)
    dot, line = axes.collections[0].get_segments()
    assert 0.0 < np.ptp(dot[:, 0]) < 0.02 < np.ptp(line[:, 0])


def _words(*widths: float) -> np.ndarray:
    """One stroke each, 10 high and as wide as it says, with a fourth column."""
    return np.array([[[0, 0, 0, 9], [each / 2, 10, 0, 9], [each / 2, -4, 1, 9]] for each in widths])


def test_words_have_one_scale_and_begin_at_the_left() -> None:
    low = _words(30) * [1, 0.5, 1, 1]
    rows = [Row.of("real", "#000000", _words(20, 40)), Row.of("", "#000000", low)]
    assert is_writing(rows, STROKES) and cell_aspect(rows, STROKES) == pytest.approx(4.0)
    axes = Figure().add_subplot()
    draw_strokes(axes, rows, STROKES)
    boxes = [np.concatenate(each.get_segments()) for each in axes.collections]
    sizes = [np.ptp(box, axis=0) for box in boxes]
    np.testing.assert_allclose(sizes, 0.084 * np.array([[20, 10], [40, 10], [30, 5]]))
    left = [box[:, 0].min() for box in boxes]
    np.testing.assert_allclose(left, [0.32, 4.32, 0.32])


def test_a_word_that_runs_away_leaves_the_others_their_size() -> None:
    sizes = []
    for last in (20, 2000):
        axes = Figure().add_subplot()
        row = Row.of("real", "#000000", _words(20, 20, 20, last))
        draw_strokes(axes, [row], STROKES)
        boxes = [np.concatenate(each.get_segments()) for each in axes.collections]
        sizes.append([np.ptp(box, axis=0) for box in boxes])
        assert boxes[3][:, 0].max() <= 4 * cell_aspect([row], STROKES)
    np.testing.assert_allclose(sizes[0][:3], sizes[1][:3])


def test_titles_stand_above_what_was_given_is_grey() -> None:
    values = _words(20, 30)
    row = Row.of("model", "#112233", values, titles=["a $x", "b"], starts=[2, 0])
    axes = Figure().add_subplot()
    draw_strokes(axes, [row], STROKES)
    assert [text.get_text() for text in axes.texts] == ["a $x", "b"]
    axes.figure.draw_without_rendering()
    given, own = axes.collections[0].get_segments()
    inks = [to_hex(each) for each in axes.collections[0].get_colors()]
    assert inks == [GIVEN.lower(), "#112233"] and len(given) == 2 and len(own) == 2
    np.testing.assert_array_equal(given[-1], own[0])
    assert [to_hex(each) for each in axes.collections[1].get_colors()] == ["#112233"]
    tops = [np.concatenate(each.get_segments())[:, 1].min() for each in axes.collections]
    assert min(tops) > 0.2, "room for the title"


def test_pixels_that_are_not_numbers_are_white() -> None:
    assert image_grid([[[np.nan, 1.0, 0.0, np.inf]]], 1, 4, limits=(0, 1)).tolist() == [
        [1, 0, 1, 0]
    ]
    assert (image_grid(np.full((1, 4, 3), np.nan), 2, 2) == 1.0).all()


def test_images_cut_short_are_refused() -> None:
    rows = [Row.of("model", "#000000", np.zeros((2, 2, 2)), [2, 1])]
    with pytest.raises(ValueError, match=r"model: expected images of one size; .* \[1, 2\]"):
        draw_images(Figure().add_subplot(), rows, SQUARE)
