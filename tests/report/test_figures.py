"""Pictures show the numbers that they are given."""

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.patches import Rectangle

from seqmdn.plotting.page import colour
from seqmdn.report import figures
from seqmdn.runs import Diagnostics


def test_bars_outside_the_band_have_another_colour() -> None:
    histogram = {"counts": [5, 20, 10, 11], "band": [6, 15], "values": 46}
    (axes,) = figures.histogram_figure(histogram, "the PIT").axes
    bars = [bar for each in axes.containers for bar in each if isinstance(bar, Rectangle)]
    heights = {round(bar.get_x(), 2): (bar.get_height(), bar.get_facecolor()) for bar in bars}
    assert [heights[x][0] for x in (0.0, 0.25, 0.5, 0.75)] == [5, 20, 10, 11]
    for x, index in ((0.0, 1), (0.25, 1), (0.5, 0), (0.75, 0)):
        assert same_color(heights[x][1][:3], colour(index))
    assert axes.get_xlabel() == "u, the PIT"


def test_reliability_is_the_difference_and_leaves_out_what_was_never_seen() -> None:
    found = {"probabilities": [0.1, 0.5], "share": [[0.2, None], [0.4, None]], "band": 0.03}
    (axes,) = figures.reliability_figure({"reliability": found}).axes
    mean = axes.lines[-1]
    assert np.asarray(mean.get_ydata()) == pytest.approx([10.0, -10.0])


def test_features_are_shown_the_worst_first(found: Diagnostics) -> None:
    density = found.density
    assert density is not None
    figure = figures.features_figure(density)
    distances = density["features"]["distance"]
    shown = [axes.get_title() for axes in figure.axes]
    order = sorted(range(2), key=lambda i: -distances[i])
    assert shown == [density["names"][i] for i in order]
    hidden = {**density, "features": {**density["features"], "distance": [None, 0.1]}}
    (axes,) = figures.features_figure(hidden).axes
    assert axes.get_title() == density["names"][1]


def test_coverage_is_what_is_held_beyond_the_level(found: Diagnostics) -> None:
    assert found.density is not None
    (axes,) = figures.coverage_figure(found.density).axes
    points = axes.containers[0][0]
    expected = [100 * (each["central"] - each["level"]) for each in found.density["intervals"]]
    assert np.asarray(points.get_ydata()) == pytest.approx(expected)


def test_components_stand_in_order() -> None:
    use = {"responsibility": [0.1, 0.7, 0.2], "weight": [0.3, 0.3, 0.4]}
    (axes,) = figures.components_figure(use).axes
    assert [bar.get_height() for bar in axes.containers[0]] == pytest.approx([70, 20, 10])
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["2", "3", "1"]


def test_the_spread_of_the_likelihood_counts_every_sequence() -> None:
    nll = [*np.linspace(0, 1, 500), 1e6, float("nan"), float("inf")]
    (axes,) = figures.likelihood_figure(nll, 0.5, "nats/frame").axes
    assert sum(bar.get_height() for bar in axes.patches) == 501
    assert axes.get_xlim()[1] < 10, "one far out must not hide the others"


def test_curves_mark_what_was_kept() -> None:
    curves = {"loss": ([1, 2, 3], [5.0, 4.0, 3.0]), "nll": ([1, 2, 3], [5.0, 2.0, 3.0])}
    above, below = figures.curves_figure(curves, "nats/frame").axes
    assert "training loss" in above.get_ylabel() and "nats/frame" in below.get_ylabel()
    star = below.lines[-1]
    assert (star.get_xdata()[0], star.get_ydata()[0]) == (2, 2.0)
    assert len(figures.curves_figure({"nll": curves["nll"]}, "nats/frame").axes) == 1
