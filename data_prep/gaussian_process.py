r"""Writes tasks: functions drawn from Gaussian processes, some of whose points are to be given.

Each task is one function. Its kernel (``data_prep.processes``) is a squared exponential, a Matern
5/2 or a weakly periodic one, with length :math:`\ell \sim U(0.1, 0.6)`, scale
:math:`s \sim U(0.1, 1)` and period :math:`p \sim U(0.5, 1)`. It is looked at in 64 places,
:math:`x \sim U(-2, 2)`, with noise of 0.02. A sequence of the store is a task, a frame one of its
points, the context says where.

- **Truth.** The text of a task says which process it is from
  (``rbf length=0.25 scale=0.5 offset=0.0``), so that the density of the points that are asked for,
  given the others, is known. Where 3 to 46 points are given (``GivenPoints()``), what it scores on
  validation and test tasks is in the attributes ``limit_valid`` and ``limit_test``, in nats a
  point: the mean over tasks of each one's mean over the points that are asked for.
- **Two branches.** With ``--offset a``, each point is a above or below the function, one as likely
  as the other: no single Gaussian is near the density of such a point. Then the limit is the
  density for who is told on which side each given point is: a bound that nobody may reach.

    python -m data_prep.gaussian_process --out data/gaussian_process.h5
    python -m data_prep.gaussian_process --kernels rbf --offset 1 --out data/bimodal.h5
"""

from __future__ import annotations

__all__ = ["COUNTS", "RULE", "write_tasks"]

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_prep.processes import KERNELS, POINTS, Process, draw_tasks, log_density
from seqmdn.data import SPLITS, GivenPoints, Store, StoreWriter

COUNTS = (48_000, 600, 3_000)  # tasks for training, validation and the test
RULE = GivenPoints()  # of the points that limits are of

Array = NDArray[np.float64]

_AT_ONCE = 1000  # tasks: their covariances take 33 MB


def write_tasks(
    out: Path,
    counts: Sequence[int] = COUNTS,
    kernels: Sequence[str] = KERNELS,
    offset: float = 0.0,
    seed: int = 0,
) -> list[str]:
    """Writes the store; says how many tasks there are. Each part is drawn by itself.

    Args:
        out: The file to write.
        counts: Tasks for training, validation and the test.
        kernels: One of these for each task.
        offset: How far a point is above or below the function.
        seed: Of the draw.

    Raises:
        ValueError: If a part has no tasks, a kernel is unknown or twice there, the offset or the
            seed is negative.
    """
    if min(counts) < 1 or seed < 0 or not 0 <= offset < np.inf:
        raise ValueError(
            f"expected 1 task or more for each part, an offset and a seed of 0 or more, found "
            f"{'/'.join(map(str, counts))} tasks, offset {offset:g}, seed {seed}"
        )
    if not kernels or set(kernels) - set(KERNELS) or len(set(kernels)) < len(kernels):
        raise ValueError(f"expected kernels of {KERNELS}, each once, found {tuple(kernels)}")
    words = [f"--{split} {count}" for split, count in zip(SPLITS, counts, strict=True)]
    writer = StoreWriter(
        out,
        ["y"],
        name="bimodal" if offset else "gaussian_process",
        unit="one",
        context=["x"],
        step="point",
        licence="none needed: random numbers",
        command=f"python -m data_prep.gaussian_process {' '.join(words)} "
        f"--kernels {' '.join(kernels)} --offset {offset:g} --seed {seed}",
        attributes={"seed": seed, "split_by": "draw", "sequence": "task"},
    )
    index, limits = 0, {"limit_points": str(RULE)}
    with writer:
        for number, (split, count) in enumerate(zip(SPLITS, counts, strict=True)):
            rng, scores = np.random.default_rng([seed, number]), []
            for first in range(0, count, _AT_ONCE):
                drawn = draw_tasks(rng, min(_AT_ONCE, count - first), kernels, offset)
                for x, y, process, signs in zip(*drawn, strict=True):
                    writer.append(y[:, None], split, x[:, None], process.write())
                    if split != "train":
                        asked = RULE.scored(split, index, POINTS)
                        scores.append(_score(process, x, y, signs, *asked))
                    index += 1
            if scores:
                limits[f"limit_{split}"] = -float(np.mean(scores))
        writer.add_attributes(limits)
    told = ", told on which side given points are" if offset else ""
    return [
        "/".join(map(str, counts)) + " tasks for training, validation and the test",
        f"the processes they were drawn from{told}: {limits['limit_test']:.4f} nats/point (test)",
    ]


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m data_prep.gaussian_process",
        description="Write tasks of Gaussian processes as one HDF5 store.",
    )
    add = parser.add_argument
    add("--out", type=Path, default=Path("data/gaussian_process.h5"), help="default: %(default)s")
    for split, count in zip(SPLITS, COUNTS, strict=True):
        add(f"--{split}", type=int, default=count, help="number of tasks, default: %(default)s")
    add("--kernels", nargs="+", choices=KERNELS, default=list(KERNELS), help="one for each task")
    add("--offset", type=float, default=0.0, help="of a point, up or down, default: %(default)s")
    add("--seed", type=int, default=0, help="seed of the draw, default: %(default)s")
    options = parser.parse_args(arguments)
    counts = [getattr(options, split) for split in SPLITS]
    try:
        said = write_tasks(options.out, counts, options.kernels, options.offset, options.seed)
    except (OSError, ValueError) as error:
        sys.exit(f"data_prep.gaussian_process: {error}")
    print("\n".join([*said, f"wrote {Store(options.out)}"]))


def _score(
    process: Process, x: Array, y: Array, signs: Array, order: NDArray[np.int64], given: int
) -> float:
    """Gives the mean log-density of the points that are asked for, at what the store holds."""
    x, y = (part.astype(np.float32).astype(np.float64)[order] for part in (x, y))
    return float(log_density(process, x, y, given, signs[order]).mean())


if __name__ == "__main__":
    main()
