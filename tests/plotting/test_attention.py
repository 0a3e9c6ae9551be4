from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import same_color
from PIL import Image

from seqmdn.plotting import attention_figure, save_attention
from seqmdn.plotting.page import colour

STROKES = {"kind": "strokes", "step": "pen point", "y_axis": "up"}
TEXT = "a $"
READ = [0, 0, 1, 2, 2, 2]  # the character that is read at each pen point
FRAMES = np.array([[0, 0, 0], [1, 0, 0], [1, 2, 0], [1, 0, 1], [2, 0, 1], [1, 1, 0]])
WEIGHTS = 0.1 + 0.7 * np.eye(3)[READ]  # (T, U)


def test_rows_are_characters_and_columns_pen_points() -> None:
    top, strip, _ = attention_figure(WEIGHTS, TEXT, FRAMES, STROKES).axes
    (image,) = top.get_images()
    np.testing.assert_array_equal(np.asarray(image.get_array()), WEIGHTS.T)
    assert image.get_clim() == (0, pytest.approx(0.8))
    labels = top.get_yticklabels()
    assert [label.get_text() for label in labels] == ["a", "\u2423", "$"]
    assert top.yaxis_inverted() and strip.get_xlabel() == "pen point"
    shown = np.asarray(strip.get_images()[0].get_array())[0]
    assert all(same_color(tuple(s), colour(u)) for s, u in zip(shown, READ, strict=True))


@pytest.mark.parametrize(("y_axis", "upright"), [("up", 1), ("down", -1)])
def test_strokes_have_the_colour_of_their_character(y_axis: str, upright: int) -> None:
    figure = attention_figure(WEIGHTS, TEXT, FRAMES, {**STROKES, "y_axis": y_axis})
    paper = figure.axes[-1]
    (line,) = (each for each in paper.collections if isinstance(each, LineCollection))
    points = FRAMES[:, :2].cumsum(axis=0) * [1, upright]
    np.testing.assert_array_equal(line.get_segments(), np.stack([points[:3], points[1:4]], axis=1))
    for shade, read in zip(line.get_colors(), READ[1:4], strict=True):
        assert same_color(shade, colour(read))
    for dot, place, read in zip(paper.lines, points[4:], READ[4:], strict=True):
        np.testing.assert_array_equal(dot.get_xydata(), [place])
        assert same_color(dot.get_color(), colour(read))
    assert paper.get_aspect() == 1.0 and not paper.yaxis_inverted()


def test_a_long_text_has_room(tmp_path: Path) -> None:
    sizes = []
    for text in ("short", "a line of many words that goes on"):
        weights = np.ones((len(FRAMES), len(text)))
        save_attention(tmp_path / "a.png", weights, text, FRAMES, STROKES)
        with Image.open(tmp_path / "a.png") as picture:
            sizes.append(picture.size[1])
    assert sizes[1] > sizes[0] + 300


def test_bad_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"6 pen points and 2 characters.*found \(6, 3\)"):
        attention_figure(WEIGHTS, "ab", FRAMES, STROKES)
    with pytest.raises(ValueError, match="weights of at least 0"):
        attention_figure(-WEIGHTS, TEXT, FRAMES, STROKES)
    with pytest.raises(ValueError, match="finite frames"):
        attention_figure(WEIGHTS, TEXT, FRAMES * np.nan, STROKES)
    with pytest.raises(ValueError, match=r"ends in \.png or \.svg"):
        save_attention(tmp_path / "a.gif", WEIGHTS, TEXT, FRAMES, STROKES)
    assert not list(tmp_path.iterdir())
