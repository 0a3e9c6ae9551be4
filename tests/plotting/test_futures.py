"""Futures: bands hold the share of draws that they say, around the real line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes

from seqmdn.plotting import save_futures


def test_bands_and_lines_are_those_of_draws_and_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    real = rng.normal(size=(9, 2))
    drawn = {"rmdn": rng.normal(size=(101, 6, 2)), "frmdn": rng.normal(size=(101, 6, 2))}
    bands: list[Any] = []
    lines: list[Any] = []
    fill, plot = Axes.fill_between, Axes.plot
    monkeypatch.setattr(
        Axes, "fill_between", lambda self, *a, **k: (bands.append(a), fill(self, *a, **k))[1]
    )
    monkeypatch.setattr(
        Axes, "plot", lambda self, *a, **k: (lines.append(a), plot(self, *a, **k))[1]
    )
    save_futures(tmp_path / "a.png", real, drawn, ["z 0", "z 1"], given=3, unit="std")
    assert len(bands) == 2 * 2 * 2 and len(lines) == 2 * 2 * 2
    time, low, high = bands[0]
    assert time.tolist() == [3, 4, 5, 6, 7, 8]
    ordered = np.sort(drawn["rmdn"][:, :, 0], axis=0)
    np.testing.assert_allclose(low, ordered[5])
    np.testing.assert_allclose(high, ordered[95])
    np.testing.assert_allclose(bands[1][1], ordered[25])
    np.testing.assert_allclose(lines[0][1], ordered[50])
    np.testing.assert_array_equal(lines[1][1], real[:, 0])
    assert (tmp_path / "a.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("drawn", "names", "given"),
    [
        ({}, ["a"], 0),
        ({"m": np.zeros((3, 4, 1))}, ["a"], 0),
        ({"m": np.zeros((0, 5, 1))}, ["a"], 0),
        ({"m": np.zeros((3, 5, 2))}, ["a"], 0),
        ({"m": np.zeros((3, 5, 1))}, ["a", "b"], 0),
        ({"m": np.zeros((3, 0, 1))}, ["a"], 5),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, drawn: dict, names: list[str], given: int
) -> None:
    with pytest.raises(ValueError, match="expected draws"):
        save_futures(tmp_path / "a.png", np.zeros((5, 1)), drawn, names, given=given)


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ends in .png or .svg"):
        save_futures(tmp_path / "a.gif", np.zeros((5, 1)), {"m": np.zeros((3, 5, 1))}, ["a"])
