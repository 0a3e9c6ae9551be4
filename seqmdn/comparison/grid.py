"""The two tables of a grid: its likelihoods, and what each model gains over the first one."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from seqmdn.comparison.pairs import difference_to
from seqmdn.comparison.tasks import Cell

__all__ = ["grid_tables", "pairs_with_first"]


def pairs_with_first(cells: Sequence[Cell]) -> list[tuple[str, str]]:
    """Pair each cell with the one of the first cell's model that has the same settings.

    Example:
        >>> one, two = (("components", "1"),), (("components", "2"),)
        >>> pairs_with_first([Cell("a1", "a", (), one), Cell("b1", "b", (), one),
        ...     Cell("b2", "b", (), two)])
        [('b1', 'a1')]
    """
    first = {frozenset(c.settings): c.name for c in cells if c.model == cells[0].model}
    alike = [(cell.name, first.get(frozenset(cell.settings))) for cell in cells]
    return [(name, other) for name, other in alike if other is not None and other != name]


def grid_tables(result: Mapping[str, Any]) -> str:
    """Return a sweep in markdown, a row for each model and a column for each setting.

    First the NLL of every cell, in bold the best and every other one whose paired difference to it
    is within two standard errors; then, for sweeps of several models, the difference to the first
    model with the same settings, paired, in bold where it exceeds two standard errors.

    Args:
        result: What ``sweep.json`` holds.
    """
    models, cells = result["models"], result["sweep"]["cells"]
    keys = result["sweep"]["keys"]
    values = {
        key: list(dict.fromkeys(c["settings"].get(key) for c in cells.values())) for key in keys
    }
    values = {key: [each for each in values[key] if each is not None] for key in keys}
    columns = list(itertools.product(*values.values()))
    names = {
        (cell["model"], tuple(cell["settings"].get(key) for key in keys)): name
        for name, cell in cells.items()
    }
    rows = list(dict.fromkeys(cell["model"] for cell in cells.values()))
    best = min(models, key=lambda name: models[name]["nll"])
    likelihoods = [[_nll(result, names.get((row, c)), best) for c in columns] for row in rows]
    head = [_label(keys, column) for column in columns]
    unit = result["unit"]
    table = _table([f"NLL, {unit}", *head], rows, likelihoods)
    if len(rows) == 1:
        return f"{table}\n"
    first = rows[0]
    gains = [
        [_gain(result, names.get((row, c)), names.get((first, c))) for c in columns]
        for row in rows[1:]
    ]
    return f"{table}\n\n{_table([f'minus {first}, {unit}', *head], rows[1:], gains)}\n"


def _label(keys: Sequence[str], column: Sequence[str]) -> str:
    tails = [key.rpartition(".")[2] for key in keys]
    return ", ".join(f"{tail} {value}" for tail, value in zip(tails, column, strict=True))


def _nll(result: Mapping[str, Any], name: str | None, best: str) -> str:
    if name is None:
        return ""
    pair = difference_to(result, name, best)
    nll = f"{result['models'][name]['nll']:.2f}".replace("-", "−")
    return f"**{nll}**" if pair is None or pair["delta"] <= 2 * pair["stderr"] else nll


def _gain(result: Mapping[str, Any], name: str | None, first: str | None) -> str:
    if name is None or first is None:
        return ""
    pair = difference_to(result, name, first)
    assert pair is not None
    words = f"{pair['delta']:+.2f} ± {pair['stderr']:.2f}".replace("-", "−")
    return f"**{words}**" if abs(pair["delta"]) > 2 * pair["stderr"] else words


def _table(head: Sequence[str], rows: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    lines = [list(head), ["---", *["---:"] * (len(head) - 1)]]
    lines += [[row, *line] for row, line in zip(rows, cells, strict=True)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
