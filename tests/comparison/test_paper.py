"""The table for a paper."""

from pathlib import Path
from typing import Any

import pytest

from seqmdn.comparison import Task, paper_table, summarise
from tests.comparison.runs import runs_of
from tests.small import cells

DRAW = {"unit": "s/frame", "sequences": 16, "seconds": 0.00234, "measured": "now"}


@pytest.fixture
def result() -> dict[str, Any]:
    """``near`` is within two standard errors of the best, ``far_off`` is not."""
    runs = runs_of(best=-1.0, near=-0.9, far_off=1.0)
    for task, found in runs.items():
        found["draw"] = DRAW
        if task.model == "near":
            found["nll_per_sequence"] = [-2.0, 0.5, 1.8]
    budget = {"held": "params", "params": 5000, "key": "model.backbone.hidden"}
    return summarise(Path("recipe"), runs, "command", budget=budget)


def test_costs_and_doubts_stand_beside_scores(result: dict[str, Any]) -> None:
    text = paper_table(result)
    head, _, *rows = cells(text)
    assert head == [
        "model",
        "parameters",
        "NLL, nats/frame",
        "minus best",
        "p (sign test)",
        "training, s",
        "drawing, ms/frame",
    ]
    best, near, far = rows
    assert best == ["best", "5", "**0.000 ± 0.577**", "", "", "1", "2.34"]
    pair = result["paired"]["near - best"]
    assert near[:2] == ["near", "5"] and near[2].startswith("**0.100 ± ")
    assert near[3] == f"+0.100 ± {pair['stderr']:.3f}" and near[4] == "1.000"
    assert far[2:5] == ["2.000 ± 0.577", "+2.000 ± 0.000", "0.250"]
    assert "model.backbone.hidden is chosen so that every model has 5,000 parameters" in text
    assert "one frame of 16 sequences at once" in text and "1 seed a model" in text


def test_latex_has_the_same_rows(result: dict[str, Any]) -> None:
    text = paper_table(result, "latex")
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 4 and all(row.count("&") == 6 for row in rows)
    assert rows[1].startswith(r"best & 5 & \textbf{0.000 $\pm$ 0.577} &  &")
    assert rows[3].startswith(r"far\_off & 5 & 2.000 $\pm$ 0.577 & +2.000 $\pm$ 0.000 & 0.250")
    assert r"\begin{tabular}{lrrrrrr}" in text and r"to 1 \%." in text
    plain = text.replace(r"\%", "").replace(r"\_", "").replace(r"\&", "")
    assert "±" not in text and "%" not in plain.split("\n", 1)[1] and "_" not in plain
    assert text.count("{table}") == 2 and text.count("{tabular}") == 2


def test_a_sweep_has_a_column_for_each_key() -> None:
    runs = {Task(f"{m.model}", 0, (), m.out): found for m, found in runs_of(a=1.0, b=2.0).items()}
    result = summarise(Path("recipe"), runs, "", pairs=[])
    result["sweep"] = {
        "keys": ["head.rank", "flow.hidden"],
        "cells": {
            "a": {"model": "rmdn", "settings": {"head.rank": "2"}},
            "b": {"model": "frmdn", "settings": {"head.rank": "0", "flow.hidden": "8"}},
        },
    }
    head, _, first, second = cells(paper_table(result))
    assert head[:4] == ["model", "head.rank", "flow.hidden", "parameters"]
    assert first[:3] == ["rmdn", "2", "--"] and second[:3] == ["frmdn", "0", "8"]
    assert "drawing" not in " ".join(head)


def test_a_negative_nll_has_a_minus_sign() -> None:
    runs = runs_of(a=-3.0)
    assert "−2.000 ± 0.577" in paper_table(summarise(Path("r"), runs, ""))
    assert r"$-$2.000 $\pm$ 0.577" in paper_table(summarise(Path("r"), runs, ""), "latex")


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ({"held": "steps", "steps": 2500}, "Every model has 2,500 steps."),
        ({"held": "steps", "steps": {"a": 1, "b": 2}}, "not corrected for their number.\n"),
        (
            {"held": "seconds", "seconds": 300.0, "clock": "processor"},
            "the steps that fit into 300 s of a processor",
        ),
        ({"held": "seconds", "seconds": 3600.0, "clock": "wall"}, "into 3,600 s on the clock"),
        ({"held": "seconds", "seconds": 1.4834, "clock": "wall"}, "into 1.48 s on the clock"),
    ],
)
def test_what_was_held_equal_is_said(budget: dict[str, Any], words: str) -> None:
    assert words in paper_table(summarise(Path("r"), runs_of(a=1.0), "", budget=budget))
