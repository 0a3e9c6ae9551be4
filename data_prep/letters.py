"""Letters as strokes of a pen: thinned, bent, slanted, made larger or smaller."""

from __future__ import annotations

__all__ = ["Letter", "bend_letter", "thin", "vary"]

import numpy as np
from numpy.typing import NDArray

from data_prep.strokes import drop_repeats
from seqmdn.data import simplify

Points = NDArray[np.float64]
Letter = list[Points]  # the points (P, 2) of each stroke


def thin(strokes: Letter, tolerance: float) -> Letter:
    """Leaves away the points that a line through the others passes closely.

    Example:
        >>> thin([np.array([[0.0, 0.0], [1.0, 0.4], [9.0, 0.0]])], 1)[0].tolist()
        [[0.0, 0.0], [9.0, 0.0]]
    """
    return drop_repeats([simplify(stroke, tolerance) for stroke in strokes])[0]


def bend_letter(strokes: Letter, bend: float, rng: np.random.Generator) -> Letter:
    r"""Bends a letter smoothly, so that no two of a person's are the same.

    .. math:: q = (I + b Z) p + \frac{b h}{\sqrt 2} \sum_{w=1}^2 z_w \sin(2 \pi s_w^T p / h + a_w)

    with b the bend, h the letter's height, Z (2, 2) and z (2,) standard normal, slopes s uniform
    within a turn a height, and phases a uniform.

    Args:
        strokes: The points (P, 2) of each stroke.
        bend: b; 0 leaves the letter as it is.
        rng: What draws how it is bent.

    Example:
        >>> bent = bend_letter([np.array([[0.0, 0.0], [5.0, 9.0]])], 0.3, np.random.default_rng(0))
        >>> bent[0].round(1).tolist()
        [[0.7, 1.0], [5.0, 9.2]]
    """
    points = np.concatenate(strokes)
    height = max(float(np.ptp(points[:, 1])), 1.0)
    matrix = np.eye(2) + bend * rng.standard_normal((2, 2))
    # Waves of at least about a letter's length: shorter ones would be a tremor.
    slopes = rng.uniform(-1, 1, (2, 2, 2))  # (axis, wave, 2), turns a height
    phases = rng.uniform(0, 2 * np.pi, (2, 2))
    sizes = bend * height * rng.standard_normal((2, 2)) / np.sqrt(2)
    bent = []
    for stroke in strokes:
        turns = np.einsum("awc,pc->paw", slopes, stroke) / height
        waves = (sizes * np.sin(2 * np.pi * turns + phases)).sum(axis=2)
        bent.append(stroke @ matrix.T + waves)
    return bent


def vary(strokes: list[Points], slant: float, size: float) -> list[Points]:
    """Slants a word about its base line y = 0 and changes its size, in whole units.

    Example:
        >>> [stroke.tolist() for stroke in vary([np.array([[0.0, 0.0], [5.0, 10.0]])], 0.2, 2.0)]
        [[[0.0, 0.0], [14.0, 20.0]]]
    """
    shear = size * np.array([[1.0, 0.0], [slant, 1.0]])
    return drop_repeats([np.rint(stroke @ shear) + 0.0 for stroke in strokes])[0]
