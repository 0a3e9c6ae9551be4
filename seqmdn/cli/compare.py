"""``seqmdn compare``: several models, one budget, one table."""

import argparse
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from seqmdn.adaptation import check_rate
from seqmdn.cli.compare_options import compare_parser
from seqmdn.cli.words import bars, show
from seqmdn.compare import (
    check_resumable,
    compare,
    markdown_table,
    paper_table,
    plan,
    recipe_models,
    score_all,
    sweep,
    train_all,
)
from seqmdn.comparison import (
    Budget,
    Task,
    cells_of,
    check_tasks,
    component_warnings,
    distinct,
    equal_params,
    equal_seconds,
    equal_steps,
    fold_tasks,
    grid_of,
    possible,
    reuse,
    revision_warning,
    sweep_cells,
    time_drawing,
)
from seqmdn.configuration import ConfigurationError
from seqmdn.processes import check_started
from seqmdn.runs import Interrupted

__all__ = ["compare_command"]


def compare_command(words: list[str]) -> None:
    """Train, score and compare the models of a recipe, or the cells of a sweep."""
    options, overrides = compare_parser().parse_known_args(words)
    check_started(1)
    recipe: Path = options.recipe
    out: Path = options.out or Path("results", *recipe.resolve().parts[-2:])
    jobs = _jobs(options)
    if options.adapt is not None:
        check_rate(options.adapt)
    names = options.models or recipe_models(recipe)
    cells = cells_of(names)
    if options.folds is not None and not options.sweep:
        raise ConfigurationError("expected --folds with --sweep, found no --sweep: add one")
    if options.sweep:
        cells = sweep_cells(recipe, names, grid_of(options.sweep), overrides)
    tasks = plan(recipe, cells, options.seeds, out, overrides)
    if not options.sweep and not options.resume:
        _refuse_old(tasks, out)
    tasks, same = distinct(tasks)
    for name, first in same.items():
        print(f"seqmdn: {name} is {first} by another name, and left out", file=sys.stderr)
    if options.possible:
        tasks, wrong = possible(tasks)
        for name, reason in wrong.items():
            print(f"seqmdn: {name} cannot be, and is left out: {reason}", file=sys.stderr)
        cells = [cell for cell in cells if cell.name not in wrong]
    else:
        check_tasks(tasks)
    budget = _budget(options, tasks, out, 1 if jobs > 1 else torch.get_num_threads())
    cells = [
        cell.given(*budget.words.get(cell.name, ())) for cell in cells if cell.name not in same
    ]
    if budget.words:
        tasks = plan(recipe, cells, options.seeds, out, overrides)
    folds: dict[Task, list[Task]] = {}
    if options.sweep:
        cut = {} if options.folds is None else fold_tasks(tasks, options.folds)
        wanted = [*tasks, *(fold for own in cut.values() for fold in own)]
        again = dict(zip(wanted, reuse(wanted, out), strict=True))
        folds = {again[task]: [again[fold] for fold in own] for task, own in cut.items()}
        tasks = [again[task] for task in tasks]
    held_out = [fold for own in folds.values() for fold in own]
    everything = [*tasks, *held_out]
    check_resumable([task for task in everything if (task.out / "config.yaml").exists()])
    if (warning := revision_warning(out, everything)) is not None:
        print(f"seqmdn: {warning}", file=sys.stderr)
    _train(tasks, held_out, jobs, options)
    time_drawing(tasks)
    command = shlex.join(["seqmdn", "compare", *words])
    if options.sweep:
        _show_sweep(sweep(recipe, cells, tasks, out, command, budget.record, folds), out)
        return
    result = compare(recipe, tasks, out, command, budget.record)
    show(markdown_table(result))
    for name, entry in result["models"].items():
        if entry.get("draws_not_finite"):
            print(f"seqmdn: draws of {name} run away, and none are shown", file=sys.stderr)
    scored = any("crps" in entry for entry in result["models"].values())
    more = ", calibration.png" if scored else ""
    print(
        f"Written: {out}/compare.json, compare.md, compare.png{more}, curves.png, pareto.png, "
        "table.md, table.tex"
    )
    if not scored and (out / "calibration.png").exists():
        print(f"{out}/calibration.png is not of these runs: draw one of them by --scores")


def _show_sweep(result: Mapping[str, Any], out: Path) -> None:
    show(paper_table(result))
    for line in component_warnings(result):
        print(f"seqmdn: {line}", file=sys.stderr)
    more = ", sweep_selection.png" if any("bic" in e for e in result["models"].values()) else ""
    print(f"Written: {out}/sweep.json, sweep.md, sweep.tex, sweep.png, sweep_pareto.png{more}")


def _jobs(options: argparse.Namespace) -> int:
    jobs: int | None = options.jobs
    if jobs is None:
        jobs = 1 if torch.cuda.is_available() else os.cpu_count() or 1
    if jobs < 1:
        raise ConfigurationError(
            f"expected --jobs of 1 or more trainings at a time, found {jobs}: leave it away for "
            "one a core, or for one alone where there is a GPU"
        )
    return jobs


def _refuse_old(tasks: Sequence[Task], out: Path) -> None:
    if any((task.out / "config.yaml").exists() for task in tasks):
        raise FileExistsError(
            f"{out} holds a comparison already: keep its runs by --resume, or choose another --out"
        )


def _budget(options: argparse.Namespace, tasks: Sequence[Task], out: Path, threads: int) -> Budget:
    for option, held in {"seconds": "seconds", "params": "params", "width": "params"}.items():
        if getattr(options, option) is not None and options.budget != held:
            raise ConfigurationError(
                f"expected --{option} with --budget {held}, found --budget {options.budget}"
            )
    if options.budget == "steps":
        return equal_steps(tasks)
    if options.budget == "seconds":
        budget = equal_seconds(tasks, out, threads, options.seconds)
        each, of = budget.record["steps"], "steps"
    else:
        budget = equal_params(tasks, options.params, options.width or "backbone.hidden")
        each, of = budget.record["counts"], "parameters"
    for name, number in each.items():
        chosen = (
            "" if of == "steps" else f" by {budget.record['key']} {budget.record['widths'][name]}"
        )
        print(f"seqmdn: {name} has {number:,} {of}{chosen}", file=sys.stderr)
    return budget


def _train(
    tasks: Sequence[Task], held_out: Sequence[Task], jobs: int, options: argparse.Namespace
) -> None:
    """Train what is not finished, and score it where that was asked for, but for folds."""
    trained = [*tasks, *held_out]
    again = "" if options.sweep else " with --resume"
    try:
        with bars() as progress:
            known = {
                task.name: progress.add_task(task.name, start=False, total=None, nll="")
                for task in trained
            }

            def report(name: str, step: int, steps: int, nll: float | None) -> None:
                shown = "" if nll is None else f"validation NLL {nll:.3f}"
                progress.start_task(known[name])
                progress.update(known[name], completed=step, total=steps, nll=shown)

            resume = options.resume or bool(options.sweep)
            train_all(trained, min(jobs, len(trained)), resume, report)
    except Interrupted as stop:
        raise Interrupted(f"{stop}; go on by repeating the command{again}") from None
    if options.scores or {options.adapt, options.dequantise} != {None}:
        with bars() as progress:
            bar = progress.add_task("scores", total=len(tasks), nll="")
            draws = 200 if options.scores else None
            score_all(
                tasks,
                draws,
                options.adapt,
                scored=lambda _: progress.advance(bar),
                dequantise=options.dequantise,
            )
