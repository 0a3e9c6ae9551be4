"""Several models, one data set, one budget: one table."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from seqmdn.checkpoints import has_checkpoint
from seqmdn.comparison import (
    Cell,
    Task,
    add_folds,
    add_training,
    check_resumable,
    grid_tables,
    markdown_table,
    pairs_with_first,
    paper_table,
    plan,
    read_frames,
    read_training,
    recipe_models,
    selection_words,
    summarise,
)
from seqmdn.comparison.pictures import draw_comparison, draw_selection, draw_sweep
from seqmdn.comparison.tasks import first_tasks
from seqmdn.data import UniformDequantise
from seqmdn.files import save_json, save_text
from seqmdn.plotting import calibration_figure
from seqmdn.reading import read_json
from seqmdn.runs import Interrupted, load_run, score

__all__ = [
    "Task",
    "check_resumable",
    "compare",
    "markdown_table",
    "plan",
    "recipe_models",
    "score_all",
    "summarise",
    "sweep",
    "train_all",
]

Report = Callable[..., None]


def train_all(
    tasks: Sequence[Task], jobs: int, resume: bool = False, report: Report | None = None
) -> None:
    """Run the trainings, ``jobs`` at a time, each as a ``seqmdn fit`` of its own.

    With more than one job each training has one thread. Finished runs are kept when ``resume`` is
    set.

    Raises:
        Interrupted: After Ctrl-C, once every training under way has written its checkpoint.
        RuntimeError: If a training failed; the message ends with its last words.
    """
    environment = dict(os.environ) if jobs == 1 else os.environ | {"OMP_NUM_THREADS": "1"}
    processes: list[subprocess.Popen[str]] = []
    stopping = threading.Event()

    def train(task: Task) -> None:
        if resume and (task.out / "metrics.json").exists():
            return
        started = resume and has_checkpoint(task.out / "checkpoints")
        task.out.mkdir(parents=True, exist_ok=True)
        target = ("--resume", str(task.out)) if started else ("--out", str(task.out))
        fit = [sys.executable, "-m", "seqmdn", "fit", *task.arguments, *target]
        with (
            (task.out / "log.txt").open("a") as log,
            subprocess.Popen(
                [*fit, "--progress", "json"],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
                # Ctrl-C is for the comparison, which hands it on once.
                start_new_session=True,
            ) as process,
        ):
            processes.append(process)
            if stopping.is_set():  # started while the others were being told
                process.send_signal(signal.SIGINT)
            assert process.stdout is not None
            for line in process.stdout:
                if report is not None and line.startswith("{"):
                    report(task.name, **json.loads(line))
        if process.returncode != 0:
            words = (task.out / "log.txt").read_text().strip().splitlines()[-3:]
            raise RuntimeError(f"the training of {task.name} failed: " + " ".join(words))

    pool = ThreadPoolExecutor(jobs)
    running = [pool.submit(train, task) for task in tasks]
    try:
        for future in as_completed(running):
            future.result()
    except BaseException as error:
        pool.shutdown(wait=False, cancel_futures=True)
        stopping.set()
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        pool.shutdown(wait=True)
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted("every training under way has written a checkpoint") from error
        raise
    pool.shutdown()


def score_all(
    tasks: Sequence[Task],
    draws: int | None = 200,
    adapt: float | None = None,
    scored: Callable[[Task], None] | None = None,
    dequantise: int | None = None,
) -> None:
    """Add more scores than the likelihood to the ``metrics.json`` of every finished run.

    Runs that have them keep them as they are, and every run what it says of its likelihood, its
    time and its device.

    Args:
        tasks: The finished trainings.
        draws: Draws of each test frame for the scores beside the likelihood, None for no such.
        adapt: Learning rate for the likelihood of adapting weights, None for no such; that of
            another rate is replaced.
        scored: Called with each task whose run has its scores.
        dequantise: Draws of the noise for a tighter bound on the probability of levels, of runs
            whose data are dequantised; None for no such.

    Raises:
        ValueError: If a model has no density of single frames.
    """
    for task in tasks:
        path = task.out / "metrics.json"
        found = read_json(path, dict)
        if adapt is not None and found.get("adapted", {}).get("rate") != adapt:
            found.pop("adapted", None)
        drawn = None if "crps" in found else draws
        rate = None if "adapted" in found else adapt
        bounds = found.get("bounds", {})
        known = any(name.startswith(f"dequantised, {dequantise} ") for name in bounds)
        noises = None if known else dequantise
        # A run last scored on another split is refused once the table is made.
        if {drawn, rate, noises} != {None} and found["split"] == "test":
            run = load_run(task.out)
            if not isinstance(run.data.noise, UniformDequantise):
                noises = None  # what is no density of dequantised levels has no such bound
            # Without a rate, what is there of adapting weights would be lost.
            frames = None if rate is None else task.out / "frames.npz"
            more = score(run, "test", drawn, rate, frames=frames, dequantise=noises)
            if more.get("bounds"):
                found["bounds"] = more["bounds"] | bounds
            save_json(path, more | found)
        if scored is not None:
            scored(task)


def compare(
    recipe: Path,
    tasks: Sequence[Task],
    out: Path,
    command: str,
    budget: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Gather finished runs into one table: ``compare.json``, ``compare.md`` and ``compare.png``.

    Beside them, ``table.md`` and ``table.tex`` are the table as a paper shows it, ``curves.png``
    the learning curves against steps and seconds, ``pareto.png`` the likelihood against what it
    costs. Where runs have scores beside the likelihood (:func:`score_all`), these are in the table,
    and ``calibration.png`` shows the calibration of each model's first run; without them, a picture
    of that name is left as it is. A model whose draws run away has ``draws_not_finite``, and none
    of them is shown.

    Args:
        recipe: The recipe's folder.
        tasks: The finished trainings.
        out: Where the files go.
        command: The command that did it, for the record.
        budget: What was held equal, for the record.

    Returns:
        What ``compare.json`` holds.

    Raises:
        ValueError: If the runs were not scored on the same data.
    """
    metrics = _metrics(tasks)
    # Each split has a limit of its own; the runs know that of the test split.
    limit_valid = load_run(tasks[0].out).data.limit("valid")
    frames = {task: read_frames(task.out) for task in tasks}
    result = summarise(recipe, metrics, command, limit_valid, budget, frames=frames)
    save_json(out / "compare.json", result)
    save_text(out / "compare.md", markdown_table(result))
    save_text(out / "table.md", paper_table(result))
    save_text(out / "table.tex", paper_table(result, "latex"))
    if ran_away := draw_comparison(tasks, result, out):
        for name in ran_away:
            result["models"][name]["draws_not_finite"] = True
        save_json(out / "compare.json", result)
    firsts = first_tasks(metrics)
    calibrations = {
        name: metrics[firsts[name]]["calibration"]
        for name, entry in result["models"].items()
        if "crps" in entry
    }
    if calibrations:
        calibration_figure(out / "calibration.png", calibrations)
    return result


def sweep(
    recipe: Path,
    cells: Sequence[Cell],
    tasks: Sequence[Task],
    out: Path,
    command: str,
    budget: Mapping[str, Any] | None = None,
    folds: Mapping[Task, Sequence[Task]] | None = None,
) -> dict[str, Any]:
    """Gather the finished runs of a grid: ``sweep.json``, ``.md``, ``.tex`` and pictures.

    ``sweep.json`` has the keys of ``compare.json``, each cell as one of its ``models``, pairs with
    the best cell and with the first model's cell of the same settings, and ``sweep``: the ``keys``,
    and of each cell its ``model``, ``settings`` and ``runs``. ``sweep.md`` begins with the grid,
    models by settings; ``sweep.png`` shows it, ``sweep_pareto.png`` what each cell costs.

    Cells whose likelihood is exact have their BIC and the use of their components beside the test
    NLL (:func:`seqmdn.comparison.add_training`), with folds also the NLL of cross-validation
    (:func:`seqmdn.comparison.add_folds`). ``sweep.md`` then ends with what each criterion chooses
    and with a warning for each cell with components that died or sit on each other, and
    ``sweep_selection.png`` shows all criteria against the first key.

    Args:
        recipe: The recipe's folder.
        cells: The cells.
        tasks: Their finished trainings.
        out: Where the files go.
        command: The command that did it, for the record.
        budget: What was held equal, for the record.
        folds: Of each training, those that cross-validate it, finished.

    Returns:
        What ``sweep.json`` holds.

    Raises:
        ValueError: If the runs were not scored on the same data.
    """
    pairs = pairs_with_first(cells)
    result = summarise(recipe, _metrics(tasks), command, budget=budget, pairs=pairs)
    add_training(result, read_training(tasks))
    if folds:
        scored = {task: list(_metrics(own).values()) for task, own in folds.items()}
        add_folds(result, scored, pairs)
    described = {
        cell.name: {
            "model": cell.name.partition(",")[0],
            "settings": {key.removeprefix("model."): value for key, value in cell.settings},
            "runs": [task.out.name for task in tasks if task.model == cell.name],
        }
        for cell in cells
    }
    keys = dict.fromkeys(key for each in described.values() for key in each["settings"])
    result["sweep"] = {"keys": list(keys), "cells": described}
    save_json(out / "sweep.json", result)
    chosen = selection_words(result)
    table = f"{grid_tables(result)}\n{paper_table(result)}"
    save_text(out / "sweep.md", f"{table}\n{chosen}" if chosen else table)
    save_text(out / "sweep.tex", paper_table(result, "latex"))
    draw_sweep(result, out)
    draw_selection(result, out)
    return result


def _metrics(tasks: Sequence[Task]) -> dict[Task, dict[str, Any]]:
    return {task: read_json(task.out / "metrics.json", dict) for task in tasks}
