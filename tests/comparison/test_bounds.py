"""Models whose likelihood is only bounded, in a comparison."""

from pathlib import Path
from typing import Any

from seqmdn.comparison import Task, markdown_table, paper_table, summarise
from seqmdn.comparison.bounds import bound_names, bound_words, bounds_of, label
from tests.comparison.runs import runs_of
from tests.small import cells


def bounded(seed: int = 0, **nll: float) -> dict[Task, dict[str, Any]]:
    """Metrics of runs whose NLL is a bound, another one being 5 nats above it."""
    found = runs_of(seed=seed, **nll)
    for run in found.values():
        evidence = [value + 5 for value in run["nll_per_sequence"]]
        run |= {
            "bound": True,
            "bound_is": "importance-weighted, 4 draws",
            "bounds": {"evidence bound": {"nll_per_sequence": evidence, "bits_per_dim": 1.5}},
        }
    return found


def test_an_entry_says_that_it_is_a_bound() -> None:
    found = runs_of(a=1.0) | bounded(b=2.0) | bounded(seed=1, b=4.0) | runs_of(seed=1, a=1.0)
    models = summarise(Path("recipe"), found, "")["models"]
    assert not {"bound", "bound_is", "bounds"} & set(models["a"])
    assert models["b"]["bound"] is True
    assert models["b"]["bound_is"] == "importance-weighted, 4 draws"
    other = models["b"]["bounds"]["evidence bound"]
    assert other == {"nll": 9.0, "stderr": models["b"]["stderr"], "bits_per_dim": 1.5}
    assert models["b"]["nll"] == 4.0
    assert bounds_of(list(runs_of(a=1.0).values())) == {}


def test_a_table_says_which_numbers_are_bounds() -> None:
    result = summarise(Path("recipe"), runs_of(a=1.0) | bounded(b=2.0), "")
    table = markdown_table(result)
    head, _, a, b = cells(table)
    assert head[4] == "evidence bound, nats/frame"
    assert a[1] == "2.000 ± 0.577" and a[4] == ""
    assert b[1] == "≤ 3.000 ± 0.577" and b[4] == "≤ 8.000 ± 0.577"
    assert "After ≤ stands an upper bound (importance-weighted, 4 draws)." in table
    assert "≤ 3.000 ± 0.577" in paper_table(result)
    assert "After ≤ stands" in paper_table(result)
    latex = paper_table(result, "latex")
    assert r"$\le$ 3.000 $\pm$ 0.577" in latex and "≤" not in latex


def test_a_density_of_dequantised_levels_is_exact_and_has_a_bound() -> None:
    found = runs_of(a=1.0, b=2.0) | runs_of(seed=1, a=1.0, b=2.0)
    for task, run in found.items():
        bound = [value - 0.5 for value in run["nll_per_sequence"]]
        run["bounds"] = {"dequantised, 8 draws": {"nll_per_sequence": bound, "bits_per_dim": 3.25}}
        if task.model == "b" and task.seed:
            run["bounds"] = {}
    result = summarise(Path("recipe"), found, "")
    a, b = (result["models"][name] for name in "ab")
    assert "bound" not in a and "bounds" not in b, "not all of its runs have one"
    assert a["bounds"]["dequantised, 8 draws"]["nll"] == a["nll"] - 0.5
    head, _, of_a, of_b = cells(markdown_table(result))
    assert head[4:6] == ["dequantised, 8 draws, nats/frame", "dequantised, 8 draws, bits/dim"]
    assert of_a[4].startswith("1.500 ±") and of_a[5] == "3.250" and of_b[4:6] == ["", ""]
    assert "≤" not in markdown_table(result)


def test_nothing_is_said_where_all_are_exact() -> None:
    result = summarise(Path("recipe"), runs_of(a=1.0, b=2.0), "")
    assert "≤" not in markdown_table(result) + paper_table(result)
    assert bound_names(result["models"]) == [] and bound_words(result["models"]) == ""


def test_a_picture_names_it() -> None:
    assert label("vrnn", {"bound": True}) == "vrnn (bound)"
    assert label("rmdn", {}) == "rmdn"
