"""Measure prediction from given points: `python -m benchmarks.functions [--write]`.

A mixture process of the recipe of functions from Gaussian processes, in one forward pass, beside
networks of the same recipe that are adapted to the points. `--runs OURS THEIRS ...`, folders of
trained runs on the same data, adds what each number of steps costs and is worth. `--write` puts the
tables into benchmarks/README.md as well.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.density import hardware
from benchmarks.measure import Comparison, Work, compare
from benchmarks.readme import put
from seqmdn.comparison import plan
from seqmdn.configuration import fit_parser
from seqmdn.data import Batch
from seqmdn.metrics import paired_difference
from seqmdn.models import AdaptedProcess, FunctionModel
from seqmdn.runs import load_run

BEGIN, END = "<!-- begin: python -m benchmarks.functions -->", "<!-- end: benchmarks.functions -->"
RECIPE = Path(__file__).parents[1] / "recipes/neural_process/gp"
OURS, THEIRS = "deterministic", ("maml", "cavia")
POINTS, GIVEN, TASKS = 64, (3, 46), 24
STEPS = (1, 5, 10)
LONG = (0, 1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 100)
TIMES = "| tasks at once | model | steps | ours, ms a task | theirs | ratio | ratio, processor |"
SCORES = "| model | steps | NLL, nats/point | minus ours | ms a task | ratio | ratio, processor |"


def models(names: Sequence[str], words: Sequence[str] = ()) -> dict[str, FunctionModel]:
    """Return models of the recipe with random weights, by their names."""
    made = {}
    with tempfile.TemporaryDirectory() as folder:
        for task in plan(RECIPE, names, 1, Path(folder), words):
            torch.manual_seed(0)
            made[task.model] = fit_parser().instantiate(task.config).model(1, 1).eval()
    return made


def tasks() -> Batch:
    """Return tasks of the recipe's size, of the fewest to the most given points."""
    generator = torch.Generator().manual_seed(0)
    x = 4 * torch.rand(TASKS, POINTS, 1, generator=generator) - 2
    y = torch.randn(TASKS, POINTS, 1, generator=generator)
    start = torch.linspace(*GIVEN, TASKS).round().long()
    return Batch(y, torch.full((TASKS,), POINTS), x, start)


def predicting(model: FunctionModel, batch: Batch, at_once: int, steps: int | None = None) -> Work:
    """Return the densities of all points of tasks, so many at once, after so many steps."""
    parts = [batch.part(i, i + at_once) for i in range(0, len(batch.values), at_once)]

    def work() -> None:
        if steps is not None:
            model.steps = steps
        with torch.inference_mode():
            for part in parts:
                model.distributions(part)

    return work


def cells(found: Comparison, each: float) -> list[str]:
    """Return theirs in ms a task, and both ratios."""
    return [f"{each * found.theirs:.2f}", f"{found.ratio:.2f}", f"{found.ratio_processor:.2f}"]


def times(repeats: int, made: dict[str, FunctionModel]) -> Iterator[str]:
    """Measure untrained models of the recipe, ours first, and give the lines of the table."""
    yield from (TIMES, "|---" * (TIMES.count("|") - 1) + "|")
    batch, each = tasks(), 1e3 / TASKS
    ours, *theirs = made
    for at_once in (1, TASKS):
        for name in theirs:
            for steps in STEPS:
                found = compare(
                    predicting(made[ours], batch, at_once),
                    predicting(made[name], batch, at_once, steps),
                    repeats,
                )
                beside = [str(at_once), name, str(steps), f"{each * found.ours:.2f}"]
                yield "| " + " | ".join(beside + cells(found, each)) + " |"


@torch.inference_mode()
def scored(model: FunctionModel, batches: Sequence[Batch], steps: int | None = None) -> Tensor:
    """Return the NLL of each task in nats a point ``(N,)``, after so many steps."""
    if steps is not None:
        model.steps = steps
    return -torch.cat([model.log_prob(batch) / batch.frames() for batch in batches])


def few(batches: Iterator[Batch], count: int | None) -> list[Batch]:
    """Return the first tasks of batches, as many as that, or all."""
    found, left = [], count
    for batch in batches:
        found.append(batch if left is None else batch.part(0, left))
        if left is not None:
            left -= len(found[-1].values)
            if left <= 0:
                break
    return found


def accuracy(
    runs: Sequence[Path],
    repeats: int,
    data: Path | None = None,
    count: int | None = None,
    long: Sequence[int] = LONG,
) -> Iterator[str]:
    """Score and time trained models on the same test tasks, and give the lines of the table.

    Args:
        runs: Folders of runs: ours, then those of models that adapt.
        repeats: Pairs of measurements a row.
        data: Another place of the store than the runs know.
        count: Only the first test tasks; all by default.
        long: Numbers of steps.

    Raises:
        ValueError: If a run is not of a density of functions, or one but the first does not adapt.
    """
    kinds = [FunctionModel] + [AdaptedProcess] * (len(runs) - 1)
    loaded = {path.name: load_run(path, data) for path in runs}
    for (name, run), kind in zip(loaded.items(), kinds, strict=True):
        if not isinstance(run.model, kind):
            raise ValueError(
                f"expected a run of {kind.__name__}, found {name} of "
                f"{type(run.model).__name__}: name ours first, then those that adapt"
            )
    yield from (SCORES, "|---" * (SCORES.count("|") - 1) + "|")
    (ours, run), *theirs = loaded.items()
    batches, batch, each = few(run.data.batches("test"), count), tasks(), 1e3 / TASKS
    best = scored(run.model, batches)
    yield f"| {ours} |  | {best.mean():.3f} |  |  |  |  |"
    for name, other in theirs:
        trained, reached, lowest = other.model.steps, None, {}
        for steps in long:
            nll = scored(other.model, batches, steps)
            lowest[steps] = float(nll.mean())
            pair = paired_difference(nll, best)
            if reached is None and pair["delta"] <= 0:
                reached = steps
            found = compare(
                predicting(run.model, batch, TASKS),
                predicting(other.model, batch, TASKS, steps),
                repeats,
            )
            beside = [
                name,
                f"{steps}{', as trained' if steps == trained else ''}",
                f"{lowest[steps]:.3f}",
                f"{pair['delta']:+.3f} ± {pair['stderr']:.3f}",
            ]
            yield "| " + " | ".join(beside + cells(found, each)) + " |"
        least = min(lowest, key=lowest.__getitem__)
        level = "at no number" if reached is None else f"from {reached}"
        yield f"| {name} | lowest at {least}, level with ours {level} |  |  |  |  |  |"


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7, help="pairs of measurements a row")
    parser.add_argument(
        "--runs", nargs="+", type=Path, default=[], help="trained: ours, then those that adapt"
    )
    parser.add_argument("--data", type=Path, help="where the store is, if not where runs have it")
    parser.add_argument("--tasks", type=int, help="of the test, for a trial; all by default")
    parser.add_argument("--write", action="store_true", help="put the tables into the README")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    about = f"{hardware()}\nOne thread, {options.repeats} pairs a row."
    print(about, end="\n\n")
    table = [about, ""]
    parts = [times(options.repeats, models([OURS, *THEIRS]))]
    if options.runs:
        parts += [
            iter([""]),
            accuracy(options.runs, options.repeats, options.data, options.tasks),
        ]
    for line in chain.from_iterable(parts):
        print(line, flush=True)
        table.append(line)
    if options.write:
        put(BEGIN, END, "\n".join(table))


if __name__ == "__main__":
    main()
