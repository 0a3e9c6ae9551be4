r"""Draws Bishop's inverse problem: x, given y = x + 0.3 sin(2 pi x) + noise.

.. math:: x \sim U(0, 1), \qquad y = x + 0.3 \sin(2 \pi x) + \epsilon,
    \quad \epsilon \sim N(0, 0.03^2)

The input is y and the target is x: one x gives one y, but one y comes from up to three x, near 0.2,
0.5 and 0.8 for y = 0.5. By Bayes' rule,

.. math:: p(x | y) = \frac{N(y; g(x), 0.03^2)}{\int_0^1 N(y; g(u), 0.03^2) \, du},
    \qquad g(x) = x + 0.3 \sin(2 \pi x), \quad 0 \le x \le 1,

whose integral is a sum over 400 nodes of Gauss and Legendre, exact to float64.

    python -m data_prep.inverse_sine --out data/inverse_sine.h5

Mixture density networks (Bishop, 1994), https://publications.aston.ac.uk/id/eprint/373
"""

from __future__ import annotations

__all__ = ["KNOWN", "NOISE", "curve"]

import numpy as np
from numpy.typing import NDArray

from data_prep.known import Known, run_known

NOISE, SWING = 0.03, 0.3

Array = NDArray[np.float64]

_NODES = 400
_ROWS = 2000  # at a time: the nodes of all rows would be tens of megabytes


def curve(x: Array) -> Array:
    """Gives y without noise."""
    return x + SWING * np.sin(2 * np.pi * x)


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    run_known(KNOWN, "Bishop's inverse of a sine", arguments)


def _draw(rng: np.random.Generator, count: int) -> tuple[Array, Array]:
    x = rng.uniform(0, 1, (count, 1))
    return curve(x) + NOISE * rng.standard_normal((count, 1)), x


def _log_density(y: Array, x: Array) -> Array:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    expected = curve(0.5 * (nodes + 1))  # (nodes,)
    evidence = [
        np.logaddexp.reduce(_log_normal(part, expected) + np.log(0.5 * weights), axis=-1)
        for part in np.split(y, range(_ROWS, len(y), _ROWS))
    ]
    inside = (x[:, 0] >= 0) & (x[:, 0] <= 1)
    found = _log_normal(y[:, 0], curve(x[:, 0])) - np.concatenate(evidence)
    return np.where(inside, found, -np.inf)


def _log_normal(values: Array, means: Array) -> Array:
    return -0.5 * ((values - means) / NOISE) ** 2 - np.log(NOISE) - 0.5 * np.log(2 * np.pi)


KNOWN = Known("inverse_sine", ["y"], ["x"], "one", _draw, _log_density)


if __name__ == "__main__":
    main()
