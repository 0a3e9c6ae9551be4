"""Writes drawings that were published for sketch-rnn: one drawing a sequence, [dx, dy, eos].

Reads ``kanji.rdp100.npz`` (Chinese characters of KanjiVG) or ``omniglot.npz`` (characters of
Omniglot, drawn by people) as their owner ships them: for each of train, valid and test an array of
drawings (T, 3). They are pickles, which :mod:`data_prep.object_arrays` reads without running any.

- **Frames** are the rows as they are: (dx, dy) leads from the point before to this one, and eos is
  1 at the last point of a stroke. No frame is added: in the kanji, the first one leads from the
  first point to the second; in Omniglot's drawings, it is the first point itself, (0, 0).
- **Unit.** Kanji are drawn on a canvas of 109 units; their points lie on no grid. Omniglot's
  offsets are whole units of a canvas of some 600, so that their density is unbounded: train with
  ``UniformDequantise(centred=True)``. The vertical axis points down in both.
- **Split** as the authors split them. Drawings of validation and test that are equal to one for
  training stay, and are counted (attribute ``seen_in_training``).
- **Outliers.** Nothing is clipped. A drawing with fewer than two points, numbers that are not
  finite, or an eos other than 0 and 1 is left out, named and counted (attribute ``left_out``).

    python -m data_prep.sketch_rnn --source FOLDER_OR_NPZ --set kanji.rdp100 --out data/kanji.h5

A Neural Representation of Sketch Drawings (Ha, Eck, 2018), https://arxiv.org/abs/1704.03477;
https://github.com/hardmaru/sketch-rnn-datasets; https://kanjivg.tagaini.net
"""

from __future__ import annotations

__all__ = ["SETS", "prepare"]

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_prep.object_arrays import read_object_arrays
from data_prep.sources import command_line, origin, require_file, run
from data_prep.strokes import PenSequence, write_strokes
from seqmdn.data import SPLITS


class _Set(NamedTuple):
    name: str
    unit: str
    resolution: float | None
    licence: str


SETS = {
    "kanji.rdp100": _Set(
        "kanji", "canvas unit", None, "CC BY-SA 3.0 (KanjiVG, Ulrich Apel; sketch-rnn-datasets)"
    ),
    "omniglot": _Set("sketch_omniglot", "canvas unit", 1.0, "MIT (Omniglot)"),
}


def prepare(source: Path, out: Path, which: str = "kanji.rdp100") -> list[str]:
    """Writes the store from the archive, or the folder that holds it; says what was left out.

    Raises:
        FileNotFoundError: If there is no such archive.
        ValueError: If there is no such set, or the archive holds something else.
    """
    if which not in SETS:
        raise ValueError(f"expected a set of {', '.join(SETS)}, found {which!r}")
    of = SETS[which]
    path = source / f"{which}.npz" if source.is_dir() else source
    require_file(
        path, f"the drawings of {of.name}", "take it from github.com/hardmaru/sketch-rnn-datasets"
    )
    found = read_object_arrays(path, SPLITS)
    sequences, left_out = [], []
    for split in SPLITS:
        for number, drawing in enumerate(found[split]):
            why = _fault(drawing)
            if why:
                left_out.append(f"{split} {number}: {why}")
            else:
                sequences.append(PenSequence(drawing.astype(np.float64), split))
    known = {each.frames.tobytes() for each in sequences if each.split == "train"}
    seen = sum(each.split != "train" and each.frames.tobytes() in known for each in sequences)
    said = write_strokes(
        out,
        sequences,
        name=of.name,
        unit=of.unit,
        sequence="drawing",
        y_axis="down",
        source=[origin(path)],
        licence=of.licence,
        command=f"python -m data_prep.sketch_rnn --source $SEQMDN_DATA/sketch_rnn --set {which}",
        left_out=left_out,
        resolution=of.resolution,
        attributes={"seen_in_training": seen},
    )
    return [f"{seen} drawings of validation and test are equal to one for training", *said]


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    layout = " or ".join(f"{name}.npz" for name in SETS) + ", or the archive itself"
    parser = command_line("sketch_rnn", "drawings that were published for sketch-rnn", layout)
    parser.add_argument(
        "--set",
        dest="which",
        choices=list(SETS),
        default="kanji.rdp100",
        help="which drawings, default: %(default)s",
    )
    run(parser, prepare, arguments)


def _fault(drawing: NDArray[Any]) -> str:
    """Says what is wrong with a drawing, nothing if nothing is."""
    if drawing.ndim != 2 or drawing.shape[1] != 3:
        return f"expected rows [dx, dy, eos], found the shape {drawing.shape}"
    if len(drawing) < 2:
        return "fewer than 2 points"
    if not np.isfinite(drawing).all():
        return "numbers that are not finite"
    if not np.isin(drawing[:, 2], (0, 1)).all():
        return "an eos other than 0 and 1"
    return ""


if __name__ == "__main__":
    main()
