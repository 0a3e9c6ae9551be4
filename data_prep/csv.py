r"""Writes one's own table for regression: which columns are inputs, and which are targets.

Reads a file of delimited text whose first line names its columns, such as a CSV file.

- **Inputs** are numbers. Those named by ``--categories`` are words instead: each becomes a column
  of 0 and 1 for each word of the training rows (``data_prep.categories``). A word that validation
  or the test has and training has not is refused, or all zeros with ``--unseen zero``. An empty
  cell of an input, or a word for no number (NA, NaN, null, none, ?), is refused by its line.
- **Targets** are numbers. With ``--missing``, they may be missing, by the same words: the density
  is then that of the others.
- **Split** ``random`` by the seed, or ``time COLUMN``: the last rows are the test, those before
  them for validation, and rows of one time are all on one side. The column holds numbers or dates
  like 2016-12-31 23:00+01:00, and the rows must be in their order unless ``--sort`` sees to it.
- Units stay as they are. Targets that are whole numbers, or are rounded, have a density without
  bound: train them with ``UniformDequantise``.

    python -m data_prep.csv --source TABLE.csv --inputs a b c --targets y z --out data/mine.h5
    python -m data_prep.csv --source TABLE.csv --delimiter ';' --inputs a sky --categories sky \
        --targets y --split time date --shares 70,10,20
"""

from __future__ import annotations

__all__ = ["prepare"]

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from data_prep.categories import Categories
from data_prep.delimited import Delimited, read_delimited
from data_prep.rows import SHARES, RowTable, split_rows, split_times, write_rows
from data_prep.sources import origin, require_file, run
from data_prep.splits import parse_shares

Unseen = Literal["refuse", "zero"]

_REMEDY = "leave the row out, or give --missing"


def prepare(
    source: Path,
    out: Path,
    inputs: Sequence[str],
    targets: Sequence[str],
    categories: Sequence[str] = (),
    delimiter: str = ",",
    split: Sequence[str] = ("random",),
    sort: bool = False,
    shares: Sequence[float] = SHARES,
    seed: int = 0,
    unseen: Unseen = "refuse",
    missing: bool = False,
    unit: str = "as in the table",
) -> list[str]:
    """Writes the store from the table; says how many rows each part has.

    Args:
        source: The table.
        out: The file to write.
        inputs: Names of columns.
        targets: Names of others.
        categories: Those of the inputs that are words.
        delimiter: What lies between two cells, one letter or ``"tab"``.
        split: ``("random",)``, or ``("time", column)``.
        sort: Whether a split by time puts the rows in its order.
        shares: In percent for training, validation and the test.
        seed: Of a random split.
        unseen: What becomes of words that training has not: ``"refuse"`` or ``"zero"``.
        missing: Whether targets may be missing.
        unit: Of the targets.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no table, lacks a column or holds something else than it should; the
            message names the line.
    """
    require_file(source, "a table of delimited text", "give it as --source")
    _check_names(inputs, targets, categories)
    letter = "\t" if delimiter in ("tab", "\\t") else delimiter
    if len(letter) != 1 or letter in '"\r\n':
        raise ValueError(f"expected a delimiter of one letter, or tab, found {delimiter!r}")
    try:
        text = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{source}: expected text in UTF-8, found other bytes ({error})"
        ) from error
    table = read_delimited(str(source), text, letter)
    for name in (*inputs, *targets):
        table.column(name)  # a wrong name is worth more than what is wrong in a right one
    table, splits = _split(table, split, sort, shares, seed)
    columns, names, said = _inputs(table, inputs, categories, splits, unseen)
    measured = np.stack([table.numbers(name, missing, _REMEDY) for name in targets], axis=1)
    words = ["--inputs", *inputs, "--targets", *targets]
    words += ["--categories", *categories] if categories else []
    words += ["--delimiter", delimiter] if delimiter != "," else []
    words += ["--split", *split, "--shares", ",".join(f"{share:g}" for share in shares)]
    words += [*["--sort"] * sort, "--seed", str(seed), "--unseen", unseen, *["--missing"] * missing]
    rows = RowTable(measured, columns, targets, names, splits)
    return said + write_rows(
        out,
        rows,
        missing=missing,
        attributes={"seed": seed, "split_by": " ".join(split)},
        name=source.stem,
        unit=unit,
        source=[origin(source)],
        command=f"python -m data_prep.csv --source {shlex.quote(source.name)} {shlex.join(words)}",
    )


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m data_prep.csv",
        description="Write one's own table for regression as one HDF5 store.",
    )
    parser.set_defaults(layout="a table", folder="csv")
    add = parser.add_argument
    add("--source", type=Path, required=True, help="the table, a file of delimited text")
    add("--out", type=Path, default=Path("data/csv.h5"), help="default: %(default)s")
    add("--inputs", nargs="+", required=True, metavar="COLUMN", help="what to predict from")
    add("--targets", nargs="+", required=True, metavar="COLUMN", help="what to predict")
    add("--categories", nargs="+", default=(), metavar="COLUMN", help="inputs that are words")
    add("--delimiter", default=",", help="between cells, a letter or tab, default: %(default)s")
    add(
        "--split",
        nargs="+",
        default=("random",),
        metavar=("random|time", "COLUMN"),
        help="by the seed, or by a column of times: the last rows are the test; default: random",
    )
    add("--sort", action="store_true", help="put the rows in the order of time")
    add(
        "--shares",
        type=parse_shares,
        default=SHARES,
        help="percent for training, validation and the test, default: 70,10,20",
    )
    add("--seed", type=int, default=0, help="seed of a random split, default: %(default)s")
    add(
        "--unseen",
        choices=("refuse", "zero"),
        default="refuse",
        help="what categories are that training has not, default: %(default)s",
    )
    add("--missing", action="store_true", help="targets may be missing")
    add("--unit", default="as in the table", help="of the targets, default: %(default)s")
    run(parser, prepare, arguments)


def _check_names(inputs: Sequence[str], targets: Sequence[str], categories: Sequence[str]) -> None:
    twice = sorted({name for name in (*inputs, *targets) if (*inputs, *targets).count(name) > 1})
    if twice or not inputs or not targets:
        raise ValueError(
            "expected inputs and targets, each column once among them, found "
            f"{', '.join(twice) + ' twice' if twice else 'none of the one'}"
        )
    other = [name for name in categories if name not in inputs]
    if other:
        raise ValueError(
            f"expected categories to be among the inputs, found {', '.join(other)}: name them "
            "there, too"
        )


def _split(
    table: Delimited, split: Sequence[str], sort: bool, shares: Sequence[float], seed: int
) -> tuple[Delimited, list[str]]:
    """Gives the rows in their order, and the part of each."""
    if tuple(split) == ("random",):
        if sort:
            raise ValueError("expected --sort with a split by time, found a random one")
        return table, split_rows(len(table.cells), seed, shares)
    if len(split) != 2 or split[0] != "time":
        raise ValueError(f"expected a split 'random' or 'time COLUMN', found {' '.join(split)!r}")
    times = table.times(split[1])
    if sort:
        order = np.argsort(times, kind="stable")
        return table.rows(order.tolist()), split_times(times[order], shares)
    earlier = np.flatnonzero(np.diff(times) < 0)
    if len(earlier):
        row = int(earlier[0]) + 1
        cells = table.column(split[1])
        raise ValueError(
            f"{table.where}, line {table.lines[row]}: expected rows in the order of {split[1]!r}, "
            f"found {cells[row]!r} below {cells[row - 1]!r}: sort them, or give --sort"
        )
    return table, split_times(times, shares)


def _inputs(
    table: Delimited,
    inputs: Sequence[str],
    categories: Sequence[str],
    splits: Sequence[str],
    unseen: Unseen,
) -> tuple[np.ndarray, list[str], list[str]]:
    """Gives the inputs (N, X), their names, and what was said of them."""
    columns, names, said = [], [], []
    where = [f"{table.where}, line {line}" for line in table.lines]
    for name in inputs:
        if name not in categories:
            columns.append(table.numbers(name)[:, None])
            names.append(name)
            continue
        words = table.column(name)
        if "" in words:
            raise ValueError(
                f"{where[words.index('')]}: expected a word in column {name!r}, found none: give "
                "it one, such as unknown, or leave the row out"
            )
        training = [word for word, part in zip(words, splits, strict=True) if part == "train"]
        kinds = Categories(name, training, unseen)
        columns.append(kinds.one_hot(words, where))
        names += kinds.names
        if count := kinds.count_unseen(words):
            said.append(f"{count} rows with a {name!r} that training has not: all zeros")
    return np.concatenate(columns, axis=1), names, said


if __name__ == "__main__":
    main()
