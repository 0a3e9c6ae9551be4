"""``seqmdn compare``: several models, one budget, one table."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from seqmdn.adaptation import check_rate
from seqmdn.cli.words import bars, command_parser, show
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
    distinct,
    equal_params,
    equal_seconds,
    equal_steps,
    grid_of,
    possible,
    reuse,
    revision_warning,
    sweep_cells,
    time_drawing,
)
from seqmdn.configuration import ConfigurationError
from seqmdn.runs import Interrupted

__all__ = ["compare_command"]

_DESCRIPTION = """Train the models of a recipe under one budget and put them into one table.
Options that are not listed go to every `seqmdn fit`, such as --trainer.max_steps 500.

With --sweep, each model is trained once for every combination of values. Keys are those of `seqmdn
fit`, as short as they are clear: head.components, optimizer.lr, trainer.max_steps. A key that only
some models have is left out for the others. head.rank sets head.covariance as well, 0 a diagonal
one and other ranks lowrank, unless head.covariance is swept itself. Every finished run in --out
that has the same settings is used again, whatever grid or comparison trained it."""

_BUDGET = """what all models have alike. steps: those of the recipe. seconds: of training, without
validation and scoring; the time of a step of each model is measured by turns before the first
training and decides its number of steps, so that schedules end and results can be had again.
params: --width of each model is chosen so that its parameters agree to 1 %%"""


def compare_command(words: list[str]) -> None:
    """Train, score and compare the models of a recipe, or the cells of a sweep."""
    options, overrides = _parser().parse_known_args(words)
    recipe: Path = options.recipe
    out: Path = options.out or Path("results", *recipe.resolve().parts[-2:])
    jobs = _jobs(options)
    if options.adapt is not None:
        check_rate(options.adapt)
    names = options.models or recipe_models(recipe)
    cells = cells_of(names)
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
    if options.sweep:
        tasks = reuse(tasks, out)
    check_resumable([task for task in tasks if (task.out / "config.yaml").exists()])
    if (warning := revision_warning(out, tasks)) is not None:
        print(f"seqmdn: {warning}", file=sys.stderr)
    _train(tasks, jobs, options)
    time_drawing(tasks)
    command = shlex.join(["seqmdn", "compare", *words])
    if options.sweep:
        show(paper_table(sweep(recipe, cells, tasks, out, command, budget.record)))
        print(f"Written: {out}/sweep.json, sweep.md, sweep.tex, sweep.png, sweep_pareto.png")
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


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("compare", _DESCRIPTION)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "recipe", type=Path, help="a recipe's folder, such as recipes/pixels/digits"
    )
    parser.add_argument(
        "--models",
        nargs="+",
        help="names of the recipe's models, paths of other YAML files; all of the recipe's by "
        "default",
    )
    parser.add_argument(
        "--seeds", type=int, default=1, help="runs a model; of several, also what they are together"
    )
    parser.add_argument("--out", type=Path, help="results/TASK/DATASET by default")
    parser.add_argument("--jobs", type=int, help="trainings at a time; one a core without a GPU")
    parser.add_argument("--resume", action="store_true", help="keep what was finished before")
    parser.add_argument(
        "--scores", action="store_true", help="also CRPS, energy score and calibration of each run"
    )
    parser.add_argument(
        "--adapt",
        type=float,
        metavar="RATE",
        help="also the likelihood of each run while it adapts to each sequence, as in evaluate",
    )
    parser.add_argument(
        "--dequantise",
        type=int,
        metavar="DRAWS",
        help="of levels, also a tighter bound on their probability, as in evaluate",
    )
    parser.add_argument(
        "--budget", choices=["steps", "seconds", "params"], default="steps", help=_BUDGET
    )
    parser.add_argument(
        "--seconds", type=float, help="for --budget seconds; as the first model takes by default"
    )
    parser.add_argument(
        "--params", type=int, help="for --budget params; as the first model has by default"
    )
    parser.add_argument("--width", metavar="KEY", help="for --budget params; backbone.hidden")
    parser.add_argument(
        "--sweep", nargs="+", metavar="KEY=VALUE,...", help="a grid, such as head.components=1,5"
    )
    parser.add_argument(
        "--possible",
        action="store_true",
        help="leave out models that cannot be, such as a rank above the number of features",
    )
    return parser


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


def _train(tasks: Sequence[Task], jobs: int, options: argparse.Namespace) -> None:
    """Train what is not finished, and score it where that was asked for."""
    again = "" if options.sweep else " with --resume"
    try:
        with bars() as progress:
            known = {
                task.name: progress.add_task(task.name, start=False, total=None, nll="")
                for task in tasks
            }

            def report(name: str, step: int, steps: int, nll: float | None) -> None:
                shown = "" if nll is None else f"validation NLL {nll:.3f}"
                progress.start_task(known[name])
                progress.update(known[name], completed=step, total=steps, nll=shown)

            resume = options.resume or bool(options.sweep)
            train_all(tasks, min(jobs, len(tasks)), resume, report)
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
