import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from seqmdn.plotting.gallery import across, draw_series, gallery, gallery_height, in_cells
from seqmdn.plotting.page import shaded
from seqmdn.plotting.rows import Row

VALUES = np.random.default_rng(0).normal(size=(2, 5, 3))
ROWS = [Row.of("real", "#333333", VALUES), Row.of("model", "#0072B2", VALUES[1:] + 1)]


def test_series_have_a_panel_for_each_row_and_feature() -> None:
    figure = Figure()
    draw_series(figure, ROWS, {"features": ["x", "y", "z"], "unit": "m", "step": "hour"})
    panels = np.array(figure.axes).reshape(2, 3)
    for panel, expected in zip(panels.T, [VALUES[0, :, d] for d in range(3)], strict=True):
        np.testing.assert_array_equal(panel[0].lines[0].get_ydata(), expected)
    np.testing.assert_array_equal(panels[1, 2].lines[0].get_ydata(), VALUES[1, :, 2] + 1)
    assert [axes.get_title(loc) for axes in panels[0] for loc in ["center"]] == ["x", "y", "z"]
    assert [axes.get_xlabel() for axes in panels[1]] == ["hour"] * 3
    assert figure.get_supylabel() == "m"
    assert [axes.get_ylabel() for axes in panels[:, 0]] == ["real", "model"]
    assert [axes.lines[0].get_color() for axes in panels[:, 0]] == ["#333333", "#0072B2"]


def test_series_take_the_features_asked_for_and_four_otherwise() -> None:
    row = [Row.of("real", "#333333", np.arange(30.0).reshape(1, 5, 6))]
    figure, chosen = Figure(), Figure()
    draw_series(figure, row, {})
    draw_series(chosen, row, {}, features=[5, 0])
    titles = [[axes.get_title() for axes in each.axes] for each in (figure, chosen)]
    assert titles == [[f"feature {d}" for d in range(4)], ["feature 5", "feature 0"]]
    assert [axes.lines[0].get_ydata()[0] for axes in chosen.axes] == [5.0, 0.0]
    assert figure.axes[0].get_xlabel() == "frame"


def test_a_waveform_is_one_line_in_seconds() -> None:
    figure = Figure()
    attributes = {"kind": "audio", "sample_rate": 10, "unit": "level", "features": ["a", "b", "c"]}
    draw_series(figure, ROWS, attributes)
    assert len(figure.axes) == 2
    line = figure.axes[0].lines[0]
    np.testing.assert_array_equal(line.get_ydata(), VALUES[0].ravel())
    np.testing.assert_allclose(line.get_xdata(), np.arange(15) / 10)
    assert figure.axes[1].get_xlabel() == "time (s)" and figure.axes[0].get_title() == "amplitude"


@pytest.mark.parametrize(
    "attributes",
    [{"kind": "strokes"}, {"kind": "image", "height": 5, "width": 3}],
    ids=lambda attributes: attributes["kind"],
)
def test_pictures_stand_in_one_panel_beside_their_names(attributes: dict) -> None:
    assert in_cells(attributes)
    figure = Figure()
    gallery(figure, ROWS, attributes)
    (axes,) = figure.axes
    labels = axes.get_yticklabels()
    assert [text.get_text() for text in labels] == ["real", "model"]
    assert [to_hex(text.get_color()) for text in labels] == [
        to_hex(shaded(row.colour)) for row in ROWS
    ]
    ticks = axes.get_yticks()
    assert ticks[0] < ticks[1] and axes.yaxis_inverted()


def test_wide_pictures_are_fewer_in_a_row() -> None:
    rows = [Row.of("real", "#333333", np.zeros((40, 8, 8)))]
    counts = [
        across(rows, {"kind": "image", "height": high, "width": 64 // high}) for high in (8, 4, 2)
    ]
    assert counts == [16, 4, 1]
    assert across([Row.of("real", "#333333", np.zeros((3, 8, 3)))], {"kind": "strokes"}) == 3


def test_words_are_few_in_a_row_and_as_many_in_each() -> None:
    for wide, count in [(40.0, 3), (80.0, 2)]:
        frames = np.tile([[0.0, 0.0, 0.0], [wide, 10.0, 1.0]], (15, 1, 1))
        assert across([Row.of("real", "#333333", frames)], {"kind": "strokes"}) == count
    words = np.tile([[0.0, 0.0, 0.0], [40.0, 10.0, 1.0]], (4, 1, 1))
    assert across([Row.of("real", "#333333", words)], {"kind": "strokes"}) == 2, "and not 3 and 1"


def test_height_grows_with_the_rows() -> None:
    for attributes in ({}, {"kind": "image", "height": 5, "width": 3}):
        heights = [gallery_height(ROWS[:count], attributes, 8.0) for count in (1, 2)]
        assert heights[0] + 0.5 < heights[1]
