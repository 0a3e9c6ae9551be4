"""Train with several processes: `python -m benchmarks.processes [--rounds 3] [--write]`.

The same training, of batches of the same size, by one process, by one with two threads, and by two
with one thread each that share every batch (`--trainer.strategy ddp`, gloo). Each is a command
`seqmdn fit` of its own, by turns; the steps are timed from one validation to another, so that a
start and a first step do not count. `--write` puts the table into benchmarks/README.md as well.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.corpus import write_corpus
from benchmarks.density import hardware
from benchmarks.readme import put
from data_prep import digits
from seqmdn.runs import learning_clock

__all__ = ["WAYS", "Way", "step_seconds"]

BEGIN, END = "<!-- begin: python -m benchmarks.processes -->", "<!-- end: benchmarks.processes -->"
RECIPES = Path(__file__).parent.parent / "recipes"
HEADER = (
    "| model | a batch | processes | threads each | ms a step | throughput, against one thread |"
)


class Way(NamedTuple):
    """How a training is computed."""

    processes: int
    threads: int


WAYS = (Way(1, 1), Way(1, 2), Way(2, 1))


class Work(NamedTuple):
    """What is trained, and on how many sequences a step."""

    recipe: str
    batch: int
    steps: int
    """Steps between two validations."""


WORKS = (
    Work("speech/kathleen", 12, 15),
    Work("speech/kathleen", 96, 4),
    Work("pixels/digits", 64, 100),
)


def step_seconds(work: Work, store: Path, out: Path, way: Way) -> float:
    """Train by the command, and return what a step took, in seconds of the wall clock.

    Raises:
        RuntimeError: If the training failed; the message ends with its last words.
    """
    folder = RECIPES / work.recipe
    options = {
        "data.path": store,
        "data.prepare": "null",
        "data.batch_size": work.batch,
        "trainer.max_steps": 3 * work.steps,
        "trainer.val_check_interval": work.steps,
        "trainer.limit_val_batches": 1,
        "trainer.accelerator": "cpu",
        "trainer.devices": way.processes,
        "out": out,
    }
    words = ["-c", folder / "base.yaml", "-c", folder / "rmdn.yaml"]
    words += [word for key, value in options.items() for word in (f"--{key}", value)]
    if way.processes > 1:
        words += ["--trainer.strategy", "ddp"]
    found = subprocess.run(
        [sys.executable, "-m", "seqmdn", "fit", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=RECIPES.parent,
        env=os.environ | {"OMP_NUM_THREADS": str(way.threads)},
    )
    if found.returncode:
        raise RuntimeError(f"{work} by {way} ended with {found.returncode}: {found.stderr[-1000:]}")
    steps, seconds = learning_clock(out)
    return (seconds[-1] - seconds[0]) / (steps[-1] - steps[0])


def rows(work: Work, store: Path, folder: Path, rounds: int) -> list[str]:
    """Time a training in all ways by turns, and return a line of the table for each."""
    found: dict[Way, list[float]] = {way: [] for way in WAYS}
    for number in range(rounds):
        for way in WAYS:
            out = folder / f"{work.recipe}-{work.batch}-{way.processes}-{way.threads}-{number}"
            found[way].append(step_seconds(work, store, out, way))
    lines = []
    for way, own in found.items():
        ratio = statistics.median(one / this for one, this in zip(found[WAYS[0]], own, strict=True))
        cells = [
            f"{work.recipe}, rmdn",
            f"{work.batch}",
            f"{way.processes}",
            f"{way.threads}",
            f"{1000 * statistics.median(own):.0f}",
            f"{ratio:.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    options = parser.parse_args(arguments)
    lines = [HEADER, "|---" * (HEADER.count("|") - 1) + "|"]
    print("\n".join(lines), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stores = {"speech/kathleen": folder / "noise.h5", "pixels/digits": folder / "digits.h5"}
        write_corpus(stores["speech/kathleen"], 1.0, distinct=0.5, scored=16)
        digits.prepare(stores["pixels/digits"])
        for work in WORKS:
            own = rows(work, stores[work.recipe], folder, options.rounds)
            print("\n".join(own), flush=True)
            lines += own
    if options.write:
        table = "\n".join(lines)
        put(BEGIN, END, f"{hardware()}\n\n{table}")


if __name__ == "__main__":
    main()
