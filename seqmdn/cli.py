"""The command ``seqmdn``: compare, fit, evaluate, sample."""

import argparse
import json
import os
import shlex
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

import seqmdn
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
from seqmdn.configuration import ConfigurationError, fit_parser
from seqmdn.export import check_ending, save_sequences
from seqmdn.plotting import calibration_figure
from seqmdn.plotting import check_ending as check_picture
from seqmdn.runs import Interrupted, Report, draw, evaluate, fit, load_run

__all__ = ["main"]

HELP = """usage: seqmdn COMMAND ...

  compare RECIPE      train the models of a recipe under one budget and put them into one table
  fit -c FILE ...     train one model
  evaluate RUN        score a trained model on a split
  sample RUN          draw sequences from a trained model

`seqmdn COMMAND --help` says more. --debug shows where in the code an error arose."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; exit with status 0, 1 (error), 2 (usage) or 130 (Ctrl-C)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    commands: dict[str, Callable[[list[str]], None]] = {
        "compare": _compare,
        "fit": _fit,
        "evaluate": _evaluate,
        "sample": _sample,
    }
    if words[:1] in ([], ["--help"], ["-h"]):
        print(HELP)
        return
    if words[0] == "--version":
        print(seqmdn.__version__)
        return
    if words[0] not in commands:
        _end(f"there is no command {words[0]!r}\n{HELP}", 2)
    _quieten()
    try:
        commands[words[0]](words[1:])
    except KeyboardInterrupt as stop:
        if debug:
            raise
        _end(f"{stop}" if isinstance(stop, Interrupted) else "interrupted", 130)
    except Exception as error:
        if debug:
            raise
        status = 2 if isinstance(error, ConfigurationError) else 1
        _end(_words_of(error), status)


def _fit(words: list[str]) -> None:
    parser = fit_parser()
    parser.add_argument("--out", type=Path, help="the run's folder, runs/DATE-TIME by default")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with this run")
    parser.add_argument("--progress", choices=["bar", "lines", "json"], help="how to tell it")
    resumed = _value(words, "--resume")
    if resumed is not None:
        settings = Path(resumed) / "config.yaml"
        if not settings.is_file():
            raise FileNotFoundError(f"{resumed} holds no run to go on with: expected {settings}")
        # The run's own configuration comes first, so that options can change it: a larger budget,
        # say.
        words = ["-c", str(settings), *words]
    config = parser.parse_args(words)
    out, resume, progress = (config.pop(name) for name in ("out", "resume", "progress"))
    if resume and out and out.resolve() != resume.resolve():
        raise ConfigurationError(
            f"expected --resume without --out, since a run goes on in its own folder {resume}, "
            f"found --out {out}: leave --out away, or copy the run there and resume the copy"
        )
    out = resume or out or Path("runs") / time.strftime("%Y%m%d-%H%M%S")
    try:
        with _telling(progress) as report:
            fit(config, out, resume=resume is not None, report=report)
    except Interrupted as stop:
        raise Interrupted(f"{stop}; go on by: seqmdn fit --resume {out}") from None
    if progress != "json":
        _say(json.loads((out / "metrics.json").read_text()), out)


def _evaluate(words: list[str]) -> None:
    parser = _parser("evaluate", "Score a trained model and rewrite the run's metrics.json.")
    parser.add_argument("run", type=Path, help="a run's folder, or a checkpoint file")
    parser.add_argument("--split", choices=["train", "valid", "test"], default="test")
    parser.add_argument("--data", type=Path, help="another store than the one it was trained on")
    parser.add_argument(
        "--scores", action="store_true", help="also CRPS, energy score and calibration"
    )
    parser.add_argument("--draws", type=int, default=200, help="draws a frame for those scores")
    parser.add_argument(
        "--out", type=Path, help="FILE.png or .svg, a picture of the calibration; implies --scores"
    )
    options = parser.parse_args(words)
    if options.out is not None:
        check_picture(options.out)
    draws = options.draws if options.scores or options.out is not None else None
    metrics = evaluate(options.run, options.split, options.data, draws)
    if options.out is not None:
        name = options.run.resolve().name
        calibration_figure(options.out, {name: metrics["calibration"]})
    _say(metrics, options.run)


def _sample(words: list[str]) -> None:
    parser = _parser("sample", "Draw sequences from a trained model.")
    parser.add_argument("run", type=Path, help="a run's folder, or a checkpoint file")
    parser.add_argument("--num", type=int, default=16, help="number of sequences")
    parser.add_argument("--out", type=Path, required=True, help="FILE.png, .svg, .wav, .npz or .h5")
    parser.add_argument("--length", type=int, help="frames of each; as real sequences by default")
    parser.add_argument(
        "--prime", type=int, default=0, help="first frames taken from real sequences"
    )
    parser.add_argument(
        "--split", default="test", help="where real sequences and context come from"
    )
    parser.add_argument("--mixing", type=float, default=1.0, help="temperature of mixing weights")
    parser.add_argument("--scale", type=float, default=1.0, help="temperature of the covariances")
    parser.add_argument("--temperature", type=float, help="both at once")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, help="another store than the one it was trained on")
    options = parser.parse_args(words)
    if options.temperature is not None:
        options.mixing = options.scale = options.temperature
    run = load_run(options.run, options.data)
    check_ending(options.out, run.data.store)
    drawn, real = draw(
        run,
        options.num,
        options.length,
        options.prime,
        options.split,
        mixing=options.mixing,
        scale=options.scale,
        seed=options.seed,
    )
    command = shlex.join(["seqmdn", "sample", *words])
    save_sequences(options.out, drawn, real, run.data.store, run.checkpoint, command)
    print(f"{options.num} sequences of {drawn.values.shape[1]} frames: {options.out}")


def _compare(words: list[str]) -> None:
    parser = _parser(
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
        with _bars() as bars:
            known = {
                task.name: bars.add_task(task.name, start=False, total=None, nll="")
                for task in tasks
            }

            def report(name: str, step: int, steps: int, nll: float | None) -> None:
                shown = "" if nll is None else f"validation NLL {nll:.3f}"
                bars.start_task(known[name])
                bars.update(known[name], completed=step, total=steps, nll=shown)

            train_all(tasks, min(jobs, len(tasks)), options.resume, report)
    except Interrupted as stop:
        raise Interrupted(f"{stop}; go on by repeating the command with --resume") from None
    if options.scores:
        with _bars() as bars:
            bar = bars.add_task("scores", total=len(tasks), nll="")
            score_all(tasks, scored=lambda _: bars.advance(bar))
    result = compare(recipe, tasks, out, shlex.join(["seqmdn", "compare", *words]))
    _show(markdown_table(result))
    scored = any("crps" in entry for entry in result["models"].values())
    more = ", calibration.png" if scored else ""
    print(f"Written: {out}/compare.json, compare.md, compare.png{more}")
    if not scored and (out / "calibration.png").exists():
        print(f"{out}/calibration.png is not of these runs: draw one of them by --scores")


def _parser(command: str, description: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=f"seqmdn {command}", description=description, allow_abbrev=False
    )


def _value(words: Sequence[str], option: str) -> str | None:
    """The value of an option that must be known before the words are parsed."""
    for i, word in enumerate(words):
        if word == option and i + 1 < len(words):
            return words[i + 1]
        if word.startswith(f"{option}="):
            return word.removeprefix(f"{option}=")
    return None


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[nll]}"),
        console=Console(stderr=True),
    )


@contextmanager
def _telling(how: str | None) -> Iterator[Report]:
    """Tell the progress of one training: by a bar, a line a validation, or lines of JSON."""
    how = how or ("bar" if sys.stderr.isatty() else "lines")
    if how == "bar":
        with _bars() as bars:
            bar = bars.add_task("training", total=None, nll="")

            def advance(step: int, steps: int, nll: float | None) -> None:
                shown = "" if nll is None else f"validation NLL {nll:.3f}"
                bars.update(bar, completed=step, total=steps, nll=shown)

            yield advance
        return
    begun, told, seen = time.monotonic(), 0.0, None

    def tell(step: int, steps: int, nll: float | None) -> None:
        nonlocal told, seen
        now = time.monotonic()
        if how == "json" and (now - told > 0.2 or step == steps):
            told = now
            print(json.dumps({"step": step, "steps": steps, "nll": nll}), flush=True)
        if how == "lines" and nll != seen:
            seen = nll
            print(
                f"step {step} of {steps}, {now - begun:.0f} s, validation NLL {nll:.4f}", flush=True
            )

    yield tell


def _say(metrics: dict[str, Any], source: Path) -> None:
    limit = f", {metrics['gap_to_limit']:.3f} above the limit" if "gap_to_limit" in metrics else ""
    print(
        f"{source}: {metrics['split']} NLL {metrics['nll']:.4f} ± {metrics['stderr']:.4f} "
        f"{metrics['unit']}, {metrics['bits_per_dim']:.4f} bits/dim{limit}"
    )
    if "crps" in metrics:
        how = "exact" if metrics["crps_estimator"] == "exact" else "from draws"
        print(
            f"CRPS {metrics['crps']:.4f} ± {metrics['crps_stderr']:.4f} ({how}), "
            f"energy score {metrics['energy_score']:.4f} ± {metrics['energy_score_stderr']:.4f}, "
            f"90 % intervals hold {100 * metrics['coverage_90']:.1f} "
            f"± {100 * metrics['coverage_90_stderr']:.1f} %"
        )


def _show(markdown: str) -> None:
    """Print a markdown table with rich, the words below it as they are."""
    lines, words = markdown.strip().split("\n\n", 1)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines.splitlines()]
    table = Table()
    for i, title in enumerate(rows[0]):
        table.add_column(title, justify="left" if i == 0 else "right")
    for row in rows[2:]:
        best = row[0].startswith("**")
        table.add_row(*[cell.strip("*") for cell in row], style="bold" if best else None)
    console = Console()
    console.print(table)
    console.print(words)


def _quieten() -> None:
    """Keep the libraries' advertisements and advice to developers from the user's screen."""
    import logging

    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for category in (UserWarning, FutureWarning):
        warnings.filterwarnings("ignore", category=category, module="lightning")


def _words_of(error: Exception) -> str:
    """Say what went wrong; the operating system's errors know a file but not what to do."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror.lower()}: choose another file or folder"
    return f"{error}" or type(error).__name__


def _end(message: str, status: int) -> NoReturn:
    print(f"seqmdn: {message}", file=sys.stderr)
    sys.exit(status)
