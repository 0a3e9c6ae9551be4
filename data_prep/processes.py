r"""Functions that are drawn from Gaussian processes, and what is known of them point by point.

.. math:: k_\text{rbf}(r) = s^2 e^{-r^2 / 2 \ell^2}, \qquad
    k_\text{matern}(r) = s^2 (1 + q + q^2 / 3) e^{-q}, \quad q = \sqrt5 \, r / \ell, \qquad
    k_\text{periodic}(r) = s^2 e^{-2 \sin^2(\pi r / p)} e^{-r^2 / 18 \ell^2}

with distance r, length :math:`\ell`, scale s and, of the weakly periodic one, period p.

Gaussian Processes for Machine Learning (Rasmussen, Williams, 2006), for kernels and prediction.
"""

from __future__ import annotations

__all__ = [
    "KERNELS",
    "NOISE",
    "POINTS",
    "Process",
    "draw_tasks",
    "log_density",
    "marginal_log_density",
    "predictive",
]

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

KERNELS = ("rbf", "periodic", "matern")
POINTS, REACH = 64, 2.0
LENGTHS, SCALES, PERIODS = (0.1, 0.6), (0.1, 1.0), (0.5, 1.0)
NOISE = 0.02  # standard deviation

Array = NDArray[np.float64]


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
) -> tuple[Array, Array, list[Process], Array]:
    """Draws tasks: places (N, 64), values (N, 64), what each is drawn from, and signs (N, 64).

    Args:
        rng: Where chance comes from.
        count: N.
        kernels: One of these for each task, all as likely.
        offset: How far a point is above or below the function, as its sign of 1 or -1 says.
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
    signs = rng.choice((-1.0, 1.0), y.shape)
    rows = zip(chosen.tolist(), *(part.tolist() for part in numbers), strict=True)
    processes = [
        Process(kernels[k], length, scale, period if kernels[k] == "periodic" else 0.0, offset)
        for k, length, scale, period in rows
    ]
    return x, y + offset * signs, processes, signs


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


def log_density(
    process: Process, x: Array, y: Array, given: int, signs: Array | None = None
) -> Array:  # (T - given,)
    """Gives the log-density of each point behind the first ones, which are given, in nats.

    Of a process with an offset, it is the density for who is told on which side of the function
    each given point is. On average, that is no less than of who has to find out.

    Args:
        process: What the task is drawn from.
        x: Places (T,).
        y: Values (T,).
        given: How many points are given.
        signs: 1 where a point is above, -1 where below (T,); of points that are asked for, unread.

    Raises:
        ValueError: If points have an offset, and their signs are not there.
    """
    values, offset = y[:given], process.offset
    if signs is not None:
        values, process = values - offset * signs[:given], process._replace(offset=0.0)
    mean, variance = predictive(process, x[:given], values, x[given:])

    def of(side: float) -> Array:
        square = (y[given:] - mean - side * offset) ** 2 / variance
        return np.asarray(-0.5 * (square + np.log(2 * np.pi * variance)))

    return np.logaddexp(of(1), of(-1)) - np.log(2) if offset else of(0)


def marginal_log_density(
    kernel: str, x: Array, y: Array, draws: int, rng: np.random.Generator
) -> float:
    """Estimates the log-density of a task's points, all of them, given no more than its kernel.

    Length, scale and period are integrated out by draws; the estimate of the density, not of its
    logarithm, is unbiased.

    Args:
        kernel: One of ``KERNELS``.
        x: Places (T,).
        y: Values (T,), without an offset.
        draws: Processes over which the mean is taken.
        rng: Where chance comes from.
    """
    numbers = [rng.uniform(*bounds, (draws, 1, 1)) for bounds in (LENGTHS, SCALES, PERIODS)]
    whole = _kernel(kernel, x[:, None] - x, *numbers) + NOISE**2 * np.eye(len(x))
    root = np.linalg.cholesky(whole)
    whitened = np.linalg.solve(root, np.broadcast_to(y[:, None], (draws, len(y), 1)))[..., 0]
    log_root = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(1)
    each = -0.5 * (whitened**2).sum(1) - log_root - 0.5 * len(y) * np.log(2 * np.pi)
    return float(np.logaddexp.reduce(each) - np.log(draws))


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
