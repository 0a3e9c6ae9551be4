"""Writes the inverse dynamics of a SARCOS robot arm: torques of 7 joints, from how they move.

Reads the owner's ``sarcos_inv_test.mat`` (4,449 rows) and, with ``--set full``, ``sarcos_inv.mat``
(44,484 rows). A row has 7 positions, velocities and accelerations, and 7 torques, in the owner's
units.

- **Set test** (default): the test file alone, cut anew: 70, 10 and 20 % of its rows for training,
  validation and the test, drawn with the seed. Its figures are not those of the literature.
- **Set full**: the owner's cut. A tenth of the training file, drawn with the seed, is for
  validation. Rows of it that the test file holds, too, are left out, and counted: with them, a test
  would ask what training has said.
- Both files are rows of the same movements, drawn at random: a test row lies between its neighbours
  in training.

    python -m data_prep.sarcos --source FOLDER --out data/sarcos.h5

LWPR: An O(n) algorithm for incremental real time learning in high dimensional space (Vijayakumar,
Schaal, 2000); http://gaussianprocess.org/gpml/data
"""

from __future__ import annotations

__all__ = ["INPUTS", "LICENCE", "SETS", "TARGETS", "TEST", "prepare", "read_movements"]

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_prep.matlab import read_matrix
from data_prep.rows import RowTable, split_rows, write_rows
from data_prep.sources import command_line, origin, require_file, run

SETS = ("test", "full")
JOINTS = 7
INPUTS = [
    f"{what} {joint}"
    for what in ("position", "velocity", "acceleration")
    for joint in range(1, JOINTS + 1)
]
TARGETS = [f"torque {joint}" for joint in range(1, JOINTS + 1)]
TEST, TRAINING = "sarcos_inv_test", "sarcos_inv"
VALID = 10  # percent of the owner's training rows
LICENCE = "none stated; for research (gaussianprocess.org/gpml/data)"


def prepare(source: Path, out: Path, which: str = "test", seed: int = 0) -> list[str]:
    """Writes the store from the folder that holds the files; says what was left out.

    Raises:
        FileNotFoundError: If one is missing.
        ValueError: If there is no such set, or a file is damaged or holds something else.
    """
    if which not in SETS:
        raise ValueError(f"expected a set of {', '.join(SETS)}, found {which!r}")
    test, said, left_out = read_movements(source), [], 0
    paths = [source / f"{TEST}.mat"]
    if which == "test":
        rows, splits = test, split_rows(len(test), seed)
    else:
        training = read_movements(source, TRAINING)
        paths.insert(0, source / f"{TRAINING}.mat")
        known = {row.tobytes() for row in test}
        own = np.array([row.tobytes() not in known for row in training])
        left_out = int((~own).sum())
        said = [f"{left_out} rows for training that the test holds, too, left out"]
        rows = np.concatenate([training[own], test])
        splits = split_rows(int(own.sum()), seed, (100 - VALID, VALID, 0)) + ["test"] * len(test)
    table = RowTable(rows[:, len(INPUTS) :], rows[:, : len(INPUTS)], TARGETS, INPUTS, splits)
    return said + write_rows(
        out,
        table,
        name="sarcos" if which == "test" else "sarcos_full",
        unit="owner's units",
        source=[origin(path) for path in paths],
        licence=LICENCE,
        command=f"python -m data_prep.sarcos --source $SEQMDN_DATA/sarcos --set {which} "
        f"--seed {seed}",
        attributes={"seed": seed, "split_by": "random", "left_out": left_out},
    )


def read_movements(source: Path, name: str = TEST) -> NDArray[np.float64]:  # (N, 28)
    """Gives the rows of one of the owner's files, inputs first, in the order of the movements.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it is damaged or holds something else.
    """
    path = source / f"{name}.mat"
    require_file(path, "movements of a robot arm", "take it from gaussianprocess.org/gpml/data")
    rows = read_matrix(path, name)
    columns = len(INPUTS) + len(TARGETS)
    if rows.shape[1] != columns or not np.isfinite(rows).all():
        raise ValueError(
            f"{path}: expected rows of {columns} finite numbers, found a matrix of shape "
            f"{rows.shape}: download it again"
        )
    return np.ascontiguousarray(rows)


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    layout = f"{TEST}.mat and, for the full set, {TRAINING}.mat"
    parser = command_line("sarcos", "the inverse dynamics of a robot arm", layout)
    parser.add_argument(
        "--set",
        dest="which",
        choices=SETS,
        default="test",
        help="the test file cut anew, or the owner's cut of both, default: %(default)s",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the split, default: %(default)s"
    )
    run(parser, prepare, arguments)


if __name__ == "__main__":
    main()
