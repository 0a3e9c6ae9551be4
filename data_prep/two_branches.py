r"""Draws two branches that are equally likely: y = x + 1 or y = -x - 1, with noise.

.. math:: x \sim U(0, 1), \qquad
    p(y | x) = \tfrac12 N(y; x + 1, 0.1^2) + \tfrac12 N(y; -x - 1, 0.1^2)

The branches are at least 20 standard deviations apart, so that the entropy of y given x is that of
a coin and of a Gaussian, :math:`\log 2 + \tfrac12 \log(2 \pi e \, 0.1^2) = -0.1905` nats: what the
best model scores on average. The mean of y given x is 0, where y never is.

    python -m data_prep.two_branches --out data/two_branches.h5
"""

from __future__ import annotations

__all__ = ["ENTROPY", "KNOWN", "NOISE"]

import numpy as np
from numpy.typing import NDArray

from data_prep.known import Known, mixture_log_density, run_known

NOISE = 0.1
ENTROPY = float(np.log(2) + 0.5 * np.log(2 * np.pi * np.e * NOISE**2))

Array = NDArray[np.float64]


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    run_known(KNOWN, "two branches with noise", arguments)


def _draw(rng: np.random.Generator, count: int) -> tuple[Array, Array]:
    x = rng.uniform(0, 1, (count, 1))
    side = rng.choice([-1.0, 1.0], (count, 1))
    return x, side * (x + 1) + NOISE * rng.standard_normal((count, 1))


def _log_density(x: Array, y: Array) -> Array:
    means = np.stack([x + 1, -x - 1], axis=1)  # (N, 2, 1)
    return mixture_log_density(y, np.full((len(x), 2), 0.5), means, np.full(1, NOISE**2))


KNOWN = Known("two_branches", ["x"], ["y"], "one", _draw, _log_density)


if __name__ == "__main__":
    main()
