"""Writes the pen digits of UCI: one digit a sequence, one pen point a frame [dx, dy, eos].

Reads ``pendigits.tra`` and ``pendigits.tes`` as their owner ships them: a digit a line, 8 points in
equal distances along the pen's way as x, y from 0 to 100, and the digit (as a number, or as ten
places of which one is 1).

- **Unit.** The grid's, whole numbers, so that the density is unbounded: train with
  ``UniformDequantise(centred=True)``. The vertical axis points up.
- **Frames.** (dx, dy) leads from the point before to this one, and the first point is the origin:
  its frame is (0, 0). The owner joined the strokes of a digit, so eos is 1 at its last point only.
- **Text** is the digit.
- **Split.** The 14 people of the second file are not in the first one: it is the test. Of the
  first one, 10 % of the digits, drawn with the seed, are for validation, by the same 30 people.
- **Outliers.** None is left out: a line that is no digit ends the preparation.

    python -m data_prep.pendigits --source FOLDER --out data/pendigits.h5

Methods of combining multiple classifiers based on different representations for pen-based
handwritten digit recognition (Alimoglu, Alpaydin, 1996),
https://archive.ics.uci.edu/dataset/81
"""

from __future__ import annotations

__all__ = ["prepare"]

from pathlib import Path

import numpy as np

from data_prep.sources import command_line, origin, require_file, run
from data_prep.splits import split_shares
from data_prep.strokes import PenSequence, write_strokes
from seqmdn.data import stroke_frames

TRAINING, TEST = "pendigits.tra", "pendigits.tes"
POINTS, SIDE = 8, 100
VALID = 0.1


def prepare(source: Path, out: Path, seed: int = 0) -> list[str]:
    """Writes the store from the folder that holds both files.

    Raises:
        FileNotFoundError: If one is missing.
        ValueError: If a line is no digit; the message names file and line.
    """
    training, test = _read(source / TRAINING), _read(source / TEST)
    splits = split_shares([str(number) for number in range(len(training))], seed, 1 - VALID, VALID)
    sequences = [
        PenSequence(stroke_frames([points]), splits[str(number)], digit)
        for number, (points, digit) in enumerate(training)
    ]
    sequences += [PenSequence(stroke_frames([points]), "test", digit) for points, digit in test]
    return write_strokes(
        out,
        sequences,
        name="pendigits",
        unit="grid unit",
        sequence="digit",
        y_axis="up",
        source=[origin(source / TRAINING), origin(source / TEST)],
        licence="CC BY 4.0 (UCI Machine Learning Repository, Alpaydin and Alimoglu)",
        command=f"python -m data_prep.pendigits --source $SEQMDN_DATA/pendigits --seed {seed}",
        left_out=[],
        resolution=1,
        text_is="name",
        attributes={"seed": seed},
    )


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    parser = command_line("pendigits", "the pen digits of UCI", f"{TRAINING} and {TEST}")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the split, default: %(default)s"
    )
    run(parser, prepare, arguments)


def _read(path: Path) -> list[tuple[np.ndarray, str]]:
    """Gives the points (8, 2) and the digit of each line."""
    require_file(path, "pen digits", "take it from archive.ics.uci.edu/dataset/81")
    found = []
    lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        words = [word.strip() for word in line.split(",")]
        try:
            values = np.array([int(word) for word in words[:-1]])
        except ValueError:
            values = np.zeros(0)
        digit = _digit(words[-1])
        if values.shape != (2 * POINTS,) or values.min() < 0 or values.max() > SIDE or not digit:
            raise ValueError(
                f"{path}, line {number}: expected {2 * POINTS} whole numbers from 0 to {SIDE} and "
                f"a digit, found {line[:60]!r}: download it again"
            )
        found.append((values.reshape(POINTS, 2), digit))
    if not found:
        raise ValueError(f"{path}: expected a digit a line, found an empty file: download it again")
    return found


def _digit(word: str) -> str:
    """Reads a digit, or ten places of which one is 1; gives nothing for anything else."""
    if len(word) == 10 and set(word) <= {"0", "1"} and word.count("1") == 1:
        return str(word.index("1"))
    return word if len(word) == 1 and word in "0123456789" else ""


if __name__ == "__main__":
    main()
