import itertools
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from seqmdn.plotting import pareto_figure
from seqmdn.plotting.pareto import CostSummary, front

MODELS = {
    "small": CostSummary(nll=5.0, stderr=0.1, params=100, seconds=30.0, draw_seconds=0.002),
    "bad": CostSummary(nll=6.0, stderr=0.2, params=150, seconds=20.0, draw_seconds=0.003),
    "large": CostSummary(nll=4.0, stderr=0.3, params=900, seconds=40.0, draw_seconds=0.001),
}


def test_the_front_is_what_nothing_beats() -> None:
    rng = np.random.default_rng(0)
    cost, value = rng.integers(0, 12, size=(2, 60))
    found = front(cost, value)
    points = {(int(cost[i]), int(value[i])) for i in found}
    expected = {
        (int(c), int(v))
        for c, v in zip(cost, value, strict=True)
        if not any(a <= c and b <= v and (a, b) != (c, v) for a, b in zip(cost, value, strict=True))
    }
    assert points == expected and len(found) == len(expected)
    assert [int(cost[i]) for i in found] == sorted(int(cost[i]) for i in found)


def test_every_cost_has_its_panel_and_front(drawn: list[Figure]) -> None:
    pareto_figure("a.png", MODELS, "nats/frame", limit=3.5)
    (figure,) = drawn
    assert [axes.get_xlabel() for axes in figure.axes] == [
        "parameters",
        "training, s on the clock",
        "drawing, ms a frame",
    ]
    assert figure.axes[0].get_ylabel() == "test NLL (nats/frame)"
    steps = [axes.lines[0].get_xydata().tolist() for axes in figure.axes]
    assert steps[0] == [[100, 5.0], [900, 4.0]]
    assert steps[1] == [[20, 6.0], [30, 5.0], [40, 4.0]]
    assert steps[2] == [[1, 4.0]], "in milliseconds; one model beats all"
    bars = [bar.lines[2][0].get_segments()[0][:, 1] for bar in figure.axes[0].containers]
    np.testing.assert_allclose(bars, [[4.8, 5.2], [5.6, 6.4], [3.4, 4.6]])
    names = [text.get_text() for text in figure.legends[0].texts]
    assert names == ["small", "bad", "large", "best at its cost", "limit"]
    assert all(axes.lines[-1].get_ydata() == [3.5, 3.5] for axes in figure.axes)


def test_groups_share_a_colour_and_a_name(drawn: list[Figure]) -> None:
    groups = {"small": "rmdn", "bad": "rmdn", "large": "frmdn"}
    pareto_figure("a.png", MODELS, "nats/frame", groups=groups)
    bars = drawn[0].axes[0].containers
    colours = [bar.lines[0].get_color() for bar in bars]
    assert colours[0] == colours[1] != colours[2]
    assert [t.get_text() for t in drawn[0].legends[0].texts] == [
        "rmdn",
        "frmdn",
        "best at its cost",
    ]


def test_a_cost_that_nobody_measured_has_no_panel(tmp_path: Path, drawn: list[Figure]) -> None:
    models = {name: dict(model) for name, model in MODELS.items()}
    del models["bad"]["draw_seconds"]
    pareto_figure(tmp_path / "a.png", models, "nats/frame")  # type: ignore[arg-type]
    assert len(drawn[0].axes) == 2


def test_it_is_written(tmp_path: Path) -> None:
    pareto_figure(tmp_path / "a.png", MODELS, "nats/frame")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
    with pytest.raises(ValueError, match="at least one model"):
        pareto_figure(tmp_path / "b.png", {}, "nats/frame")


def test_no_two_of_many_models_look_alike(drawn: list[Figure]) -> None:
    models = {f"model {i}": MODELS["small"] for i in range(20)}
    pareto_figure("a.png", models, "nats/frame")
    looks = [(line.get_color(), line.get_marker()) for line in drawn[0].legends[0].legend_handles]
    assert len(set(looks)) == len(looks) == 21


def test_what_the_bars_are_is_said_where_they_are_paired(drawn: list[Figure]) -> None:
    for paired in (False, True):
        pareto_figure("a.png", MODELS, "nats/frame", paired=paired)
    without, with_words = (figure.get_supxlabel() for figure in drawn)
    assert without == "" and "paired difference to the best" in with_words


@pytest.mark.parametrize("largest", [413_374, 600_000, 2_000_000, 30_000_000])
def test_numbers_below_an_axis_do_not_touch(drawn: list[Figure], largest: int) -> None:
    sizes = {"a": 268_551, "b": largest}
    models = {name: MODELS["small"] | {"params": size} for name, size in sizes.items()}
    pareto_figure("a.png", models, "nats/drawing")
    (figure,) = drawn
    figure.draw_without_rendering()
    low, high = figure.axes[0].get_xlim()
    shown = [
        label.get_window_extent()
        for label, place in zip(
            figure.axes[0].get_xticklabels(), figure.axes[0].get_xticks(), strict=True
        )
        if low <= place <= high
    ]
    assert len(shown) >= 2
    for left, right in itertools.pairwise(shown):
        assert left.x1 < right.x0
