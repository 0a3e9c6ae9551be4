"""``seqmdn compare``: several models, one budget, one table."""

import os
import shlex
import sys
from pathlib import Path

import torch

from seqmdn.cli.words import bars, command_parser, show
from seqmdn.compare import (
    check_resumable,
    compare,
    markdown_table,
    plan,
    recipe_models,
    score_all,
    train_all,
)
from seqmdn.comparison import revision_warning
from seqmdn.configuration import ConfigurationError
from seqmdn.runs import Interrupted

__all__ = ["compare_command"]


def compare_command(words: list[str]) -> None:
    """Train, score and compare the models of a recipe."""
    parser = command_parser(
        "compare",
        "Train the models of a recipe under one budget and put them into one table. "
        "Options that are not listed go to every `seqmdn fit`, such as --trainer.max_steps 500.",
    )
    parser.add_argument(
        "recipe", type=Path, help="a recipe's folder, such as recipes/pixels/digits"
    )
    parser.add_argument("--models", nargs="+", help="all models of the recipe by default")
    parser.add_argument("--seeds", type=int, default=1, help="runs a model")
    parser.add_argument("--out", type=Path, help="results/TASK/DATASET by default")
    parser.add_argument("--jobs", type=int, help="trainings at a time; one a core without a GPU")
    parser.add_argument("--resume", action="store_true", help="keep what was finished before")
    parser.add_argument(
        "--scores", action="store_true", help="also CRPS, energy score and calibration of each run"
    )
    options, overrides = parser.parse_known_args(words)
    recipe: Path = options.recipe
    out: Path = options.out or Path("results", *recipe.resolve().parts[-2:])
    jobs = options.jobs
    if jobs is None:
        jobs = 1 if torch.cuda.is_available() else os.cpu_count() or 1
    if jobs < 1:
        raise ConfigurationError(
            f"expected --jobs of 1 or more trainings at a time, found {jobs}: leave it away for "
            "one a core, or for one alone where there is a GPU"
        )
    models = options.models or recipe_models(recipe)
    tasks = plan(recipe, models, options.seeds, out, overrides)
    old = [task for task in tasks if (task.out / "config.yaml").exists()]
    if old and not options.resume:
        raise FileExistsError(
            f"{out} holds a comparison already: keep its runs by --resume, or choose another --out"
        )
    check_resumable(old)
    if (warning := revision_warning(out)) is not None:
        print(f"seqmdn: {warning}", file=sys.stderr)
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

            train_all(tasks, min(jobs, len(tasks)), options.resume, report)
    except Interrupted as stop:
        raise Interrupted(f"{stop}; go on by repeating the command with --resume") from None
    if options.scores:
        with bars() as progress:
            bar = progress.add_task("scores", total=len(tasks), nll="")
            score_all(tasks, scored=lambda _: progress.advance(bar))
    result = compare(recipe, tasks, out, shlex.join(["seqmdn", "compare", *words]))
    show(markdown_table(result))
    more = ", calibration.png" if (out / "calibration.png").exists() else ""
    print(f"Written: {out}/compare.json, compare.md, compare.png{more}")
