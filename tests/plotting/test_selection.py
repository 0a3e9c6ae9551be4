from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from seqmdn.plotting import SelectionSummary, selection_figure


def _cells() -> list[SelectionSummary]:
    """Two curves whose minima lie at other places by other criteria."""
    nll = {"mdn": [3.0, 1.0, 2.0], "five": [2.0, 3.0, 0.0]}
    bic = {"mdn": [30.0, 20.0, 10.0], "five": [1.0, 2.0, 3.0]}
    return [
        SelectionSummary(
            line=line,
            value=value,
            scores={"NLL": (nll[line][place], 0.1 * place), "BIC": (bic[line][place], 0.0)},
        )
        for line in nll
        for place, value in enumerate(["1", "2", "10"])
    ]


def test_each_curve_has_its_own_minimum(drawn: list[Figure]) -> None:
    selection_figure("a.png", _cells(), "head.components")
    (figure,) = drawn
    assert [axes.get_title("left") for axes in figure.axes] == ["NLL", "BIC"]
    rings = [
        [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines if _is_ring(line)]
        for axes in figure.axes
    ]
    assert rings == [[(1, 1.0), (2, 0.0)], [(2, 10.0), (0, 1.0)]]
    for axes in figure.axes:
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2", "10"]
        assert axes.get_xlabel() == "head.components"
    bars = figure.axes[0].containers[0]
    np.testing.assert_allclose(bars.lines[0].get_ydata().astype(float), [3.0, 1.0, 2.0])
    ends = np.array([piece[:, 1] for piece in bars.lines[2][0].get_segments()])
    np.testing.assert_allclose(ends[:, 1] - ends[:, 0], [0.0, 0.4, 0.8])
    assert [text.get_text() for text in figure.legends[0].texts] == ["mdn", "five"]


def test_a_cell_without_a_criterion_is_missing_in_its_panel(drawn: list[Figure]) -> None:
    cells = _cells()
    for cell in cells[3:]:
        del cell["scores"]["BIC"]
    selection_figure("a.png", cells, "K")
    assert [len(axes.containers) for axes in drawn[0].axes] == [2, 1]


def test_values_lie_in_their_order_whatever_that_of_the_cells(drawn: list[Figure]) -> None:
    cells = _cells()[:3]
    selection_figure("a.png", [*cells, _cells()[5], _cells()[3], _cells()[4]], "K")
    (_, other) = drawn[0].axes[0].containers
    np.testing.assert_allclose(other.lines[0].get_ydata().astype(float), [2.0, 3.0, 0.0])


def test_nothing_to_show_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected criteria to show, found none in 0 cells"):
        selection_figure(tmp_path / "a.png", [], "K")
    with pytest.raises(ValueError, match="ends in"):
        selection_figure(tmp_path / "a.pdf", _cells(), "K")
    assert not list(tmp_path.iterdir())


def _is_ring(line: Line2D) -> bool:
    return line.get_markersize() == 10
