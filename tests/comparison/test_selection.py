"""What is said of the cells of a grid beside their test NLL."""

import json
from pathlib import Path
from typing import Any

import pytest

from seqmdn.comparison import (
    Task,
    add_training,
    component_warnings,
    paper_table,
    read_training,
    selection,
    selection_words,
    summarise,
)
from tests.comparison.runs import runs_of
from tests.small import cells


def use(dead: int = 0, **others: Any) -> dict[str, Any]:
    return {"dead": dead, "of": 5, **others}


def swept(**nll: float) -> dict[str, Any]:
    """A sweep of one model, a cell for each NLL, named K1, K2, ..."""
    result = summarise(Path("recipe"), runs_of(**nll), "", pairs=[])
    result["sweep"] = {
        "keys": ["head.components"],
        "cells": {
            name: {"model": "mdn", "settings": {"head.components": name.removeprefix("K")}}
            for name in nll
        },
    }
    return result


def test_bic_is_the_mean_over_seeds_and_components_are_those_of_all_networks() -> None:
    result = swept(K1=1.0, K2=2.0)
    one, other = ({"bic": bic, "components": [use(dead)]} for bic, dead in ((4.0, 0), (6.0, 2)))
    add_training(result, {"K1": [one, other], "K2": [None, None]})
    assert result["models"]["K1"]["bic"] == 5.0
    assert [each["dead"] for each in result["models"]["K1"]["components"]] == [0, 2]
    assert not {"bic", "components"} & {*result["models"]["K2"]}


def test_what_is_known_of_a_run_is_kept_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(selection, "load_run", lambda out: asked.append(out))
    monkeypatch.setattr(selection, "score_training", lambda _: {"bic": 1.0, "components": []})
    tasks = [Task("a", seed, (), tmp_path / f"{seed}") for seed in (0, 1)]
    for task in tasks:
        task.out.mkdir()
        (task.out / "metrics.json").write_text('{"nll": 2}')
    first = read_training(tasks)
    assert first == {"a": [{"bic": 1.0, "components": []}] * 2} and len(asked) == 2
    assert json.loads((tmp_path / "0" / "metrics.json").read_text())["nll"] == 2
    assert read_training(tasks) == first and len(asked) == 2


def test_dead_and_equal_components_are_warned_of() -> None:
    result = swept(K1=1.0, K2=2.0, K3=3.0, K4=4.0)
    found = {
        "K1": [use(died=[], same=[])],
        "K2": [use(2, died=[1, 4], same=[[0, 2, 0.97]])],
        "K3": [use(3)],  # of a mixture a feature
        "K4": [use(died=[], same=[]), use(1, died=[2], same=[]), use(same=[[0, 1, 0.99]])],
    }
    for name, components in found.items():
        result["models"][name]["components"] = components
    assert component_warnings(result) == [
        "K2: of 5 components, numbers 2 and 5 died; 1 and 3 sit on each other: fewer would do",
        "K3: of 5 components, 3 died: fewer would do",
        "K4: of 5 components, up to 1 died in 1 of 3 networks; up to 1 pair sits on each other in 1"
        " of 3 networks: fewer would do",
    ]


def test_each_criterion_says_what_it_chooses() -> None:
    result = swept(K1=1.0, K2=0.5)
    assert selection_words(result) == ""
    for name, bic in {"K1": -3.0, "K2": 9.0}.items():
        result["models"][name] |= {"bic": bic, "cross_validation": bic}
    assert selection_words(result) == (
        "- mdn has its minimum of test NLL: head.components 2; of BIC and cross-validation: "
        "head.components 1.\n"
    )
    result["models"]["K2"]["components"] = [use(1, died=[3], same=[])]
    assert selection_words(result).endswith(
        "\n- Warning: K2: of 5 components, number 4 died: fewer would do.\n"
    )


def test_the_table_has_columns_for_what_is_known_only() -> None:
    result = swept(K1=1.0, K2=0.5)
    plain = paper_table(result)
    assert "BIC" not in plain and "ross-validation" not in plain
    for name, bic in {"K1": -1234.56, "K2": 9.0}.items():
        result["models"][name]["bic"] = bic
    result["models"]["K2"] |= {"cross_validation": 0.25, "cross_validation_stderr": 0.125}
    result["cross_validation"] = {"folds": 5, "seed": 0, "sequences": 1200}
    head, _, one, two = cells(paper_table(result))
    at = head.index("BIC, nats")
    assert head[at + 1] == "cross-validation, nats/frame"
    assert one[at : at + 2] == ["**−1,234.6**", "--"]
    assert two[at : at + 2] == ["9.0", "**0.250 ± 0.125**"]
    words = paper_table(result).split("\n\n")[1]
    assert "the weights of the lowest validation NLL, in nats: that is not its maximum." in words
    assert "NLL of the 1,200 sequences of training and validation, cut anew into 5 parts" in words
    assert r"\textbf{0.250 $\pm$ 0.125}" in paper_table(result, "latex")
