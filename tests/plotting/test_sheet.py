import numpy as np
import pytest

from seqmdn.plotting.page import GIVEN
from seqmdn.plotting.sheet import Drawing, lay_out, pen_row

STROKES = {"kind": "strokes"}


def _box(wide: float, high: float) -> np.ndarray:
    """A rectangle as wide and high as that, in one stroke, and a dot in its middle."""
    return np.array(
        [
            [5, 5, 0],
            [wide, 0, 0],
            [0, high, 0],
            [-wide, 0, 0],
            [0, -high, 1],
            [wide / 2, high / 2, 1],
        ]
    )


def _extent(drawing: Drawing) -> tuple[np.ndarray, np.ndarray]:
    points = np.concatenate([stroke.points for stroke in drawing.strokes])
    return points.min(axis=0), points.max(axis=0)


@pytest.mark.parametrize("wide", [10.0, 50.0])
def test_drawings_keep_their_size_and_lie_on_the_sheet_apart(wide: float) -> None:
    boxes = [_box(wide * factor, 10.0 / factor) for factor in (1.0, 0.8, 1.1, 1.0, 0.9, 1.0, 1.0)]
    sheet = lay_out([pen_row("a", "#000000", boxes)], STROKES)
    extents = [_extent(drawing) for drawing in sheet.drawings]
    for (low, high), factor in zip(extents, (1.0, 0.8, 1.1, 1.0, 0.9, 1.0, 1.0), strict=True):
        np.testing.assert_allclose(high - low, [wide * factor, 10.0 / factor])
        assert (low > sheet.pen).all() and (high + sheet.pen < [sheet.width, sheet.height]).all()
    for index, (low, high) in enumerate(extents):
        for other_low, other_high in extents[index + 1 :]:
            assert (high + sheet.pen < other_low).any() or (other_high + sheet.pen < low).any()


def test_words_stand_on_a_line_from_the_left_and_characters_in_the_middle() -> None:
    words = [_box(50, 10), _box(30, 10), _box(50, 10), _box(50, 10)]
    words[1][2:4, 1] = [30, 0]
    words[1][4, 1] = -30  # one goes far below the line, as the foot of a letter does
    sheet = lay_out([pen_row("a", "#000000", words)], STROKES)
    lefts = [_extent(drawing)[0][0] for drawing in sheet.drawings]
    assert lefts[0] == lefts[2] and lefts[1] == lefts[3] and not sheet.centred
    middles = [
        np.median(np.concatenate([stroke.points for stroke in each.strokes])[:, 1])
        for each in sheet.drawings
    ]
    assert middles[0] == pytest.approx(middles[1]) and middles[2] == pytest.approx(middles[3])
    boxes = [_box(10, 10), _box(4, 6), _box(6, 10)]
    sheet = lay_out([pen_row("a", "#000000", boxes)], STROKES)
    centres = np.array([np.add(*_extent(drawing)) / 2 for drawing in sheet.drawings])
    assert sheet.centred and np.ptp(centres[:, 1]) == pytest.approx(0)
    assert np.diff(centres[:, 0]) == pytest.approx([15, 15])  # the widest and half a height


def test_a_drawing_that_runs_away_leaves_the_others_their_size() -> None:
    boxes = [_box(10, 10)] * 5 + [_box(4000, 10)]
    sheet = lay_out([pen_row("a", "#000000", boxes)], STROKES)
    sizes = [np.ptp(_extent(drawing), axis=0) for drawing in sheet.drawings]
    np.testing.assert_allclose(sizes[:5], 10)
    assert sizes[5][0] == pytest.approx(30) and sheet.pen == pytest.approx(0.4)


@pytest.mark.parametrize(("y_axis", "corner"), [("down", 1), ("up", 0)])
def test_up_is_up(y_axis: str, corner: int) -> None:
    frames = [[0, 0, 0], [10, 0, 0], [0, 10, 1]]
    sheet = lay_out([pen_row("a", "#000000", [frames])], {**STROKES, "y_axis": y_axis})
    last = sheet.drawings[0].strokes[0].points[-1]
    assert last[1] == _extent(sheet.drawings[0])[corner][1]


def test_frames_and_inks_of_strokes() -> None:
    sheet = lay_out([pen_row("a", "#112233", [_box(9, 9)] * 3, starts=[0, 2, 5])], STROKES)
    found = [[(s.first, len(s.points), s.colour) for s in each.strokes] for each in sheet.drawings]
    assert found == [
        [(0, 5, "#112233"), (5, 1, "#112233")],
        [(0, 2, GIVEN), (1, 4, "#112233"), (5, 1, "#112233")],
        [(0, 5, GIVEN), (5, 1, "#112233")],
    ]


def test_only_a_line_of_what_is_there_to_compare() -> None:
    real = pen_row("real", "#000000", [_box(50, 10)] * 9)
    drawn = pen_row("sampled", "#112233", [_box(50, 10)] * 7)
    sheet = lay_out([real, drawn], STROKES)
    inks = [drawing.strokes[0].colour for drawing in sheet.drawings]
    assert inks.count("#112233") == 7 and inks.count("#000000") == 3
    assert [name for name, _ in sheet.headings] == ["real", "sampled"]
    tops = [_extent(drawing)[0][1] for drawing in sheet.drawings]
    assert sheet.headings[0][1][1] < tops[0] < sheet.headings[1][1][1] < tops[3]


def test_titles_stand_above_and_fit() -> None:
    titles = ["a", "a name of many words", ""]
    sheet = lay_out([pen_row("a", "#000000", [_box(10, 10)] * 3, titles)], STROKES)
    for drawing, title in zip(sheet.drawings, titles, strict=True):
        assert drawing.title == title
        low, high = _extent(drawing)
        assert drawing.place == pytest.approx(((low + high)[0] / 2, low[1] - sheet.letters / 2))
    assert 0.12 * 10 <= sheet.letters < 0.26 * 10


def test_nothing_drawn_and_dots_have_a_place() -> None:
    sheet = lay_out([pen_row("a", "#000000", [np.zeros((0, 3)), [[3, 4, 1]]])], STROKES)
    assert sheet.drawings[0].strokes == () and len(sheet.drawings[1].strokes) == 1
    assert np.isfinite([sheet.width, sheet.height]).all() and sheet.pen > 0


def test_bad_input_is_refused() -> None:
    bad = _box(1, 1)
    bad[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"sampled drawing 1 \(no\): .* found nan in frame 3"):
        pen_row("sampled", "#000000", [_box(1, 1), bad], ["yes", "no"])
    with pytest.raises(ValueError, match="at least one drawing; found none"):
        pen_row("sampled", "#000000", [])
    with pytest.raises(ValueError, match="expected 1 starts, one a sequence; found 2"):
        pen_row("sampled", "#000000", [_box(1, 1)], starts=[1, 2])
    with pytest.raises(ValueError, match="kind 'strokes'; found 'series'"):
        lay_out([pen_row("a", "#000000", [_box(1, 1)])], {})
    with pytest.raises(ValueError, match=r"\(T, 3\) or wider; found \(4, 2\)"):
        lay_out([pen_row("a", "#000000", [np.zeros((4, 2))])], STROKES)
