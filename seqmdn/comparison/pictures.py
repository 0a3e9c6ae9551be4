"""The pictures of a comparison and of a sweep."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqmdn.comparison.bounds import label
from seqmdn.comparison.pairs import difference_to
from seqmdn.comparison.tasks import Task
from seqmdn.plotting import (
    CellSummary,
    CurveSummary,
    SelectionSummary,
    comparison_figure,
    curves_figure,
    pareto_figure,
    selection_figure,
    sweep_figure,
)
from seqmdn.runs import draw, learning_clock, learning_curve, load_run

__all__ = ["draw_comparison", "draw_selection", "draw_sweep"]

_SHOWN = 12  # sequences
_LONGEST = 200  # frames of one of them


def draw_comparison(tasks: Sequence[Task], result: Mapping[str, Any], out: Path) -> list[str]:
    """Write ``compare.png``, ``curves.png`` and ``pareto.png``.

    A model whose draws run away, until they are no numbers any more, is shown without any.

    Args:
        tasks: The finished trainings.
        result: What ``compare.json`` holds.
        out: Where the files go.

    Returns:
        The names of the models whose draws ran away.
    """
    ran_away = _draw_page(tasks, result, out / "compare.png")
    entries = {label(name, entry): entry for name, entry in result["models"].items()}
    runs = {name: [t.out for t in tasks if t.model == name] for name in result["models"]}
    curves = {label(n, result["models"][n]): _curves(own) for n, own in runs.items()}
    limit_valid = result.get("limit_valid")
    curves_figure(out / "curves.png", curves, result["unit"], limit=limit_valid)
    limit = result.get("limit")
    pareto_figure(out / "pareto.png", entries, result["unit"], limit=limit)
    return ran_away


def draw_sweep(result: Mapping[str, Any], out: Path) -> None:
    """Write ``sweep.png``, where any key was swept, and ``sweep_pareto.png``.

    Errors are those of the paired differences to the best: what sequences have in common says
    nothing of one cell against another.

    Args:
        result: What ``sweep.json`` holds.
        out: Where the files go.
    """
    models, cells = result["models"], result["sweep"]["cells"]
    best = min(models, key=lambda name: models[name]["nll"])
    shown: list[CellSummary] = []
    for name, entry in models.items():
        pair = difference_to(result, name, best)
        error = 0.0 if pair is None else pair["stderr"]
        model, settings = cells[name]["model"], cells[name]["settings"]
        shown.append(CellSummary(model=model, settings=settings, nll=entry["nll"], error=error))
    unit, limit = result["unit"], result.get("limit")
    sweep_figure(out / "sweep.png", shown, result["sweep"]["keys"], unit, limit=limit)
    groups = {name: cells[name]["model"] for name in models}
    costs = {
        name: models[name] | {"stderr": cell["error"]}
        for name, cell in zip(models, shown, strict=True)
    }
    pareto_figure(out / "sweep_pareto.png", costs, unit, groups=groups, limit=limit, paired=True)


def draw_selection(result: Mapping[str, Any], out: Path) -> bool:
    """Write ``sweep_selection.png``, where there is more than the test NLL to choose by.

    A curve is of a model and its settings but the first key, which is the number to choose.

    Args:
        result: What ``sweep.json`` holds.
        out: Where the file goes.

    Returns:
        Whether it was written.
    """
    models, cells = result["models"], result["sweep"]["cells"]
    if not (keys := result["sweep"]["keys"]):
        return False
    across, *others = keys
    shown: list[SelectionSummary] = []
    for name, entry in models.items():
        settings = cells[name]["settings"]
        if across in settings and "bic" in entry:
            words = [f"{key} {settings[key]}" for key in others if key in settings]
            line = ", ".join([cells[name]["model"], *words])
            scores = _criteria(result, name)
            shown.append(SelectionSummary(line=line, value=settings[across], scores=scores))
    if shown:
        selection_figure(out / "sweep_selection.png", shown, across)
    return bool(shown)


def _criteria(result: Mapping[str, Any], name: str) -> dict[str, tuple[float, float]]:
    """Return what a cell may be chosen by, with the errors of paired differences to the best."""
    models, unit = result["models"], result["unit"]
    columns = {
        "nll": (f"test NLL ({unit})", result["paired"]),
        "bic": ("BIC (nats)", {}),
        "cross_validation": (
            f"cross-validated NLL ({unit})",
            result.get("paired_cross_validation", {}),
        ),
    }
    found = {}
    for key, (title, pairs) in columns.items():
        if key in models[name]:
            known = {each: entry[key] for each, entry in models.items() if key in entry}
            pair = difference_to({"paired": pairs}, name, min(known, key=lambda n: known[n]))
            found[title] = (known[name], 0.0 if pair is None else pair["stderr"])
    return found


def _draw_page(tasks: Sequence[Task], result: Mapping[str, Any], path: Path) -> list[str]:
    """Draw learning curves, test NLLs and samples of each model beside real sequences."""
    summaries: dict[str, Any] = {}
    ran_away: list[str] = []
    first = load_run(tasks[0].out).data
    real = first.sequences("test", np.resize(first.store.indices("test"), _SHOWN))
    # Draws are no longer than the sequences whose context they are drawn under.
    length = int(real.lengths.max())
    if first.store.attributes.get("kind") != "image":  # of which a part is none
        length = min(_LONGEST, length)
    # Of a row of a table, or of points in any order, lines show nothing.
    sequences = length > 1 and first.points is None
    for name, entry in result["models"].items():
        runs = [task for task in tasks if task.model == name]
        shown = {
            "nll": entry["nll"],
            "stderr": entry["stderr"],
            "curve": [learning_curve(task.out) for task in runs],
        }
        try:
            if sequences:
                drawn, _ = draw(load_run(runs[0].out), num=_SHOWN, length=length)
                shown["samples"] = drawn.values.cpu().numpy()
        except FloatingPointError:
            ran_away.append(name)
        summaries[label(name, entry)] = shown
    real = first.whole(real)
    comparison_figure(
        path,
        summaries,
        unit=result["unit"],
        real=real.values[:, :length].numpy() if sequences else None,
        real_lengths=real.lengths.clamp(max=length).numpy(),
        attributes=first.store.attributes,
        limit=result.get("limit"),
        limit_valid=result.get("limit_valid"),
    )
    return ran_away


def _curves(runs: Sequence[Path]) -> CurveSummary:
    """Read the curves of a model's runs; those that logged no seconds have none against them."""
    steps = [learning_curve(run) for run in runs]
    clocks = [learning_clock(run) for run in runs]
    seconds = [
        (clock[1], curve[1])
        for clock, curve in zip(clocks, steps, strict=True)
        if clock[0] == curve[0]
    ]
    return CurveSummary(steps=steps, seconds=seconds)
