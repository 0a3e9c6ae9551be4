"""Sections on the run: what ran, what its likelihood means, and rows of one frame as a table."""

import dataclasses
from typing import Any

import numpy as np

from seqmdn.report import run as sections
from seqmdn.runs import Diagnostics, Scored
from tests.report.pages import Page


def nothing(name: str, words: str, wide: bool = False) -> str:
    return words


def test_what_ran_can_be_run_again(found: Diagnostics) -> None:
    text = Page(sections.about(found, "seqmdn report runs/x")).text
    for word in ("SequenceModel", "MixtureHead(", "LSTMBackbone(hidden=8", "of step 12", "seed 0"):
        assert word in text
    assert "seqmdn report runs/x" in text and "UniformDequantise" in text


def test_a_bound_is_called_one(found: Diagnostics) -> None:
    text = Page(sections.likelihood(found, nothing)).text
    assert "It is an upper bound: levels are spread" in text and "≤ " in text and "bits/dim" in text
    known = {**found.likelihood, "bound": None, "parts": {"reward": {"nll": 2.0, "stderr": 0.1}}}
    known.pop("bits_per_dim")
    text = Page(sections.likelihood(dataclasses.replace(found, likelihood=known), nothing)).text
    assert "It is exact, no bound." in text and "≤" not in text and "bits" not in text
    known["bounds"] = {"evidence bound": {"nll": 3.0, "stderr": 0.1}}
    other = Page(sections.likelihood(dataclasses.replace(found, likelihood=known), nothing)).text
    assert "≤ 3.00 ± 0.10" in other
    assert "reward" in text and "2.00 ± 0.10" in text


def test_the_worst_are_told_by_their_place_in_the_store(found: Diagnostics) -> None:
    text = Page(sections.worst(found, nothing)).text
    assert all(f"{each.index}" in text for each in found.worst)
    assert "frames" in text and "black is what was observed" in text


def test_rows_of_one_frame_are_told_with_inputs_and_expectations(found: Diagnostics) -> None:
    def row(index: int, **more: Any) -> Scored:
        value = np.array([[1.5, 2.5]])
        expected = {"judged": value, "median": value + 1, "low": value - 2, "high": value + 2}
        return Scored(index, 9.0, None, value, np.array([[7.25]]), None, **{**expected, **more})

    missing = np.array([[True, False]])
    rows = [row(5), dataclasses.replace(row(6), observed=missing), row(7, median=None)]
    changed = dataclasses.replace(
        found, worst=rows, attributes={**found.attributes, "context": ["angle"]}
    )
    text = Page(sections.worst(changed, nothing)).text
    assert "angle" in text and "7.250" in text
    assert "x0: value, expected (90 %)" in text
    assert "1.500, 2.500 (-0.5000 to 3.500)" in text
    assert "missing, 3.500 (0.5000 to 4.500)" in text


def test_rows_are_not_called_sequences(found: Diagnostics) -> None:
    changed = dataclasses.replace(found, about={**found.about, "scored": "rows"})
    for text in (sections.likelihood(changed, nothing), sections.worst(changed, nothing)):
        assert "rows" in text.split("</p>")[0] and "sequences" not in text.split("</p>")[0]


def test_what_was_left_out_has_its_reason(found: Diagnostics) -> None:
    changed = dataclasses.replace(found, left_out={"density": "a VAE has none"})
    text = Page(sections.how(changed)).text
    assert "calibration, intervals" in text and "a VAE has none" in text
    assert "seed 0" in text and "(PIT, coverage) are exact" in text
    assert "Left out" not in Page(sections.how(dataclasses.replace(found, left_out={}))).text


def test_curves_say_what_is_kept(found: Diagnostics) -> None:
    assert "lowest validation NLL" in Page(sections.curves(found, nothing)).text
