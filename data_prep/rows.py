"""Writes tables for regression: every row a sequence of one frame, targets as values.

The inputs of a row are its context, so that p(values | context) is the density of its targets given
its inputs, and everything that works on sequences works on it.

- Targets and inputs are float32, in the units they came in.
- An input that is the same in all training rows says nothing that a model could learn: it is left
  out, and named (attribute ``left_out_inputs``). A target that is has no density, and is refused.
- ``split_rows`` and ``split_times`` say what is for training, validation and the test.
"""

from __future__ import annotations

__all__ = ["SHARES", "RowTable", "split_rows", "split_times", "write_rows"]

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_prep.splits import split_percent
from seqmdn.data import SPLITS, StoreWriter

SHARES = (70.0, 10.0, 20.0)  # percent for training, validation and the test

Array = NDArray[np.float64]


class RowTable(NamedTuple):
    """Holds the rows of a regression, as float64.

    Shapes:
        targets: (N, D), NaN where missing.
        inputs: (N, X).
    """

    targets: Array  # (N, D)
    inputs: Array  # (N, X)
    target_names: Sequence[str]
    input_names: Sequence[str]
    splits: Sequence[str]


def write_rows(
    out: Path,
    table: RowTable,
    missing: bool = False,
    attributes: Mapping[str, Any] | None = None,
    **of: Any,
) -> list[str]:
    """Writes the store; says how many rows each part has, and which inputs were left out.

    Args:
        out: The file to write.
        table: The rows, in the order they are to be kept in.
        missing: Whether targets may be missing (NaN).
        attributes: More of them.
        of: What else :class:`seqmdn.data.StoreWriter` is told: name, unit, source and so on.

    Raises:
        ValueError: If a part has no rows, an input or (unless ``missing``) a target is not finite,
            a target is constant or never there in training, or no input varies.
    """
    targets, inputs = table.targets, table.inputs
    splits = np.asarray(table.splits)
    counts = {split: int((splits == split).sum()) for split in SPLITS}
    if not all(counts.values()):
        raise ValueError(
            "expected rows for training, validation and the test, found "
            f"{'/'.join(map(str, counts.values()))}: give more rows, or other shares"
        )
    _check_finite(inputs, table.input_names, "input")
    if not missing:
        _check_finite(targets, table.target_names, "target")
    training = splits == "train"
    _check_targets(targets[training], table.target_names)
    # As the store keeps them: what float32 cannot tell apart is the same.
    seen = inputs[training].astype(np.float32)
    varied = (seen != seen[:1]).any(0)
    if not varied.any():
        raise ValueError(
            f"expected an input that varies, found {', '.join(table.input_names)} constant in "
            "training: give others"
        )
    names = list(table.input_names)
    left_out = [name for name, kept in zip(names, varied, strict=True) if not kept]
    observed = ~np.isnan(targets)
    with StoreWriter(
        out,
        features=table.target_names,
        context=[name for name in names if name not in left_out],
        missing=missing,
        step="row",
        attributes={
            "kind": "series",
            "sequence": "row",
            "left_out_inputs": ", ".join(left_out),
            **(attributes or {}),
        },
        **of,
    ) as writer:
        writer.append_rows(targets, table.splits, inputs[:, varied], observed if missing else None)
    said = [f"{', '.join(f'{count} {split}' for split, count in counts.items())} rows"]
    if left_out:
        said.append(f"left out as constant in training: {', '.join(left_out)}")
    if missing:
        said.append(f"{int((~observed).sum())} of {observed.size} targets are missing")
    return said


def split_rows(count: int, seed: int, shares: Sequence[float] = SHARES) -> list[str]:
    """Gives each of some rows its split, by shares in percent and a permutation of the seed's.

    Raises:
        ValueError: If a share of more than 0 would be empty.

    Example:
        >>> split_rows(4, seed=0, shares=(50, 25, 25))
        ['train', 'valid', 'train', 'test']
    """
    return [split for _, split in sorted(_numbered(count, seed, shares).items())]


def split_times(times: Array, shares: Sequence[float] = SHARES) -> list[str]:
    """Gives each of some rows its split by its time: the last ones are the test, as in real use.

    Those before them are for validation. Rows of one time are all on one side of a cut.

    Args:
        times: (N,), in order.
        shares: In percent of the rows.

    Raises:
        ValueError: If the rows are not in the order of time.

    Example:
        >>> split_times(np.array([0.0, 1.0, 2.0, 2.0, 3.0]), shares=(40, 20, 40))
        ['train', 'train', 'valid', 'valid', 'test']
    """
    if (np.diff(times) < 0).any():
        raise ValueError("expected rows in the order of time, found others: sort them")
    ends = np.rint(np.cumsum(shares[:2]) / 100 * len(times)).astype(int)
    # The first rows later than the last one before the cut.
    cuts = [int(np.searchsorted(times, times[end - 1], side="right")) if end else 0 for end in ends]
    lengths = np.diff([0, *cuts, len(times)])
    return [split for split, length in zip(SPLITS, lengths, strict=True) for _ in range(length)]


def _numbered(count: int, seed: int, shares: Sequence[float]) -> dict[str, str]:
    # Names of equal length are in the order of their numbers.
    return split_percent([f"{row:012d}" for row in range(count)], seed, shares)


def _check_finite(values: Array, names: Sequence[str], what: str) -> None:
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        row, column = wrong[0]
        raise ValueError(
            f"row {row}: expected a finite {what} {names[column]!r}, found {values[row, column]} "
            f"({len(wrong)} such values): leave the row out"
        )


def _check_targets(targets: Array, names: Sequence[str]) -> None:
    """Refuses targets of training without two values."""
    for name, column in zip(names, targets.T, strict=True):
        found = column[~np.isnan(column)].astype(np.float32)
        if not len(found) or (found == found[0]).all():
            value = f"{found[0]:g} in each of {len(found)} rows" if len(found) else "none at all"
            raise ValueError(
                f"target {name!r}: expected values that vary in training, found {value}: a "
                "constant has no density; leave it out"
            )
