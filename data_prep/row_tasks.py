"""Writes tasks of a table of several targets: sets of 64 rows, some of which are to be given.

A sequence of the store is a task, a frame one of its rows: inputs are its context, targets its
values, in the owner's units. Tasks of a split are of that split's rows alone.

| set | inputs | targets | rows | a task is |
|---|---:|---:|---:|---|
| wq | 16 | 14 | 1,060 | 64 rows at random |
| sarcos | 21 | 7 | 4,449 | 64 rows that follow each other, of stretches of 128 |
| rf1 | 64 | 8 | 9,005 | 64 rows that follow each other, of stretches of 256 |

- **Rows at random** (wq). 70, 10 and 20 % of the rows, drawn with the seed as in
  ``data_prep.multi_target``, are for training, validation and the test. A pass puts the rows of a
  split in a random order and cuts it into sets; what is left behind the last whole set sits out
  that pass. There are 200 passes over those for training and 20 over the others: tasks of the test
  share rows, so that errors over tasks say how much depends on what is given and asked, and not how
  a test of other rivers would turn out. Neighbours in the file are more alike than others (their
  mean squared distance is 1.29, 2 of any two, in standard units): a random test lies between them.
- **Stretches** (sarcos, rf1). Rows of rf1 are hours of two stretches of time; those of sarcos were
  drawn from movements and left in their order (mean squared distance of neighbours 0.20 and 1.00).
  Rows that follow each other are cut into stretches, 70, 10 and 20 % of which, drawn with the seed,
  are for training, validation and the test; a rest that is shorter than a task is left out. Tasks
  for training begin at every 8th row of a stretch, the others follow each other without overlap. A
  stretch of the test lies between two others: it says how well gaps of days, or of a movement, are
  filled, and nothing of a later year. Near a cut, targets of rf1, which are two days ahead, are
  inputs on its other side.
- **Missing.** Rows of rf1 that lack anything are left out, and counted, and no task reaches over
  the hole.

    python -m data_prep.row_tasks --set wq --out data/wq_tasks.h5

Sources are those of ``data_prep.multi_target`` and ``data_prep.sarcos`` (the test file).
"""

from __future__ import annotations

__all__ = ["ROWS", "STRETCHES", "prepare", "random_sets", "stretches", "windows"]

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_prep import multi_target, sarcos
from data_prep.rows import split_rows
from data_prep.sources import command_line, origin, run
from seqmdn.data import SPLITS, StoreWriter

ROWS = 64  # of a task
STRETCHES: dict[str, int | None] = {"wq": None, "sarcos": 128, "rf1": 256}  # rows of one
PASSES = {"train": 200, "valid": 20, "test": 20}
EVERY = {"train": 8, "valid": ROWS, "test": ROWS}  # rows between beginnings of tasks

Rows = NDArray[np.int64]


def prepare(source: Path, out: Path, which: str = "wq", seed: int = 0) -> list[str]:
    """Writes the store; says how many tasks and rows there are, and what was left out.

    Args:
        source: The folder that holds ``multi_target`` and ``sarcos``, or that of the two.
        out: The file to write.
        which: The set.
        seed: Of the split and of what is drawn at random.

    Raises:
        FileNotFoundError: If the set's file is missing.
        ValueError: If there is no such set, its file is another or has too few rows.
    """
    if which not in STRETCHES:
        raise ValueError(f"expected a set of {', '.join(STRETCHES)}, found {which!r}")
    path, values, names, inputs = _read(source, which)
    whole = ~np.isnan(values).any(1)
    length = STRETCHES[which]
    if length is None:
        kept = np.flatnonzero(whole)
        pieces = [kept[[row]] for row in range(len(kept))]
    else:
        pieces = stretches(whole, length)
    splits = np.array(split_rows(len(pieces), seed)) if pieces else np.empty(0, str)
    tasks: dict[str, list[Rows]] = {}
    for number, split in enumerate(SPLITS):
        own = [piece for piece, of in zip(pieces, splits, strict=True) if of == split]
        if length is None:
            rng, rows = np.random.default_rng([seed, number]), np.concatenate([*own, []])
            tasks[split] = list(random_sets(rows.astype(np.int64), PASSES[split], rng))
        else:
            tasks[split] = [task for piece in own for task in windows(piece, EVERY[split])]
    counts = [len(tasks[split]) for split in SPLITS]
    if not all(counts):
        raise ValueError(
            f"{path}: expected rows for a task of {ROWS} for training, validation and the test, "
            f"found {'/'.join(map(str, counts))} tasks of {int(whole.sum())} rows: give all of it"
        )
    used = {split: len(np.unique(np.concatenate(tasks[split]))) for split in SPLITS}
    left_out = int((~whole).sum())
    with StoreWriter(
        out,
        names[inputs:],
        name=f"{which}_tasks",
        unit="owner's units",
        context=names[:inputs],
        step="row",
        source=[origin(path)],
        licence=sarcos.LICENCE if which == "sarcos" else multi_target.LICENCE,
        command=f"python -m data_prep.row_tasks --source $SEQMDN_DATA --set {which} --seed {seed}",
        attributes={
            "sequence": "task",
            "seed": seed,
            "split_by": "random" if length is None else f"stretches of {length} rows",
            "left_out": left_out,
        },
    ) as writer:
        for split in SPLITS:
            for task in tasks[split]:
                writer.append(values[task, inputs:], split, context=values[task, :inputs])
    return [
        f"{left_out} rows that lack something left out",
        f"{'/'.join(map(str, counts))} tasks of {ROWS} rows for training, validation and the "
        f"test, of {'/'.join(str(used[split]) for split in SPLITS)} rows",
    ]


def random_sets(rows: Rows, passes: int, rng: np.random.Generator) -> Iterator[Rows]:
    """Yields sets of 64 rows, pass after pass, in each of which a row is once at most.

    Example:
        >>> sets = list(random_sets(np.arange(150), 3, np.random.default_rng(0)))
        >>> len(sets), len(np.unique(np.concatenate(sets[:2])))
        (6, 128)
    """
    for _ in range(passes):
        order = rng.permutation(rows)
        for first in range(0, len(order) - ROWS + 1, ROWS):
            yield order[first : first + ROWS]


def stretches(whole: NDArray[np.bool_], length: int) -> list[Rows]:
    """Cuts rows that follow each other, without those that are left out, into stretches.

    Args:
        whole: (N,), False where a row is left out.
        length: Rows of a stretch; a last one may have fewer, but enough for a task.

    Example:
        >>> whole = np.arange(300) != 100
        >>> [(part[0].item(), len(part)) for part in stretches(whole, 80)]
        [(0, 80), (101, 80), (181, 80)]
    """
    kept = np.flatnonzero(whole)
    runs = np.split(kept, np.flatnonzero(np.diff(kept) > 1) + 1)
    parts = [run[first : first + length] for run in runs for first in range(0, len(run), length)]
    return [part for part in parts if len(part) >= ROWS]


def windows(stretch: Rows, every: int) -> list[Rows]:
    """Gives tasks of rows that follow each other, beginning at every so many of a stretch.

    Example:
        >>> [task[0].item() for task in windows(np.arange(7, 87), every=8)]
        [7, 15, 23]
    """
    return [stretch[first : first + ROWS] for first in range(0, len(stretch) - ROWS + 1, every)]


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    layout = "multi_target/SET.arff and sarcos/sarcos_inv_test.mat"
    parser = command_line("row_tasks", "tasks of rows of a table", layout, folder=".")
    parser.add_argument(
        "--set", dest="which", choices=list(STRETCHES), default="wq", help="default: %(default)s"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the split, default: %(default)s"
    )
    run(parser, prepare, arguments)


def _read(source: Path, which: str) -> tuple[Path, NDArray[np.float64], list[str], int]:
    """Gives file, rows, the names of their columns, and how many of these are inputs."""
    name = "sarcos" if which == "sarcos" else "multi_target"
    folder = source / name if (source / name).is_dir() else source
    if which == "sarcos":
        rows = sarcos.read_movements(folder)
        path = folder / f"{sarcos.TEST}.mat"
        return path, rows, [*sarcos.INPUTS, *sarcos.TARGETS], len(sarcos.INPUTS)
    path, found = multi_target.read_set(folder, which)
    return path, found.values, found.names, multi_target.SETS[which][0]


if __name__ == "__main__":
    main()
