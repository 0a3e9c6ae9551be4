"""A density along an input: shades of each input by themselves, points where they belong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from seqmdn.plotting import conditional, save_conditional

X, Y = np.linspace(0, 1, 5), np.linspace(-2, 2, 9)
DENSITY = np.exp(-np.square(Y[None] - X[:, None])) * np.array([1, 2, 3, 4, 5])[:, None]
ROWS = np.array([[0.2, 0.3], [0.6, -1.0]])


def test_the_highest_density_of_each_input_is_as_dark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Figure] = []
    write = conditional.write

    def keep(figure: Figure, path: Any) -> None:
        figures.append(figure)
        write(figure, path)

    monkeypatch.setattr(conditional, "write", keep)
    save_conditional(
        tmp_path / "a.png", X, Y, DENSITY, ROWS, ("dose", "answer"), "m", mean=X, modes=ROWS
    )
    (axes,) = figures[0].axes
    shades = np.asarray(axes.images[0].get_array())
    np.testing.assert_allclose(shades.max(0), 1)
    # The origin is below: the first row of shades is the lowest y.
    assert axes.images[0].origin == "lower" and shades[0, 0] < shades[4, 0]
    rows, modes, mean = (np.array(line.get_xydata()) for line in axes.lines)
    np.testing.assert_array_equal(rows, ROWS)
    np.testing.assert_array_equal(modes, ROWS)
    np.testing.assert_array_equal(mean[:, 1], X)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("dose", "answer, m")


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"density of shape \(5, 9\), found \(9, 5\)"):
        save_conditional(tmp_path / "a.png", X, Y, DENSITY.T, ROWS)
    with pytest.raises(ValueError, match=r"ends in .png or .svg"):
        save_conditional(tmp_path / "a.jpg", X, Y, DENSITY, ROWS)
    assert not list(tmp_path.iterdir())
