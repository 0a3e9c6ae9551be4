r"""Draws tasks from Gaussian processes: points of functions, some to be given, others to be told.

Each task is one function, drawn from a process whose kernel is one of

.. math:: k_\text{rbf}(r) = s^2 e^{-r^2 / 2 \ell^2}, \qquad
    k_\text{matern}(r) = s^2 (1 + q + q^2 / 3) e^{-q}, \quad q = \sqrt5 \, r / \ell, \qquad
    k_\text{periodic}(r) = s^2 e^{-2 \sin^2(\pi r / p)} e^{-r^2 / 18 \ell^2}

with distance r, length :math:`\ell \sim U(0.1, 0.6)`, scale :math:`s \sim U(0.1, 1)` and, of the
weakly periodic one, period :math:`p \sim U(0.5, 1)`. It is looked at in 64 places,
:math:`x \sim U(-2, 2)`, with noise of 0.02. A sequence of the store is a task, a frame one of its
points, the context says where. Its text says which process it is from
(``rbf length=0.25 scale=0.5 offset=0.0``), so that the density of the points that are asked for,
given the others, is known: ``predictive``.

With ``--offset a``, each point is a above or below the function, one as likely as the other: no
single Gaussian is near the density of such a point.

    python -m data_prep.gaussian_process --out data/gaussian_process.h5
    python -m data_prep.gaussian_process --kernels rbf --offset 1 --out data/bimodal.h5

Gaussian Processes for Machine Learning (Rasmussen, Williams, 2006), for kernels and prediction.
"""

from __future__ import annotations

__all__ = ["COUNTS", "KERNELS", "NOISE", "Process", "draw_tasks", "predictive", "write_tasks"]

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from seqmdn.data import SPLITS, Store, StoreWriter

KERNELS = ("rbf", "periodic", "matern")
COUNTS = (48_000, 600, 3_000)  # tasks for training, validation and the test
POINTS, REACH = 64, 2.0
LENGTHS, SCALES, PERIODS = (0.1, 0.6), (0.1, 1.0), (0.5, 1.0)
NOISE = 0.02  # standard deviation

Array = NDArray[np.float64]

_AT_ONCE = 1000  # tasks: their covariances take 33 MB


class Process(NamedTuple):
    """The process that a task is drawn from.

    Example:
        >>> Process.read("matern length=0.5 scale=1.0 offset=0.0")
        Process(kernel='matern', length=0.5, scale=1.0, period=0.0, offset=0.0)
        >>> Process("rbf", 0.5, 1.0).covariance(np.zeros(1), np.array([0.0, 1.0])).round(3)
        array([[1.   , 0.135]])
    """

    kernel: str
    length: float
    scale: float
    period: float = 0.0  # of the periodic one
    offset: float = 0.0

    def covariance(self, one: Array, other: Array) -> Array:  # (N,), (M,) -> (N, M)
        """Gives the kernel of the function at places x, without noise."""
        return _kernel(self.kernel, one[:, None] - other, self.length, self.scale, self.period)

    def write(self) -> str:
        """Gives the words that :meth:`read` understands."""
        numbers = {"length": self.length, "scale": self.scale}
        if self.kernel == "periodic":
            numbers["period"] = self.period
        numbers["offset"] = self.offset
        return " ".join([self.kernel, *(f"{name}={value!r}" for name, value in numbers.items())])

    @classmethod
    def read(cls, text: str) -> Self:
        """Understands the text of a task.

        Raises:
            ValueError: If it is no such text.
        """
        kernel, *words = text.split(" ")
        try:
            numbers = {name: float(value) for name, value in (word.split("=") for word in words)}
            if kernel not in KERNELS:
                raise ValueError
            return cls(kernel, **numbers)
        except (TypeError, ValueError):
            raise ValueError(
                f"expected the text of a task, such as 'rbf length=0.25 scale=0.5 offset=0.0', "
                f"found {text!r}"
            ) from None


def draw_tasks(
    rng: np.random.Generator, count: int, kernels: Sequence[str] = KERNELS, offset: float = 0.0
) -> tuple[Array, Array, list[Process]]:
    """Draws tasks: places (N, 64), values (N, 64), and what each is drawn from.

    Args:
        rng: Where chance comes from.
        count: N.
        kernels: One of these for each task, all as likely.
        offset: How far a point is above or below the function.
    """
    x = rng.uniform(-REACH, REACH, (count, POINTS))
    numbers = [rng.uniform(*bounds, count) for bounds in (LENGTHS, SCALES, PERIODS)]
    length, scale, period = (part[:, None, None] for part in numbers)
    chosen = rng.integers(len(kernels), size=count)
    apart = x[:, :, None] - x[:, None, :]
    whole = np.empty_like(apart)
    for number, kernel in enumerate(kernels):
        own = chosen == number
        whole[own] = _kernel(kernel, apart[own], length[own], scale[own], period[own])
    root = np.linalg.cholesky(whole + NOISE**2 * np.eye(POINTS))
    y = (root @ rng.standard_normal((count, POINTS, 1)))[..., 0]
    y += offset * rng.choice((-1.0, 1.0), y.shape)
    rows = zip(chosen.tolist(), *(part.tolist() for part in numbers), strict=True)
    processes = [
        Process(kernels[k], length, scale, period if kernels[k] == "periodic" else 0.0, offset)
        for k, length, scale, period in rows
    ]
    return x, y, processes


def predictive(process: Process, given: Array, values: Array, asked: Array) -> tuple[Array, Array]:
    """Gives mean and variance of each point that is asked for, noise included, as the truth has it.

    No density of single points, given the others, has a larger expected log-density.

    Args:
        process: What the task is drawn from.
        given: Places (C,) that are given, none at all as well.
        values: What is there (C,).
        asked: Places (M,).

    Returns:
        (M,) and (M,).

    Raises:
        ValueError: If points have an offset: the density is then a mixture of 2 to the C + 1
            Gaussians.

    Example:
        >>> given, asked = np.zeros(1), np.array([0.0, 9.0])
        >>> predictive(Process("rbf", 0.5, 1.0), given, np.ones(1), asked)[0].round(4)
        array([0.9996, 0.    ])
    """
    if process.offset:
        raise ValueError(f"expected a task without an offset, found {process.offset:g}")
    known = process.covariance(given, given) + NOISE**2 * np.eye(len(given))
    between = process.covariance(given, asked)
    weights = np.linalg.solve(known, between)  # (C, M)
    variance = process.scale**2 + NOISE**2 - (weights * between).sum(axis=0)
    return weights.T @ values, variance


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
        attributes={"seed": seed, "split_by": "draw", "sequence": "task", "kind": "points"},
    )
    with writer:
        for number, (split, count) in enumerate(zip(SPLITS, counts, strict=True)):
            rng = np.random.default_rng([seed, number])
            for first in range(0, count, _AT_ONCE):
                drawn = draw_tasks(rng, min(_AT_ONCE, count - first), kernels, offset)
                for x, y, process in zip(*drawn, strict=True):
                    writer.append(y[:, None], split, x[:, None], process.write())
    return ["/".join(map(str, counts)) + " tasks for training, validation and the test"]


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


def _kernel(kernel: str, apart: Array, length: Array, scale: Array, period: Array) -> Array:
    square = (apart / length) ** 2
    if kernel == "rbf":
        shape = np.exp(-0.5 * square)
    elif kernel == "matern":
        q = np.sqrt(5 * square)
        shape = (1 + q + q**2 / 3) * np.exp(-q)
    else:
        shape = np.exp(-2 * np.sin(np.pi * apart / period) ** 2 - square / 18)
    return np.asarray(scale**2 * shape)


if __name__ == "__main__":
    main()
