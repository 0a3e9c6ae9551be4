"""What the worst sequences look like, by the kind of their data."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from seqmdn.report.examples import examples_figure
from seqmdn.runs import Scored


def scored(length: int, features: int, index: int = 3, judged: bool = True) -> Scored:
    values = np.random.default_rng(index).standard_normal((length, features))
    more: dict[str, Any] = {}
    if judged:
        more = {"judged": values, "median": values + 1, "low": values - 2, "high": values + 2}
    return Scored(index, 1.5, None, values, None, None, **more)


def test_series_are_lines_within_what_was_expected() -> None:
    worst = [scored(6, 2, index) for index in range(5)]
    figure = examples_figure(worst, [scored(9, 2)], {"kind": "series"}, ["a", "b"])
    assert figure is not None and len(figure.axes) == 4 * 2
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == [
        "no. 0",
        "no. 1",
        "no. 2",
        "typical",
    ]
    assert figure.axes[0].get_title() == "a"
    median, seen = figure.axes[1].lines
    assert np.asarray(seen.get_ydata()) == pytest.approx(worst[0].values[:, 1])
    assert np.asarray(median.get_ydata()) == pytest.approx(worst[0].values[:, 1] + 1)


def test_what_is_missing_is_not_drawn() -> None:
    observed = np.ones((6, 1), dtype=bool)
    observed[2] = False
    gap = dataclasses.replace(scored(6, 1), observed=observed)
    figure = examples_figure([gap], [], {}, ["a"])
    assert figure is not None
    drawn = np.asarray(figure.axes[0].lines[1].get_ydata(), dtype=float)
    assert np.isnan(drawn).tolist() == (~observed[:, 0]).tolist()


def test_without_expectations_the_sequences_stand_alone() -> None:
    figure = examples_figure([scored(6, 2, judged=False)], [], {"kind": "series"}, ["a", "b"])
    assert figure is not None and len(figure.axes[0].lines) == 1


@pytest.mark.parametrize(
    ("kind", "features", "more"),
    [("image", 3, {"height": 4, "width": 3}), ("strokes", 3, {}), ("audio", 5, {"sample_rate": 5})],
)
def test_other_kinds_are_drawn_as_they_want(kind: str, features: int, more: dict[str, Any]) -> None:
    worst, typical = [scored(4, features)], [scored(4, features, 8)]
    figure = examples_figure(worst, typical, {"kind": kind, **more}, ["a"])
    assert figure is not None
    figure.draw_without_rendering()


def test_rows_of_one_frame_and_unknown_kinds_have_no_picture() -> None:
    assert examples_figure([scored(1, 2)], [scored(1, 2)], {}, ["a", "b"]) is None
    assert examples_figure([scored(4, 2)], [], {"kind": "frames"}, ["a", "b"]) is None
