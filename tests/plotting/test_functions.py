"""Panels of functions: each its own shades and points."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from seqmdn.plotting import functions, save_functions

X, Y = np.linspace(0, 1, 5), np.linspace(-2, 2, 9)
DENSITY = np.exp(-np.square(Y - np.arange(4)[:, None, None] - X[:, None]))
GIVEN = [np.array([[0.1 * i, 0.5]]) for i in range(3)] + [np.empty((0, 2))]
ASKED = [np.array([[0.5, 0.1 * i], [0.6, 0.2]]) for i in range(4)]


def test_each_task_has_a_panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Figure] = []
    write = functions.write

    def keep(figure: Figure, path: Any) -> None:
        figures.append(figure)
        write(figure, path)

    monkeypatch.setattr(functions, "write", keep)
    save_functions(tmp_path / "a.png", X, Y, DENSITY, GIVEN, ASKED, ("time", "height"), "m")
    panels = figures[0].axes
    assert len(panels) == 6 and [bool(axes.images) for axes in panels] == [True] * 4 + [False] * 2
    for number, axes in enumerate(panels[:4]):
        shades = np.asarray(axes.images[0].get_array())
        expected = DENSITY[number] / DENSITY[number].max(1, keepdims=True)
        np.testing.assert_allclose(shades, expected.T)
        asked, given = (np.array(line.get_xydata()).reshape(-1, 2) for line in axes.lines)
        np.testing.assert_array_equal(asked, ASKED[number])
        np.testing.assert_array_equal(given, GIVEN[number])
    assert figures[0].get_supxlabel() == "time" and figures[0].get_supylabel() == "height, m"


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"tasks? or more \(4, 5, 9\).*found \(4, 9, 5\)"):
        save_functions(tmp_path / "a.png", X, Y, DENSITY.swapaxes(1, 2), GIVEN, ASKED)
    with pytest.raises(ValueError, match=r"points of 4 and 3"):
        save_functions(tmp_path / "a.png", X, Y, DENSITY, GIVEN, ASKED[:3])
    assert not list(tmp_path.iterdir())
