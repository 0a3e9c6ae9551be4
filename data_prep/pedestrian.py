r"""Draws where a walker will be who passes an obstacle, on its left or on its right.

The walker stands at a place, heads somewhere and sees an obstacle 2 to 5 metres ahead, up to 1
metre off the way; the inputs are these: position x and y, heading as cosine and sine, and the
obstacle's x and y, in metres. The targets are the next 6 positions, half a second apart, as x and y
from the present one, in metres.

With the obstacle d metres ahead and o metres to the left of the way, the walker passes

- on its left with probability 1 / (1 + exp(4 o)), on its right otherwise: rather where less is in
  the way;
- at a distance of 0.8 metres from its middle, or straight on where that is further away:
  at the obstacle, the walker is max(0, o + 0.8) metres to the left, or min(0, o - 0.8);
- along a way that leaves the straight one, and comes back to it, as a bell of width d / 3 does.

The speed is 1.4 metres a second and differs from walker to walker (standard deviation 0.15), the
side step sways, growing with time (0.1 metres a second), and each coordinate is measured with 0.05
metres of noise. So the density is a mixture of two Gaussians with covariance :math:`S + V V^\top`,
of rank 2: all positions of a walker are ahead together, or to the left together.

    python -m data_prep.pedestrian --out data/pedestrian.h5
"""

from __future__ import annotations

__all__ = ["KNOWN", "STEPS", "paths"]

import numpy as np
from numpy.typing import NDArray

from data_prep.known import Known, mixture_log_density, run_known

STEPS, STEP = 6, 0.5  # steps, seconds
SPEED, SPEEDS = 1.4, 0.15  # metres a second
SWAY = 0.1  # metres a second
NOISE = 0.05  # metres
CLEARANCE = 0.8  # metres
AHEAD, ASIDE = (2.0, 5.0), 1.0  # metres
CHOICE = 4.0  # a metre

TIMES = STEP * np.arange(1, STEPS + 1)  # seconds

Array = NDArray[np.float64]


def paths(inputs: Array) -> tuple[Array, Array]:  # (N, 6) -> (N, 2), (N, 2, STEPS, 2)
    """Gives how likely each side is and the mean path on it, from the present position.

    The first is the left of the obstacle.
    """
    along, left = _axes(inputs)
    off = inputs[:, 4:6] - inputs[:, 0:2]
    ahead, aside = (off * along).sum(1), (off * left).sum(1)
    first = 1 / (1 + np.exp(CHOICE * aside))
    passing = np.stack([np.maximum(0, aside + CLEARANCE), np.minimum(0, aside - CLEARANCE)], axis=1)
    way = SPEED * TIMES  # (STEPS,)
    bell = np.exp(-0.5 * ((way - ahead[:, None]) / (ahead[:, None] / 3)) ** 2)  # (N, STEPS)
    steps = passing[:, :, None] * bell[:, None]  # (N, 2, STEPS)
    means = way[:, None] * along[:, None, None] + steps[..., None] * left[:, None, None]
    return np.stack([first, 1 - first], axis=1), means


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    run_known(KNOWN, "walkers who pass an obstacle", arguments)


def _axes(inputs: Array) -> tuple[Array, Array]:  # (N, 2), (N, 2)
    """Gives the directions ahead and to the left."""
    along = inputs[:, 2:4]
    return along, np.stack([-along[:, 1], along[:, 0]], axis=1)


def _factor(inputs: Array) -> Array:  # (N, 2 STEPS, 2)
    """Gives what all positions of a walker have in common: how fast, and how far to the left."""
    along, left = _axes(inputs)
    each = [SPEEDS * TIMES[:, None] * along[:, None], SWAY * TIMES[:, None] * left[:, None]]
    return np.stack(each, axis=-1).reshape(len(inputs), 2 * STEPS, 2)


def _draw(rng: np.random.Generator, count: int) -> tuple[Array, Array]:
    place = rng.uniform(-5, 5, (count, 2))
    heading = rng.uniform(-np.pi, np.pi, count)
    along = np.stack([np.cos(heading), np.sin(heading)], axis=1)
    left = np.stack([-along[:, 1], along[:, 0]], axis=1)
    ahead, aside = rng.uniform(*AHEAD, (count, 1)), rng.uniform(-ASIDE, ASIDE, (count, 1))
    inputs = np.concatenate([place, along, place + ahead * along + aside * left], axis=1)
    weights, means = paths(inputs)
    side = (rng.uniform(size=count) >= weights[:, 0]).astype(np.int64)
    own = _factor(inputs) @ rng.standard_normal((count, 2, 1))
    noise = NOISE * rng.standard_normal((count, 2 * STEPS))
    return inputs, means[np.arange(count), side].reshape(count, -1) + own[..., 0] + noise


def _log_density(inputs: Array, targets: Array) -> Array:
    weights, means = paths(inputs)
    return mixture_log_density(
        targets,
        weights,
        means.reshape(len(inputs), 2, 2 * STEPS),
        np.full(2 * STEPS, NOISE**2),
        _factor(inputs)[:, None],
    )


KNOWN = Known(
    "pedestrian",
    ["x", "y", "heading cos", "heading sin", "obstacle x", "obstacle y"],
    [f"{axis} after {time:g} s" for time in TIMES for axis in "xy"],
    "metre",
    _draw,
    _log_density,
)


if __name__ == "__main__":
    main()
