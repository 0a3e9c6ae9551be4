"""Sections on the density: every number with its unit, and what holds for one or many features."""

import copy
from typing import Any

from seqmdn.report import density as sections
from seqmdn.report.markup import number, percent
from seqmdn.runs import Diagnostics
from tests.report.pages import Page


def nothing(name: str, words: str, wide: bool = False) -> str:
    return ""


def known(found: Diagnostics) -> dict[str, Any]:
    assert found.density is not None
    return copy.deepcopy(found.density)


def test_scores_have_their_errors_and_say_how_they_were_found(found: Diagnostics) -> None:
    density = known(found)
    text = Page(sections.scores(density)).text
    for name in ("crps", "energy_score", "rmse", "mae_of_median"):
        assert number(density[name]["value"], density[name]["stderr"]) in text
    assert "in closed form" in text and "all of them" in text
    density |= {"sequences": 4, "seed": 7, "exact": {"mean": False, "quantiles": 0, "crps": 0}}
    text = Page(sections.scores(density)).text
    assert "4 of 10 sequences, chosen at random with seed 7" in text
    assert text.count("from 40 draws") == 3


def test_calibration_tells_which_test_it_was(found: Diagnostics) -> None:
    density = known(found)
    text = Page(sections.calibration(density, nothing)).text
    assert "Rosenblatt" in text and "Bonferroni over all" not in text
    assert all(name in text for name in density["names"])
    density["uniformity"]["of"] = "pit"
    assert "Bonferroni over all" in Page(sections.calibration(density, nothing)).text
    density["names"] = ["one"]
    text = Page(sections.calibration(density, nothing)).text
    assert "Bonferroni" not in text and "Feature by feature" not in text


def test_many_features_are_a_short_table(found: Diagnostics) -> None:
    density = known(found)
    density["names"] = [f"name {i}" for i in range(30)]
    density["features"] = {
        key: [None if key == "r2" else i / 100 for i in range(30)] for key in density["features"]
    }
    text = Page(sections.calibration(density, nothing)).text
    assert "the 12 of 30 furthest from calibrated first" in text
    assert "name 29" in text and "name 18" in text and "name 17" not in text


def test_intervals_have_their_sizes(found: Diagnostics) -> None:
    density = known(found)
    text = Page(sections.intervals(density, nothing)).text
    for each in density["intervals"]:
        assert percent(each["central"], each["central_stderr"]) in text
        assert number(each["width"]) in text and number(each["side"]) in text
    nine = density["intervals"][2]
    assert f"90 % intervals are {percent(nine['width'] / nine['spread'])} as wide" in text
    assert "side of regions, m" in text
    density["names"] = ["one"]
    assert "length of regions, m" in Page(sections.intervals(density, nothing)).text


def test_components_are_named(found: Diagnostics) -> None:
    text = Page(sections.components(known(found), nothing)).text
    assert "components" in text and "responsibility" in text
