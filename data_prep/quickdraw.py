"""Writes drawings of the game Quick, Draw!: one drawing a sequence, one pen point a frame.

Reads ``.ndjson`` files of a category each, one drawing a line, from a folder, a zip archive or
one by one, as their owner ships them: *raw*, where a stroke is three lists (x, y, t), or
*simplified*, where it is two (x, y) of whole numbers from 0 to 255.

- **Unit.** Raw drawings are brought into the simplified form by the steps that its owner documents:
  moved to the corner, so that the least x and y are 0; scaled, so that the longer side is 255;
  points 1 unit apart along each stroke (its last point stays); thinned with a tolerance of 2
  (:func:`seqmdn.data.simplify`); rounded to whole units. With ``--raw``, the recorded points stay,
  rounded to whole pixels of the player's screen. The vertical axis points down. The offsets are
  integers, so that their density is unbounded: train with ``UniformDequantise(centred=True)``.
- **Frames** [dx, dy, eos] are those of :mod:`data_prep.omniglot`: the first point is the origin,
  and eos is 1 at the last point of a stroke. A stroke of one point is a dot, and stays.
- **Left away.** The time of each point, and a point at the very place of the one before it in its
  stroke (counted, attribute ``repeated_points``).
- **Text** is the category's name. Drawings that the game did not recognise stay unless
  ``--recognised``.
- **Split** by a hash of the drawing's key and the seed, some 80/10/10 %: a drawing stays in its
  split whatever else is read.
- **Outliers.** Nothing is clipped. A drawing with fewer than two points or more than ``--longest``
  is left out, named and counted (attribute ``left_out``).

    python -m data_prep.quickdraw --source FOLDER_OR_FILE --out data/quickdraw.h5

The Quick, Draw! Dataset, https://github.com/googlecreativelab/quickdraw-dataset
"""

from __future__ import annotations

__all__ = ["prepare", "simplified"]

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_prep.sources import command_line, origin, read_zip, run
from data_prep.strokes import PenSequence, drop_repeats, write_strokes
from seqmdn.data import simplify, stroke_frames

ARCHIVE = "quickdraw_ndjson.zip"
SIDE, TOLERANCE = 255, 2.0  # units
TRAIN, VALID = 0.8, 0.1
_FURTHEST = 2.0**53  # pixels or milliseconds: whole numbers beyond are not exact

Points = NDArray[np.float64]


class _Drawing(NamedTuple):
    key: str
    word: str
    recognised: bool
    timed: bool
    strokes: list[Points]


def prepare(
    source: Path,
    out: Path,
    raw: bool = False,
    recognised: bool = False,
    longest: int = 500,
    most: int | None = None,
    seed: int = 0,
) -> list[str]:
    """Writes the store from a folder, an archive or one file; says what was left out.

    Raises:
        FileNotFoundError: If there are no such files.
        ValueError: If a line is no drawing, or a simplified one where raw ones are wanted; the
            message names file and line.
    """
    files, described = _open(source)
    sequences: list[PenSequence] = []
    left_out, repeated = [], 0
    for name, lines in files:
        taken = 0
        for number, line in enumerate(lines, 1):
            where = f"{name}, line {number}"
            if taken == most:
                break
            drawing = _parse(line, where)
            if raw and not drawing.timed:
                raise ValueError(
                    f"{where}: expected a raw drawing, strokes of [x, y, t], found a simplified "
                    "one: leave --raw away"
                )
            if recognised and not drawing.recognised:
                continue
            taken += 1
            strokes = [np.rint(each) + 0.0 for each in drawing.strokes]
            if drawing.timed and not raw:
                strokes = simplified(drawing.strokes)
            kept, dropped = drop_repeats(strokes)
            points = sum(map(len, kept))
            if 2 <= points <= longest:
                repeated += dropped
                split = _split(drawing.key, seed)
                sequences.append(PenSequence(stroke_frames(kept), split, drawing.word))
            else:
                why = "fewer than 2" if points < 2 else f"{points}, more than {longest}"
                left_out.append(f"{drawing.word}/{drawing.key}: {why} points")
    options = (" --raw" if raw else "") + (" --recognised" if recognised else "")
    options += f" --longest {longest}" + ("" if most is None else f" --most {most}")
    said = write_strokes(
        out,
        sequences,
        name="quickdraw",
        unit="pixel" if raw else "canvas unit",
        sequence="drawing",
        y_axis="down",
        source=described,
        licence="CC BY 4.0 (The Quick, Draw! Dataset, Google)",
        command=f"python -m data_prep.quickdraw --source $SEQMDN_DATA/quickdraw{options} "
        f"--seed {seed}",
        left_out=left_out,
        resolution=1,
        text_is="name",
        attributes={
            "categories": len({each.text for each in sequences}),
            "repeated_points": repeated,
            "longest": longest,
            "seed": seed,
        },
    )
    return [f"{repeated} points repeated the one before them, and are left away", *said]


def simplified(strokes: Sequence[Points]) -> list[Points]:
    """Brings a drawing into the owner's simplified form.

    Args:
        strokes: The points (P, 2) of each.

    Returns:
        As many strokes (Q, 2) of whole numbers from 0 to 255. Of points that are all at one place,
        each stroke is one point at 0.

    Example:
        >>> [stroke.tolist() for stroke in simplified([np.array([[7.0, 1], [8, 1], [9, 2]])])]
        [[[0.0, 0.0], [128.0, 0.0], [255.0, 128.0]]]
    """
    points = np.concatenate(strokes)
    corner, side = points.min(axis=0), np.ptp(points, axis=0).max()
    if not side:
        return [np.zeros((1, 2)) for _ in strokes]
    scaled = [(stroke - corner) * (SIDE / side) for stroke in strokes]
    return [np.rint(simplify(_evenly(stroke), TOLERANCE)) + 0.0 for stroke in scaled]


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    layout = f"{ARCHIVE} or .ndjson files, or one of them"
    parser = command_line("quickdraw", "drawings of the game Quick, Draw!", layout)
    parser.add_argument("--raw", action="store_true", help="keep the points as recorded")
    parser.add_argument(
        "--recognised", action="store_true", help="only drawings that the game recognised"
    )
    parser.add_argument(
        "--longest", type=int, default=500, help="points of a drawing, default: %(default)s"
    )
    parser.add_argument("--most", type=int, help="drawings of a file, its first ones, default: all")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the split, default: %(default)s"
    )
    run(parser, prepare, arguments)


def _open(source: Path) -> tuple[Iterator[tuple[str, Iterator[bytes]]], list[dict[str, str]]]:
    """Gives the lines of each file by its name, and what the store names as its sources."""
    archive = source / ARCHIVE if source.is_dir() else source
    if archive.is_file() and archive.suffix != ".ndjson":
        members = read_zip(archive, ".ndjson")
        files = [(f"{archive}:{name}", content) for name, content in members]
        if files:
            return ((name, iter(content.splitlines())) for name, content in files), [
                origin(archive)
            ]
    paths = sorted(source.glob("*.ndjson")) if source.is_dir() else [source]
    paths = [path for path in paths if path.is_file() and path.suffix == ".ndjson"]
    if not paths:
        raise FileNotFoundError(
            f"expected {ARCHIVE} or .ndjson files at {source}, found neither: take those of some "
            "categories from github.com/googlecreativelab/quickdraw-dataset"
        )
    return ((str(path), _lines(path)) for path in paths), [origin(path) for path in paths]


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _parse(line: bytes, where: str) -> _Drawing:
    try:
        content = json.loads(line)
        strokes = content["drawing"]
        found = _Drawing(
            str(content["key_id"]),
            content["word"],
            content["recognized"],
            len(strokes[0]) == 3,
            [_stroke(each, len(strokes[0])) for each in strokes],
        )
        if not isinstance(found.word, str) or not isinstance(found.recognised, bool):
            raise ValueError("another word or recognized")
    # Whatever is another type than it should be raises an error of its own kind.
    except (ValueError, KeyError, TypeError, IndexError, RecursionError, OverflowError) as error:
        raise ValueError(
            f"{where}: expected a drawing with key_id, word, recognized and drawing, strokes of "
            f"[x, y, t] or of [x, y] in 0 to {SIDE}, found {line[:40]!r} "
            f"({type(error).__name__}: {str(error)[:80]}): mend or remove the line"
        ) from error
    return found


def _stroke(content: Any, lists: int) -> Points:
    numbers = np.array(content, np.float64)
    if lists not in (2, 3) or numbers.ndim != 2 or len(numbers) != lists or not numbers.size:
        raise ValueError(f"a stroke of shape {numbers.shape}")
    # A canvas so large that distances on it are not finite is none.
    if not np.isfinite(numbers).all() or np.abs(numbers).max() > _FURTHEST:
        raise ValueError("a number that is not finite, or of no canvas and no clock")
    if lists == 2 and not (np.isin(numbers, np.arange(SIDE + 1))).all():
        raise ValueError(f"{numbers.min()} to {numbers.max()}")
    return numbers[:2].T


def _evenly(stroke: Points) -> Points:
    """Gives points 1 unit apart along a stroke, and its last point."""
    along = np.concatenate([[0.0], np.hypot(*np.diff(stroke, axis=0).T).cumsum()])
    places = np.append(np.arange(0.0, along[-1]), along[-1])
    return np.stack([np.interp(places, along, stroke[:, axis]) for axis in (0, 1)], axis=1)


def _split(key: str, seed: int) -> str:
    digest = hashlib.sha256(f"{seed} {key}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    return "train" if place < TRAIN else "valid" if place < TRAIN + VALID else "test"


if __name__ == "__main__":
    main()
