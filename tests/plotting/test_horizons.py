"""Horizons: every model's line and bars are its own, and what is not finite breaks nothing."""

import math
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from seqmdn.plotting import save_horizons

SCORES = {
    "log-likelihood": {"rmdn": ([-1.0, -2.0], [0.0, 0.0]), "frmdn": ([-1.5, -1.0], [0.25, 0.5])},
    "energy score": {"rmdn": ([3.0, 4.0], [0.0, 0.0]), "frmdn": ([2.0, math.inf], [0.1, math.nan])},
}


def test_lines_and_bars_are_those_of_the_scores(drawn: list[Figure]) -> None:
    save_horizons("a.png", [1, 20], SCORES)
    (figure,) = drawn
    assert [axes.get_title("left") for axes in figure.axes] == list(SCORES)
    assert [text.get_text() for text in figure.legends[0].texts] == ["rmdn", "frmdn"]
    for axes, models in zip(figure.axes, SCORES.values(), strict=True):
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "20"]
        for bars, (means, errors) in zip(axes.containers, models.values(), strict=True):
            places, heights = bars.lines[0].get_data()
            np.testing.assert_allclose(np.asarray(places, float), [1, 20], rtol=0.05)
            np.testing.assert_array_equal(np.asarray(heights, float), means)
            ends = bars.lines[2][0].get_segments()
            for mean, error, piece in zip(means, errors, ends, strict=True):
                if math.isfinite(mean):
                    np.testing.assert_allclose(np.ptp(piece[:, 1]), 4 * error, atol=1e-12)


def test_it_is_written(tmp_path: Path) -> None:
    save_horizons(tmp_path / "a.png", [1, 20], SCORES)
    assert (tmp_path / "a.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("horizons", "scores"),
    [([1], SCORES), ([], {"a": {"m": ([], [])}}), ([1], {}), ([1], {"a": {"m": ([1.0], [])}})],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, horizons: list[int], scores: dict) -> None:
    with pytest.raises(ValueError, match="expected means and errors at"):
        save_horizons(tmp_path / "a.png", horizons, scores)
    with pytest.raises(ValueError, match=r"ends in .png or .svg"):
        save_horizons(tmp_path / "a.txt", horizons, scores)
