"""Writes the pen strokes of Omniglot: one drawing a sequence, one pen point a frame [dx, dy, eos].

Reads the two archives ``strokes_background_small1.zip`` and ``strokes_background_small2.zip`` as
their owner ships them. Drawings that are in both (two alphabets are) are taken once; their two
copies must be equal.

- **Unit.** The archives give points on a canvas of 105 units, scaled from whole pixels of the
  screen by a factor of each alphabet's own. The store holds whole pixels again, found as the
  smallest distance of an alphabet and checked on all of its points; ``alphabet_pixel`` (attribute,
  in the order of ``alphabets``) gives the canvas units of a pixel. The vertical axis points up.
- **Frames.** (dx, dy) leads from the point before to this one, and the first point is the origin:
  its frame is (0, 0). eos is 1 at the last point of a stroke, whose next offset is a jump in the
  air. The offsets are integers, so that their density is unbounded: train with
  ``UniformDequantise(centred=True)``.
- **Left away.** The time of each point. A point at the very place of the one before it in its
  stroke, which says when and not where (counted, attribute ``repeated_points``).
- **Outliers.** Nothing is clipped. A drawing with fewer than two points, or with one more than a
  whole canvas outside of the canvas, is left out, named and counted (attribute ``left_out``).
- **Split** by the writer's number, 1 to 20 in each alphabet: a permutation that follows from the
  seed gives 70 % of the numbers to training, 10 % to validation and the others to the test. The
  archives do not say whether a number is the same person in two alphabets; split this way, no
  writer of the test is seen in training either way.

    python -m data_prep.omniglot --source FOLDER --out data/omniglot.h5

Human-level concept learning through probabilistic program induction (Lake, Salakhutdinov,
Tenenbaum, 2015), https://github.com/brendenlake/omniglot
"""

from __future__ import annotations

__all__ = [
    "ARCHIVES",
    "Drawing",
    "pixel_size",
    "prepare",
    "read_drawings",
    "split_writers",
    "whole_pixels",
]

import math
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_prep.sources import command_line, origin, read_zip, require_file, run
from data_prep.splits import split_shares
from data_prep.strokes import PenSequence, drop_repeats, write_strokes
from seqmdn.data import stroke_frames

ARCHIVES = ("strokes_background_small1.zip", "strokes_background_small2.zip")
TRAIN, VALID = 0.7, 0.1  # of the writers; the others are for the test
CANVAS = 105  # units, in both directions; the vertical ones count from 0 down to -105

Points = NDArray[np.float64]

_MEMBER = re.compile(r"[^/]+/(?P<alphabet>[^/]+)/(?P<character>[^/]+)/\d+_(?P<writer>\d+)\.txt")


class Drawing(NamedTuple):
    """One drawing: who drew what, and the points (P, 2) of each stroke."""

    alphabet: str
    character: str
    writer: str
    strokes: list[Points]

    @property
    def name(self) -> str:
        """What stands as the drawing's text."""
        return f"{self.alphabet}/{self.character}/{self.writer}"


def prepare(source: Path, out: Path, seed: int = 0) -> list[str]:
    """Writes the store from the folder that holds the archives; says what was left away."""
    drawings, doubles = read_drawings(source)
    pixels = {
        alphabet: pixel_size([each for each in drawings if each.alphabet == alphabet])
        for alphabet in sorted({each.alphabet for each in drawings})
    }
    splits = split_writers(drawings, seed)
    sequences, left_out, repeated = [], [], 0
    for each in drawings:
        strokes, dropped = drop_repeats(whole_pixels(each, pixels[each.alphabet]))
        repeated += dropped
        if sum(map(len, strokes)) < 2:
            left_out.append(f"{each.name}: fewer than 2 points")
        elif np.abs(np.concatenate(each.strokes)).max() > 2 * CANVAS:
            left_out.append(f"{each.name}: a point more than a canvas outside of the canvas")
        else:
            sequences.append(PenSequence(stroke_frames(strokes), splits[each.writer], each.name))
    said = write_strokes(
        out,
        sequences,
        name="omniglot",
        unit="pixel",
        sequence="drawing",
        y_axis="up",
        source=[origin(source / name) for name in ARCHIVES],
        licence="MIT (Omniglot)",
        command=f"python -m data_prep.omniglot --source $SEQMDN_DATA/omniglot --seed {seed}",
        left_out=left_out,
        resolution=1,
        text_is="name",
        attributes={
            "alphabets": ", ".join(pixels),
            "alphabet_pixel": np.array(list(pixels.values())),
            "doubles": doubles,
            "repeated_points": repeated,
            "seed": seed,
        },
    )
    return [
        f"{doubles} drawings were in both archives, and are taken once",
        f"{repeated} points repeated the one before them, and are left away",
        *said,
    ]


def read_drawings(source: Path) -> tuple[list[Drawing], int]:
    """Gives the drawings of both archives in the order of their names, and counts the doubles.

    Raises:
        FileNotFoundError: If an archive is missing.
        ValueError: If one is damaged or holds something else; the message names file and line.
    """
    found: dict[tuple[str, str, str], tuple[str, bytes]] = {}
    doubles = 0
    for name in ARCHIVES:
        path = source / name
        remedy = (
            f"take python/{name} from github.com/brendenlake/omniglot and give its folder as "
            "--source"
        )
        require_file(path, "Omniglot's strokes", remedy)
        members = [
            (f"{path}:{member}", _MEMBER.fullmatch(member), content)
            for member, content in read_zip(path, ".txt")
        ]
        strange = [where for where, match, _ in members if match is None]
        if strange or not members:
            raise ValueError(
                f"{path}: expected drawings such as strokes_background_small1/Latin/character01/"
                f"0683_01.txt, found {strange[0] if strange else 'none'}: download it again"
            )
        for where, match, content in members:
            assert match is not None
            key = (match["alphabet"], match["character"], match["writer"])
            if key in found:
                doubles += 1
                if found[key][1] != content:
                    raise ValueError(
                        f"{where}: expected the drawing of {found[key][0]}, found another one: "
                        "download the archives again"
                    )
            found.setdefault(key, (where, content))
    return [Drawing(*key, _parse(*found[key])) for key in sorted(found)], doubles


def pixel_size(drawings: list[Drawing]) -> float:
    """Finds the distance of an alphabet's grid: all distances are whole multiples of it.

    Raises:
        ValueError: If some are not.
    """
    steps = [np.abs(np.diff(np.concatenate(each.strokes), axis=0)) for each in drawings]
    moved = np.concatenate(steps).ravel()
    moved = moved[moved > 1e-3]
    if not len(moved):
        return 1.0
    counts = np.rint(moved / moved.min())
    pixel = float(moved.sum() / counts.sum())
    for each, distances in zip(drawings, steps, strict=True):
        away = np.abs(distances / pixel - np.rint(distances / pixel))
        if away.size and away.max() > 1e-3:
            raise ValueError(
                f"{each.name}: expected points on {each.alphabet}'s grid of {pixel:.6f} units, "
                f"found a distance of {distances.flat[away.argmax()]:.6f}: these are not the "
                "points as recorded"
            )
    return pixel


def whole_pixels(drawing: Drawing, pixel: float) -> list[Points]:
    """Gives the strokes (P, 2) in whole pixels from the drawing's first point."""
    first = drawing.strokes[0][0]
    return [np.rint((stroke - first) / pixel) for stroke in drawing.strokes]


def split_writers(drawings: list[Drawing], seed: int) -> dict[str, str]:
    """Gives the split of each writer's number."""
    return split_shares(sorted({each.writer for each in drawings}), seed, TRAIN, VALID)


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    what = "the pen strokes of Omniglot's two small background sets"
    parser = command_line("omniglot", what, " and ".join(ARCHIVES))
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the split, default: %(default)s"
    )
    run(parser, prepare, arguments)


def _parse(where: str, content: bytes) -> list[Points]:
    """Reads one file: START, then lines x,y,t, and BREAK at the end of each stroke."""
    strokes: list[Points] = []
    points: list[tuple[float, float]] = []
    lines = content.decode("ascii", errors="replace").split("\n")
    if lines[0].strip() != "START":
        raise ValueError(f"{where}, line 1: expected START, found {lines[0][:40]!r}: mend the file")
    for number, line in enumerate(lines[1:], start=2):
        words = line.strip()
        if words == "BREAK" and points:
            strokes.append(np.array(points))
            points = []
            continue
        if not words and number == len(lines):
            continue
        try:
            x, y, t = (float(word) for word in words.split(","))
        except ValueError:
            x = y = t = math.nan
        if not (math.isfinite(x) and math.isfinite(y) and math.isfinite(t)):
            raise ValueError(
                f"{where}, line {number}: expected finite numbers x,y,t, or BREAK after some, "
                f"found {words[:40]!r}: mend or leave out the file"
            )
        points.append((x, y))
    if points or not strokes:
        raise ValueError(
            f"{where}, line {len(lines)}: expected BREAK after the last stroke, found the end of "
            "the file: it is cut off"
        )
    return strokes


if __name__ == "__main__":
    main()
