r"""Draws the angles of an arm of two joints from where its hand is: elbow up, or elbow down.

Links of 1 and 0.8 metres; the hand lies anywhere, evenly, in the half ring of radius 0.4 to 1.6
metres above the shoulder. Two pairs of angles put it there,

.. math:: \theta_2 = \pm \arccos \frac{x^2 + y^2 - l_1^2 - l_2^2}{2 l_1 l_2}, \qquad
    \theta_1 = \operatorname{atan2}(y, x) - \operatorname{atan2}(l_2 \sin \theta_2,
    l_1 + l_2 \cos \theta_2),

one of them, each as likely as the other, is measured with Gaussian noise of 0.05 radians an angle.
The inputs are x and y, the targets are both angles: a mixture of two Gaussians, whose mean puts the
hand where it is not.

    python -m data_prep.robot_arm --out data/robot_arm.h5

The task is that of Mixture density networks (Bishop, 1994).
"""

from __future__ import annotations

__all__ = ["FAR", "KNOWN", "LINKS", "NEAR", "NOISE", "angles", "hand"]

import numpy as np
from numpy.typing import NDArray

from data_prep.known import Known, mixture_log_density, run_known

LINKS = (1.0, 0.8)  # metres
NEAR, FAR = 0.4, 1.6  # metres
NOISE = 0.05  # radians

Array = NDArray[np.float64]


def hand(joints: Array) -> Array:  # (..., 2) -> (..., 2)
    """Gives where the hand is, x and y in metres, for angles in radians.

    The first is that of the upper arm to the horizontal, the second that of the forearm to it.
    """
    first, both = joints[..., 0], joints.sum(-1)
    x = LINKS[0] * np.cos(first) + LINKS[1] * np.cos(both)
    y = LINKS[0] * np.sin(first) + LINKS[1] * np.sin(both)
    return np.stack([x, y], axis=-1)


def angles(place: Array) -> Array:  # (N, 2) -> (N, 2, 2)
    """Gives the two pairs of angles that put the hand there, in radians: elbow down, elbow up.

    Example:
        >>> hand(angles(np.array([[0.3, 1.1]]))).round(9).tolist()
        [[[0.3, 1.1], [0.3, 1.1]]]
    """
    upper, fore = LINKS
    cosine = ((place**2).sum(-1) - upper**2 - fore**2) / (2 * upper * fore)
    second = np.arccos(cosine)[:, None] * [1, -1]  # (N, 2)
    toward = np.arctan2(place[:, 1], place[:, 0])[:, None]
    first = toward - np.arctan2(fore * np.sin(second), upper + fore * np.cos(second))
    return np.stack([first, second], axis=-1)


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    run_known(KNOWN, "the angles of an arm of two joints", arguments)


def _draw(rng: np.random.Generator, count: int) -> tuple[Array, Array]:
    # Even over the area, of which a ring has more the further out it is.
    radius = np.sqrt(rng.uniform(NEAR**2, FAR**2, count))
    toward = rng.uniform(0, np.pi, count)
    place = np.stack([radius * np.cos(toward), radius * np.sin(toward)], axis=1)
    joints = angles(place)[np.arange(count), rng.integers(2, size=count)]
    return place, joints + NOISE * rng.standard_normal((count, 2))


def _log_density(place: Array, joints: Array) -> Array:
    weights = np.full((len(place), 2), 0.5)
    return mixture_log_density(joints, weights, angles(place), np.full(2, NOISE**2))


KNOWN = Known("robot_arm", ["x", "y"], ["angle 1", "angle 2"], "radian", _draw, _log_density)


if __name__ == "__main__":
    main()
