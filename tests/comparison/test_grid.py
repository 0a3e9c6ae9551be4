"""The tables of a grid."""

from pathlib import Path

from seqmdn.comparison import Cell, grid_tables, pairs_with_first, summarise
from tests.comparison.runs import runs_of

KEYS = ("model.head.components", "model.head.rank")


def cell(model: str, components: int, rank: int | None = None) -> Cell:
    values = [components] if rank is None else [components, rank]
    settings = tuple((key, str(value)) for key, value in zip(KEYS, values, strict=False))
    return Cell(f"{model}-{components}-{rank}", model, (), settings)


CELLS = [cell("none", 1, 0), cell("none", 1, 2), cell("flow", 1, 0), cell("flow", 1, 2)]


def table_of(cells: list[Cell], *nll: float) -> list[str]:
    runs = runs_of(**{cell.name: value for cell, value in zip(cells, nll, strict=True)})
    # One sequence differs from the others, so that differences to the first cell have errors.
    next(iter(runs.values()))["nll_per_sequence"][0] += 0.3
    result = summarise(Path("recipe"), runs, "", pairs=pairs_with_first(cells))
    settings = {each.name: dict(each.settings) for each in cells}
    result["sweep"] = {
        "keys": list(dict.fromkeys(key for each in settings.values() for key in each)),
        "cells": {c.name: {"model": c.model, "settings": settings[c.name]} for c in cells},
    }
    return grid_tables(result).splitlines()


def test_cells_are_paired_with_the_first_model_at_the_same_settings() -> None:
    cells = [*CELLS, cell("flow", 5, 2), cell("autoregressive", 1)]
    assert pairs_with_first(cells) == [("flow-1-0", "none-1-0"), ("flow-1-2", "none-1-2")]
    assert pairs_with_first([cell("flow", 1), cell("none", 1, 0)]) == []


def test_a_grid_stands_as_models_by_settings() -> None:
    lines = table_of(CELLS, 5.0, 4.0, 4.9, -2.0)
    assert lines == [
        "| NLL, nats/frame | components 1, rank 0 | components 1, rank 2 |",
        "| --- | ---: | ---: |",
        "| none | 6.10 | 5.00 |",
        "| flow | 5.90 | **−1.00** |",
        "",
        "| minus none, nats/frame | components 1, rank 0 | components 1, rank 2 |",
        "| --- | ---: | ---: |",
        "| flow | −0.20 ± 0.10 | **−6.00 ± 0.00** |",
    ]


def test_what_is_within_two_errors_of_the_best_is_bold() -> None:
    lines = table_of(CELLS[:2], 1.0, 0.95)
    assert lines[2] == "| none | **2.10** | **1.95** |" and len(lines) == 3, "one model, one table"
    assert table_of(CELLS[:2], 1.0, 0.5)[2] == "| none | 2.10 | **1.50** |"


def test_what_a_model_has_not_is_left_empty() -> None:
    lines = table_of([*CELLS[:2], cell("flow", 5, 0)], 5.0, 4.0, 3.0)
    assert lines[0].endswith(
        "components 1, rank 0 | components 1, rank 2 | components 5, rank 0 |"
        " components 5, rank 2 |"
    )
    assert lines[3] == "| flow |  |  | **4.00** |  |"
    assert lines[-1] == "| flow |  |  |  |  |", "nothing to be compared with"
