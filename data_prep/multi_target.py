"""Writes a data set of several targets a row, as the Mulan project collected them.

Reads ``SET.arff``, whose last columns are the targets:

| set | inputs | targets | rows | what |
|---|---:|---:|---:|---|
| wq | 16 | 14 | 1,060 | rivers: 16 measurements of water, and how often each of 14 species is met |
| rf1 | 64 | 8 | 9,125 | flow of the Mississippi at 8 places, two days later |
| enb | 8 | 2 | 768 | heating and cooling that a building needs |
| jura | 15 | 3 | 359 | three metals in the soil of the Swiss Jura |
| slump | 7 | 3 | 103 | concrete |
| oes97 | 263 | 16 | 334 | people employed in a city, by occupation |

- **Units** are the owners', different for each column.
- **Split** 70, 10 and 20 % of the rows, drawn with the seed. The owners name none, and figures of
  other splits are not the same thing. Rows of rf1 are hours that follow each other, so that a
  random test lies between its neighbours in training: it says nothing of days to come.
- **Missing inputs.** Rows without all their inputs are left out, and counted: 120 of rf1, where
  its two stretches of time begin. No target lacks in any of them.
- Targets of wq are steps of a scale, 0, 1, 3 and 5, whose density is unbounded: train them with
  ``UniformDequantise(centred=True)``.

    python -m data_prep.multi_target --source FOLDER --set wq --out data/wq.h5

Multi-target regression via input space expansion: treating targets as inputs
(Spyromitros-Xioufis, Tsoumakas, Groves, Vlahavas, 2016), https://arxiv.org/abs/1211.6581
"""

from __future__ import annotations

__all__ = ["LICENCE", "SETS", "prepare", "read_set"]

from pathlib import Path

import numpy as np

from data_prep.arff import ArffTable, read_arff
from data_prep.rows import RowTable, split_rows, write_rows
from data_prep.sources import command_line, origin, require_file, run

# Inputs and targets of each.
SETS = {
    "wq": (16, 14),
    "rf1": (64, 8),
    "enb": (8, 2),
    "jura": (15, 3),
    "slump": (7, 3),
    "oes97": (263, 16),
}
LICENCE = "none stated; for research (Mulan, multi-target regression)"


def prepare(source: Path, out: Path, which: str = "wq", seed: int = 0) -> list[str]:
    """Writes the store from the folder that holds the file; says what was left out.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If there is no such set, or the file holds another.
    """
    path, found = read_set(source, which)
    inputs, _ = SETS[which]
    whole = ~np.isnan(found.values[:, :inputs]).any(1)
    values = found.values[whole]
    table = RowTable(
        values[:, inputs:],
        values[:, :inputs],
        found.names[inputs:],
        found.names[:inputs],
        split_rows(len(values), seed),
    )
    left_out = int((~whole).sum())
    said = write_rows(
        out,
        table,
        name=which,
        unit="owner's units",
        source=[origin(path)],
        licence=LICENCE,
        command="python -m data_prep.multi_target --source $SEQMDN_DATA/multi_target "
        f"--set {which} --seed {seed}",
        attributes={"seed": seed, "split_by": "random", "left_out": left_out},
    )
    return [f"{left_out} rows without all their inputs left out", *said]


def read_set(source: Path, which: str) -> tuple[Path, ArffTable]:
    """Gives the file of a set and what is in it, inputs first, NaN where something is missing.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If there is no such set, or the file holds another.
    """
    if which not in SETS:
        raise ValueError(f"expected a set of {', '.join(SETS)}, found {which!r}")
    inputs, targets = SETS[which]
    path = source / f"{which}.arff" if source.is_dir() else source
    require_file(path, f"the data set {which}", "take it from mulan.sourceforge.net/datasets-mtr")
    found = read_arff(path)
    if len(found.names) != inputs + targets:
        raise ValueError(
            f"{path}: expected the {inputs} inputs and {targets} targets of {which}, found "
            f"{len(found.names)} columns: name its --set"
        )
    return path, found


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    layout = "SET.arff, or the file itself"
    parser = command_line("multi_target", "a data set of several targets", layout)
    parser.add_argument(
        "--set", dest="which", choices=list(SETS), default="wq", help="default: %(default)s"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the split, default: %(default)s"
    )
    run(parser, prepare, arguments)


if __name__ == "__main__":
    main()
