import itertools
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from seqmdn.plotting import sweep_figure
from seqmdn.plotting.sweep import CellSummary


def _cells(models: list[str], **grid: list[str]) -> list[CellSummary]:
    """The n-th cell has an NLL of n and an error of n / 10."""
    made = itertools.product(models, *grid.values())
    return [
        CellSummary(
            model=model,
            settings=dict(zip(grid, values, strict=True)),
            nll=float(number),
            error=number / 10,
        )
        for number, (model, *values) in enumerate(made)
    ]


def test_two_keys_are_an_axis_and_lines(drawn: list[Figure]) -> None:
    cells = _cells(["rmdn", "frmdn"], components=["1", "2", "10"], rank=["0", "4"])
    sweep_figure("a.png", cells, ["components", "rank"], "nats/frame", limit=-1.0)
    (figure,) = drawn
    assert [axes.get_title("left") for axes in figure.axes] == ["rmdn", "frmdn"]
    for panel, axes in enumerate(figure.axes):
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2", "10"]
        assert axes.get_xlabel() == "components"
        for line, bars in enumerate(axes.containers):
            heights = 6 * panel + line + 2 * np.arange(3)
            np.testing.assert_allclose(bars.lines[0].get_ydata().astype(float), heights)
            assert bars.lines[0].get_xdata().astype(float).round().tolist() == [0, 1, 2]
            ends = np.array([piece[:, 1] for piece in bars.lines[2][0].get_segments()])
            np.testing.assert_allclose(ends[:, 1] - ends[:, 0], 0.4 * heights, atol=1e-12)
    assert [text.get_text() for text in figure.legends[0].texts] == ["0", "4"]
    assert figure.legends[0].get_title().get_text() == "rank"
    rings = [line for axes in figure.axes for line in axes.lines if line.get_markersize() == 9]
    assert len(rings) == 1 and rings[0].get_ydata() == [0.0]
    assert figure.axes[0].get_ylim()[0] < -1.0


def test_one_key_has_a_line_a_model(drawn: list[Figure]) -> None:
    cells = _cells(["rmdn", "frmdn"], components=["1", "2"])
    cells.append(CellSummary(model="plain", settings={}, nll=9.0, error=0.1))
    sweep_figure("a.png", cells, ["components"], "nats/frame")
    (axes,) = drawn[0].axes
    assert [text.get_text() for text in drawn[0].legends[0].texts] == ["rmdn", "frmdn", "plain"]
    flat = [line for line in axes.lines if line.get_linestyle() == ":"]
    assert len(flat) == 1 and flat[0].get_ydata() == [9.0, 9.0], "it has no such key"


def test_further_keys_are_panels(drawn: list[Figure]) -> None:
    grid = {"a": ["1", "2"], "b": ["1", "2"], "flow": ["x.Affine", "x.Spline"]}
    cells = _cells(["rmdn"], **grid) + _cells(["mdn"], a=["1", "2"], b=["1", "2"])
    sweep_figure("a.png", cells, ["a", "b", "flow"], "nats/frame")
    titles = [axes.get_title("left") for axes in drawn[0].axes if axes.axison]
    assert titles == ["rmdn, flow Affine", "rmdn, flow Spline", "mdn"]


def test_it_is_written_and_nothing_is_refused(tmp_path: Path) -> None:
    sweep_figure(tmp_path / "a.png", _cells(["rmdn"], a=["1"]), ["a"], "nats/frame")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
    with pytest.raises(ValueError, match="expected cells and keys to show; found 0 and 1"):
        sweep_figure(tmp_path / "b.png", [], ["a"], "nats/frame")
