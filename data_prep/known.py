"""Draws tables whose density is known: rows, and what that density scores on them.

A recipe on them says how far a model is from the truth, rather than from another model. The exact
conditional log-density of every row is worked out in float64 at the values as they are stored, in
float32; the mean NLL of each part is in the attributes ``limit_train``, ``limit_valid`` and
``limit_test``, in nats a row, from where ``gap_to_limit`` comes. No model is below it on average;
on the rows of one part it may be, by chance.
"""

from __future__ import annotations

__all__ = ["COUNTS", "Known", "mixture_log_density", "run_known", "write_known"]

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_prep.rows import RowTable, write_rows
from seqmdn.data import SPLITS, Store

COUNTS = (10_000, 2_000, 5_000)  # rows for training, validation and the test

Array = NDArray[np.float64]


class Known(NamedTuple):
    """Says how to draw rows, and what their density is.

    Attributes:
        name: Of the module in ``data_prep``, and of the store.
        inputs: The X names of the inputs.
        targets: The D names of the targets.
        unit: Of the targets.
        draw: From random numbers and a count N, the inputs (N, X) and targets (N, D).
        log_density: log p(targets | inputs), (N,), of inputs (N, X) and targets (N, D).
    """

    name: str
    inputs: Sequence[str]
    targets: Sequence[str]
    unit: str
    draw: Callable[[np.random.Generator, int], tuple[Array, Array]]
    log_density: Callable[[Array, Array], Array]


def write_known(
    out: Path,
    known: Known,
    train: int = COUNTS[0],
    valid: int = COUNTS[1],
    test: int = COUNTS[2],
    seed: int = 0,
) -> list[str]:
    """Writes the store; says how many rows there are, and what the truth scores on the test.

    Each part is drawn by itself: its rows are the same whatever the sizes of the others.

    Args:
        out: The file to write.
        known: What to draw.
        train: Rows for training.
        valid: Rows for validation.
        test: Rows for the test.
        seed: Of the draw.

    Raises:
        ValueError: If a part has no rows, or the seed is negative.
    """
    counts = dict(zip(SPLITS, (train, valid, test), strict=True))
    wrong = [split for split, count in counts.items() if count < 1]
    if wrong or seed < 0:
        raise ValueError(
            f"expected 1 row or more for each part and a seed of 0 or more, found "
            f"{'/'.join(map(str, counts.values()))} rows and seed {seed}"
        )
    parts, limits = [], {}
    for number, (split, count) in enumerate(counts.items()):
        drawn = known.draw(np.random.default_rng([seed, number]), count)
        # The truth is asked about the rows that a model will see.
        inputs, targets = (part.astype(np.float32).astype(np.float64) for part in drawn)
        limits[f"limit_{split}"] = -float(known.log_density(inputs, targets).mean())
        parts.append((inputs, targets))
    inputs, targets = (np.concatenate(part) for part in zip(*parts, strict=True))
    splits = [split for split, count in counts.items() for _ in range(count)]
    said = write_rows(
        out,
        RowTable(targets, inputs, known.targets, known.inputs, splits),
        name=known.name,
        unit=known.unit,
        licence="none needed: random numbers",
        command=f"python -m data_prep.{known.name} --train {train} --valid {valid} --test {test} "
        f"--seed {seed}",
        attributes={"seed": seed, "split_by": "draw", **limits},
    )
    return [*said, f"the density they were drawn from: {limits['limit_test']:.4f} nats/row (test)"]


def run_known(known: Known, what: str, arguments: list[str] | None) -> None:
    """Runs the command line of a module that draws rows.

    Args:
        known: What to draw.
        what: What that is, in words after "Write".
        arguments: Of the command; those of the process by default.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m data_prep.{known.name}", description=f"Write {what} as one HDF5 store."
    )
    parser.add_argument(
        "--out", type=Path, default=Path(f"data/{known.name}.h5"), help="default: %(default)s"
    )
    for split, count in zip(SPLITS, COUNTS, strict=True):
        parser.add_argument(
            f"--{split}", type=int, default=count, help="number of rows, default: %(default)s"
        )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the draw, default: %(default)s"
    )
    options = vars(parser.parse_args(arguments))
    out = options.pop("out")
    try:
        said = write_known(out, known, **options)
    except (OSError, ValueError) as error:
        sys.exit(f"data_prep.{known.name}: {error}")
    print("\n".join([*said, f"wrote {Store(out)}"]))


def mixture_log_density(
    values: Array, weights: Array, means: Array, diagonal: Array, factor: Array | None = None
) -> Array:  # (N,)
    r"""Gives log-densities of mixtures of Gaussians with covariance S + V V'.

    .. math:: \log \sum_k \pi_k N(y; \mu_k, \mathrm{diag}(s) + V_k V_k^\top)

    Args:
        values: (N, D).
        weights: (N, K), which sum to 1.
        means: (N, K, D).
        diagonal: (D,), variances s.
        factor: (N, K, D, R), V; none where the covariance is diagonal.

    Example:
        >>> y, two = np.zeros((1, 1)), np.array([[[-1.0], [1.0]]])
        >>> mixture_log_density(y, np.full((1, 2), 0.5), two, np.ones(1)).round(4).tolist()
        [-1.4189]
    """
    size = values.shape[-1]
    whole = np.broadcast_to(np.diag(diagonal), (*means.shape, size))
    if factor is not None:
        whole = whole + factor @ np.swapaxes(factor, -1, -2)
    apart = values[:, None] - means  # (N, K, D)
    root = np.linalg.cholesky(whole)
    scaled = np.linalg.solve(root, apart[..., None])[..., 0]
    spread = np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(-1)
    each = -0.5 * (scaled**2).sum(-1) - spread - 0.5 * size * np.log(2 * np.pi)
    with np.errstate(divide="ignore"):
        return np.logaddexp.reduce(np.log(weights) + each, axis=-1)
