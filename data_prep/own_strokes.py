"""Writes one's own pen data: a folder of JSON and CSV files (:func:`seqmdn.data.read_pen_file`).

- **Unit** and direction of the axes are the files' own: ``--unit`` names it, ``--y-axis`` says
  where larger y lie (down on tablets and screens).
- **Resolution.** Where all offsets are whole numbers, the points lie on a grid of 1, their density
  is unbounded, and ``UniformDequantise(centred=True)`` is what to train with. The distance of
  another grid is given as ``--resolution``, and checked.
- **Frames** [dx, dy, eos] are those of :mod:`data_prep.omniglot`. A point at the very place of the
  one before it in its stroke is left away (counted, attribute ``repeated_points``); with
  ``--tolerance``, those that a line through the others passes that closely are, too.
- **Text.** All drawings have one, or none has. With ``--text-is name``, it is the drawing's name
  rather than what was written.
- **Split** by the folders ``train``, ``valid`` and ``test`` where there is one of them: the way to
  keep people or words apart. Else the drawings are split by ``--split``, in percent, and the seed.
- **Outliers.** A drawing with fewer than two points is left out, named and counted (attribute
  ``left_out``). A file that cannot be read ends the preparation, or is left out with ``--skip``.

    python -m data_prep.own_strokes --source FOLDER --out data/mine.h5 --unit mm
"""

from __future__ import annotations

__all__ = ["prepare"]

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data_prep.sources import command_line, folder_sha256, run
from data_prep.splits import parse_shares, split_shares
from data_prep.strokes import PenSequence, drop_repeats, write_strokes
from seqmdn.data import SPLITS, PenDrawing, read_pen_file, simplify, stroke_frames

ENDINGS = (".json", ".csv")
SHARES = (80.0, 10.0, 10.0)  # percent


def prepare(
    source: Path,
    out: Path,
    unit: str = "unit",
    y_axis: str = "down",
    resolution: float | None = None,
    split: Sequence[float] = SHARES,
    tolerance: float | None = None,
    text_is: str = "transcription",
    skip: bool = False,
    seed: int = 0,
) -> list[str]:
    """Writes the store from a folder of files; says what was left out.

    Raises:
        FileNotFoundError: If there are no such files.
        ValueError: If a file is wrong and none are skipped, some drawings have a text and others
            do not, points lie off the grid that was given, or a split would be empty.
    """
    found, names, left_out = _read(source, skip)
    splits = _split(source, list(found), split, seed)
    sequences, repeated = [], 0
    for name, drawing in found.items():
        strokes = drawing.strokes
        if tolerance is not None:
            strokes = [simplify(stroke, tolerance) for stroke in strokes]
        kept, dropped = drop_repeats(strokes)
        repeated += dropped
        if sum(map(len, kept)) < 2:
            left_out.append(f"{name}: fewer than 2 points")
        else:
            frames = stroke_frames(kept)
            _check_grid(name, frames, resolution)
            sequences.append(PenSequence(frames, splits[name], drawing.text))
    lacking = [each for each in SPLITS if each not in {one.split for one in sequences}]
    if lacking:
        raise ValueError(
            f"{source}: expected drawings for each of {', '.join(SPLITS)}, found "
            f"{len(sequences)} in all, none for {lacking[0]}: give more, or sort the files into "
            "folders of these names"
        )
    whole = all((each.frames == np.rint(each.frames)).all() for each in sequences)
    words = f" --resolution {resolution}" if resolution else ""
    words += f" --tolerance {tolerance}" if tolerance is not None else ""
    said = write_strokes(
        out,
        sequences,
        name=source.resolve().name,
        unit=unit,
        sequence="drawing",
        y_axis=y_axis,
        source=[
            {"file": "*.json and *.csv, with *.txt", "sha256": folder_sha256(source, names)},
        ],
        licence="its owner's",
        command=f"python -m data_prep.own_strokes --source FOLDER --unit '{unit}' --y-axis {y_axis}"
        f"{words} --split {','.join(f'{share:g}' for share in split)} --text-is {text_is} "
        f"--seed {seed}",
        left_out=left_out,
        resolution=1 if resolution is None and whole else resolution,
        text_is=None if sequences[0].text is None else text_is,
        attributes={"repeated_points": repeated, "seed": seed},
    )
    return [f"{repeated} points repeated the one before them, and are left away", *said]


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    parser = command_line("own_strokes", "one's own pen data", "files .json and .csv")
    parser.add_argument("--unit", default="unit", help="of the points, default: %(default)s")
    parser.add_argument(
        "--y-axis", choices=["up", "down"], default="down", help="default: %(default)s"
    )
    parser.add_argument(
        "--resolution", type=_positive, help="distance of the points' grid, default: 1 or none"
    )
    parser.add_argument(
        "--split", type=parse_shares, default=SHARES, help="percent, default: 80,10,10"
    )
    parser.add_argument("--tolerance", type=float, help="of thinning, in units, default: none")
    parser.add_argument(
        "--text-is",
        choices=["transcription", "name"],
        default="transcription",
        help="what the texts are, default: %(default)s",
    )
    parser.add_argument("--skip", action="store_true", help="leave out files that are wrong")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the split, default: %(default)s"
    )
    run(parser, prepare, arguments)


def _read(source: Path, skip: bool) -> tuple[dict[str, PenDrawing], list[str], list[str]]:
    """Gives the drawings by their names, the files that they come from, and those left out."""
    paths = [path for path in source.rglob("*") if path.suffix.lower() in ENDINGS]
    found: dict[str, PenDrawing] = {}
    names, left_out = [], []
    for path in sorted(path for path in paths if path.is_file()):
        name = path.relative_to(source).as_posix()
        try:
            drawings = read_pen_file(path)
        except ValueError as error:
            if not skip:
                raise ValueError(f"{error} (or leave such files out with --skip)") from error
            left_out.append(str(error))
            continue
        beside = path.with_suffix(".txt")
        names += [name, *([beside.relative_to(source).as_posix()] if beside.is_file() else [])]
        for number, drawing in enumerate(drawings, 1):
            found[name if len(drawings) == 1 else f"{name}, drawing {number}"] = drawing
    if not found:
        raise FileNotFoundError(
            f"expected pen strokes, .json or .csv, in {source}, found no file that can be used: "
            "give the folder that holds them as --source"
        )
    with_text = [name for name, drawing in found.items() if drawing.text is not None]
    if 0 < len(with_text) < len(found):
        without = next(name for name, drawing in found.items() if drawing.text is None)
        raise ValueError(
            f"{source}: expected a text of all drawings or of none, found one of {with_text[0]} "
            f"and none of {without}: add or remove it"
        )
    return found, sorted(set(names)), left_out


def _split(source: Path, names: list[str], shares: Sequence[float], seed: int) -> dict[str, str]:
    if not any((source / split).is_dir() for split in SPLITS):
        return split_shares(names, seed, shares[0] / 100, shares[1] / 100)
    splits = {name: name.split("/")[0] for name in names}
    outside = [name for name, split in splits.items() if split not in SPLITS]
    if outside:
        raise ValueError(
            f"{source}: expected all files in the folders {', '.join(SPLITS)}, as some are, found "
            f"{outside[0]}: move it"
        )
    return splits


def _check_grid(name: str, frames: np.ndarray, resolution: float | None) -> None:
    if resolution is None:
        return
    steps = frames[:, :2] / resolution
    away = np.abs(steps - np.rint(steps))
    if away.max() > 1e-3:
        raise ValueError(
            f"{name}: expected points on a grid of {resolution}, found an offset of "
            f"{frames[:, :2].flat[away.argmax()]}: give another --resolution, or none"
        )


def _positive(word: str) -> float:
    number = float(word)
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {word!r}")
    return number


if __name__ == "__main__":
    main()
