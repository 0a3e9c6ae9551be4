from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from seqmdn.plotting import curves_figure
from seqmdn.plotting.curves import CurveSummary

STEPS = np.arange(10, 201, 10)


def _model(seeds: int, pace: float = 1.0) -> CurveSummary:
    values = [5.0 + 100.0 * np.exp(-STEPS / 20.0) + seed for seed in range(seeds)]
    seconds = [STEPS * pace * (1 + 0.2 * seed) for seed in range(seeds)]
    return CurveSummary(
        steps=[(STEPS, each) for each in values],
        seconds=list(zip(seconds, values, strict=True)),
    )


def test_steps_and_seconds_stand_beside_each_other(drawn: list[Figure]) -> None:
    models = {"rmdn": _model(1), "frmdn": _model(3, pace=2.0)}
    curves_figure("a.png", models, "nats/image", limit=4.0)
    (figure,) = drawn
    steps, seconds = figure.axes
    assert steps.get_ylabel() == "validation NLL (nats/image)" and steps.get_xlabel() == "step"
    assert seconds.get_xlabel() == "training, s on the clock"
    assert [text.get_text() for text in figure.legends[0].texts] == ["rmdn", "frmdn", "limit"]
    for axes, across in ((steps, STEPS), (seconds, 2.0 * 1.2 * STEPS)):
        shown = [line for line in axes.lines if len(line.get_xdata()) == len(STEPS)]
        assert len(shown) == 2, "a line a model"
        np.testing.assert_allclose(shown[1].get_xdata(), across)  # the mean of 1, 1.2 and 1.4
        np.testing.assert_allclose(shown[1].get_ydata(), 6.0 + 100.0 * np.exp(-STEPS / 20.0))
        (band,) = axes.collections
        edges = band.get_paths()[0].vertices
        assert edges[:, 1].min() == pytest.approx(5.0 + 100.0 * np.exp(-10.0))
        assert edges[:, 1].max() == pytest.approx(7.0 + 100.0 * np.exp(-0.5))
        assert [line.get_ydata() for line in axes.lines if len(line.get_xdata()) == 2] == [[4, 4]]
    assert steps.get_ylim() == seconds.get_ylim() and steps.get_ylim()[0] < 4.0


def test_a_run_that_logged_no_seconds_is_drawn_against_steps(tmp_path: Path) -> None:
    model = _model(1)
    model["seconds"] = []
    curves_figure(tmp_path / "a.png", {"rmdn": model}, "nats/frame")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size[0] > 900


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one model"):
        curves_figure(tmp_path / "a.png", {}, "nats/frame")
    with pytest.raises(ValueError, match=r"\.png or \.svg"):
        curves_figure(tmp_path / "a.gif", {"rmdn": _model(1)}, "nats/frame")
