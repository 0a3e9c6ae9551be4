"""Measure mixture density regression: `python -m benchmarks.regression [--write]`.

Ours beside the mixtures of zuko and of torch.distributions, behind the same network: the recipes of
two sets of several targets, their data, network, optimiser, budget and choice of the best step,
with another head. `--write` puts the table into benchmarks/README.md as well. The data are those
that SEQMDN_DATA names; their stores are written where the recipes have them.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from benchmarks.density import hardware
from benchmarks.measure import Comparison, Work, compare, peak_memory
from benchmarks.readme import put
from seqmdn.comparison import Cell, Task, plan, summarise
from seqmdn.configuration import fit_parser
from seqmdn.data import Batch, SequenceDataModule
from seqmdn.models import DensityModel
from seqmdn.runs import fit, score

BEGIN = "<!-- begin: python -m benchmarks.regression -->"
END = "<!-- end: benchmarks.regression -->"
RECIPES = Path(__file__).parents[1] / "recipes/regression"
SETS = {"wq": "multi_target", "sarcos": "sarcos"}
HEADER = (
    "| data | head | parameters | test NLL, nats/row | minus D + UU' | training NLL"
    " | fit, s | step, ms | by ours | the same, processor | step, MB |"
)
DIAGONAL, LOWRANK = "mdn", "mdn_lowrank"
STEPS = 20  # of training, that are timed together


@dataclass(frozen=True)
class Head:
    """One line of the table.

    Attributes:
        name: What the table calls it.
        cell: The model's name in the recipe, or that of a file that is made beside it.
        kind: Class of another library's head; ours stands in the recipe.
        beside: The model of ours whose components it has as many of, and whose step its own is
            compared with.
    """

    name: str
    cell: str
    kind: str = ""
    beside: str = DIAGONAL

    @property
    def covariance(self) -> str:
        return "diagonal" if self.beside == DIAGONAL else "full"


HEADS = [
    Head("ours, diagonal", DIAGONAL),
    Head("ours, D + UU'", LOWRANK, beside=LOWRANK),
    Head("`zuko.mixtures.GMM`, diagonal", "zuko_diagonal", "ZukoMixture"),
    Head("`zuko.mixtures.GMM`, full", "zuko_full", "ZukoMixture", LOWRANK),
    Head("`MixtureSameFamily`, `Independent(Normal)`", "torch_diagonal", "TorchMixture"),
    Head("`MixtureSameFamily`, `MultivariateNormal`", "torch_full", "TorchMixture", LOWRANK),
]


def tasks_of(recipe: Path, seeds: int, folder: Path, words: Sequence[str] = ()) -> list[Task]:
    """Return the fits of all heads on a recipe, seed by seed and head by head.

    Args:
        recipe: The recipe's folder.
        seeds: How often each is fitted.
        folder: Where the files of the other heads and all runs go.
        words: More options of `seqmdn fit`, for all.
    """
    own = {
        task.model: task.config.model.init_args.head.init_args
        for task in plan(recipe, [DIAGONAL, LOWRANK], 1, folder, words)
    }
    cells = []
    for head in HEADS:
        model = head.cell
        if head.kind:
            settings = {
                "components": own[head.beside].components,
                "covariance": head.covariance,
            }
            if head.kind == "TorchMixture":  # zuko's are exponentials
                settings["positive"] = own[head.beside].positive
            made = {"class_path": f"benchmarks.mixture_heads.{head.kind}", "init_args": settings}
            file = folder / f"{head.cell}.yaml"
            file.write_text(yaml.safe_dump({"model": {"init_args": {"head": made}}}))
            model = str(file)
        cells.append(Cell(head.cell, model))
    return sorted(plan(recipe, cells, seeds, folder, words), key=lambda task: task.seed)


def fitted(recipe: Path, tasks: Iterable[Task]) -> tuple[dict[str, Any], dict[str, float]]:
    """Fit all heads; return what `summarise` makes of them, and the mean NLL in training.

    The differences are those to D + UU', row by row.
    """
    metrics, training = {}, {}
    for task in tasks:
        run = fit(task.config, task.out)
        metrics[task] = json.loads((task.out / "metrics.json").read_text())
        training[task] = score(run, "train")["nll"]
        print(f"{task.name}: {metrics[task]['nll']:.3f}", flush=True)
    pairs = [(head.cell, LOWRANK) for head in HEADS if head.cell != LOWRANK]
    means = {
        head.cell: float(np.mean([nll for t, nll in training.items() if t.model == head.cell]))
        for head in HEADS
    }
    return summarise(recipe, metrics, "python -m benchmarks.regression", pairs=pairs), means


def training_step(task: Task) -> Work:
    """Return steps of a head's training, from a batch at hand to the moved weights."""
    made = fit_parser().instantiate(task.config)
    data: SequenceDataModule = made.data
    data.prepare_data()
    data.setup()
    torch.manual_seed(0)
    model: DensityModel = made.model(data.features, data.context)
    model.initialise(*data.sample())
    batch: Batch = next(iter(data.train_dataloader()))
    parameters = list(model.parameters())
    optimizer = made.training.optimizer([{"params": parameters}])

    def work() -> None:
        for _ in range(STEPS):
            model.loss(batch).backward()
            torch.nn.utils.clip_grad_norm_(parameters, made.trainer.gradient_clip_val or torch.inf)
            optimizer.step()
            optimizer.zero_grad()

    return work


def timed(tasks: Iterable[Task], repeats: int) -> Iterator[tuple[str, Comparison, int]]:
    """Time each head's step and that of the one of ours beside it by turns.

    Gives the cell, both times, *theirs* being those of the head, and the most bytes that its step
    held.
    """
    steps = {task.model: training_step(task) for task in tasks if task.seed == 0}
    for head in HEADS:
        found = compare(steps[head.beside], steps[head.cell], repeats)
        yield head.cell, found, peak_memory(steps[head.cell])


def lines(
    name: str,
    result: Mapping[str, Any],
    training: Mapping[str, float],
    steps: Iterable[tuple[str, Comparison, int]],
) -> list[str]:
    """Return the lines of one data set, one a head."""
    heads = {head.cell: head for head in HEADS}
    made = []
    for cell, found, memory in steps:
        entry = result["models"][cell]
        pair = result["paired"].get(f"{cell} - {LOWRANK}")
        cells = [
            name,
            heads[cell].name,
            f"{entry['params']:,}",
            f"{entry['nll']:.3f} ± {entry['stderr']:.3f}",
            "" if pair is None else f"{pair['delta']:+.3f} ± {pair['stderr']:.3f}",
            f"{training[cell]:.3f}",
            f"{entry['seconds']:.1f}",
            f"{1e3 * found.theirs / STEPS:.2f}",
            f"{found.ratio:.2f}" if heads[cell].kind else "",
            f"{found.ratio_processor:.2f}" if heads[cell].kind else "",
            f"{memory / 1e6:.2f}",
        ]
        made.append("| " + " | ".join(cells) + " |")
    return made


def measure(sets: Sequence[str], seeds: int, repeats: int, words: Sequence[str]) -> list[str]:
    """Return the table, printing each set's lines once they are measured."""
    table = [HEADER, "|---" * (HEADER.count("|") - 1) + "|"]
    for name in sets:
        recipe = RECIPES / SETS[name]
        with tempfile.TemporaryDirectory() as folder:
            tasks = tasks_of(recipe, seeds, Path(folder), words)
            result, training = fitted(recipe, tasks)
            table += lines(name, result, training, timed(tasks, repeats))
        print("\n".join(table), flush=True)
    return table


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), help="which data")
    parser.add_argument("--seeds", type=int, default=3, help="fits of each head")
    parser.add_argument("--repeats", type=int, default=15, help="pairs of measurements of steps")
    parser.add_argument("--steps", type=int, help="of a fit, for a trial; the recipe's by default")
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    # The libraries' advertisements and advice, once a fit, are no part of a table.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for category in (UserWarning, FutureWarning):
        warnings.filterwarnings("ignore", category=category, module="lightning")
    words = [] if options.steps is None else ["--trainer.max_steps", str(options.steps)]
    about = (
        f"{hardware()}\nOne thread, {options.seeds} fits of each head, {options.repeats} pairs a"
        f" row{'' if options.steps is None else f', a trial of {options.steps} steps'}."
    )
    print(about, end="\n\n")
    table = measure(options.sets, options.seeds, options.repeats, words)
    if options.write:
        put(BEGIN, END, "\n".join([about, "", *table]))


if __name__ == "__main__":
    main()
