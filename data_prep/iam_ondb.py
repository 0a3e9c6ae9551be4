"""Writes handwritten lines of the IAM On-Line Handwriting Database: one line a sequence.

Reads its owner's layout, for forms such as a01-000u: ``lineStrokes/a01/a01-000/a01-000u-01.xml``
and so on, the strokes of each line on a whiteboard; ``ascii/a01/a01-000/a01-000u.txt``, whose
section ``CSR:`` has a line for each, -01 first; and the lists of forms of the owner's task 1.

- **Frames** [dx, dy, eos]: (dx, dy) leads from the point before to this one, in units of the
  whiteboard's sensor, and eos is 1 at the last point of a stroke. As in the literature, the first
  point of a line is no frame here, so that a line of P points has P - 1 frames. The vertical axis
  points down. All recorded points stay, repeated ones included; their time is left away.
- **Text** is the line's transcription.
- **Split** by the owner's lists, which share no writers: ``trainset.txt`` is for training,
  ``testset_v.txt`` for validation, ``testset_f.txt`` for the test. ``testset_t.txt``, the second
  validation set of task 1, is not used. Graves (2013) trained on all lists but ``testset_v.txt``,
  on which he stopped early, and had no test. A training here wants one: ``--train trainset.txt
  testset_t.txt --valid testset_v.txt --test testset_f.txt`` comes nearest to his.
- **Outliers.** Nothing is clipped. A line with an offset of more than ``--largest`` units in x or
  y, of fewer than three points, without transcription, or of a sensor elsewhere than at the top
  left corner is left out, named and counted (attribute ``left_out``), as are forms of the lists of
  which there is no line.

    python -m data_prep.iam_ondb --source FOLDER --out data/iam_ondb.h5

IAM-OnDB, an on-line English sentence database acquired from handwritten text on a whiteboard
(Liwicki, Bunke, 2005), https://fki.tic.heia-fr.ch/databases/iam-on-line-handwriting-database;
Generating sequences with recurrent neural networks (Graves, 2013), https://arxiv.org/abs/1308.0850
"""

from __future__ import annotations

__all__ = ["prepare"]

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data_prep.sources import command_line, folder_sha256, origin, require_file, run
from data_prep.strokes import PenSequence, write_strokes
from data_prep.whiteboard import read_whiteboard
from seqmdn.data import stroke_frames
from seqmdn.reading import read_text

TRAIN, VALID, TEST = ("trainset.txt",), ("testset_v.txt",), ("testset_f.txt",)
REMEDY = "register for the database at its owner's, and unpack lineStrokes, ascii and the lists"

_FORM = re.compile(r"[a-z]\d{2}-\d{3}[a-z]?")
_LINE = re.compile(r"(?P<form>.+)-(?P<number>\d{2,})")


def prepare(
    source: Path,
    out: Path,
    train: Sequence[str] = TRAIN,
    valid: Sequence[str] = VALID,
    test: Sequence[str] = TEST,
    largest: float = 2000.0,
) -> list[str]:
    """Writes the store from the folder that holds ``lineStrokes``, ``ascii`` and the lists.

    Raises:
        FileNotFoundError: If a list is missing.
        ValueError: If a list or a line is not what it should be, or a form is in two lists; the
            message names file and line.
    """
    lists = {"train": tuple(train), "valid": tuple(valid), "test": tuple(test)}
    sequences: list[PenSequence] = []
    left_out, used = [], set()
    for form, split in _read_lists(source, lists).items():
        inside = Path(form[:3]) / form[:7]
        lines = sorted((source / "lineStrokes" / inside).glob(f"{form}-*.xml"))
        if not lines:
            left_out.append(f"{form}: no lines in lineStrokes/{inside.as_posix()}")
            continue
        words = source / "ascii" / inside / f"{form}.txt"
        texts = _read_texts(words) if words.is_file() else []
        used |= {words} if words.is_file() else set()
        for path in lines:
            used.add(path)
            match = _LINE.fullmatch(path.stem)
            number = int(match["number"]) if match and match["form"] == form else 0
            text = texts[number - 1] if 0 < number <= len(texts) else ""
            strokes, corner = read_whiteboard(path)
            frames = stroke_frames(strokes)[1:] if sum(map(len, strokes)) > 1 else np.zeros((0, 3))
            furthest = float(np.abs(frames[:, :2]).max(initial=0))
            if corner not in ("top_left", ""):
                left_out.append(f"{path.stem}: a sensor at the corner {corner}")
            elif not text:
                left_out.append(f"{path.stem}: no transcription")
            elif len(frames) < 2:
                left_out.append(f"{path.stem}: fewer than 3 points")
            elif furthest > largest:
                left_out.append(f"{path.stem}: an offset of {furthest:g} units")
            else:
                sequences.append(PenSequence(frames, split, text))
    if not sequences:
        raise FileNotFoundError(
            f"expected lines such as lineStrokes/a01/a01-000/a01-000u-01.xml in {source}, found "
            f"none that can be used ({left_out[0]}): {REMEDY}"
        )
    grid = all((each.frames == np.rint(each.frames)).all() for each in sequences)
    asked = "".join(f" --{split} {' '.join(names)}".rstrip() for split, names in lists.items())
    return write_strokes(
        out,
        sequences,
        name="iam_ondb",
        unit="sensor unit",
        sequence="line",
        y_axis="down",
        source=[
            *(origin(source / name) for names in lists.values() for name in names),
            {
                "file": "lineStrokes/**/*.xml and ascii/**/*.txt of the lists",
                "sha256": folder_sha256(source, [p.relative_to(source).as_posix() for p in used]),
            },
        ],
        licence="IAM On-Line Handwriting Database: non-commercial research, after registration",
        command=f"python -m data_prep.iam_ondb --source $SEQMDN_DATA/iam_ondb{asked} "
        f"--largest {largest:g}",
        left_out=left_out,
        resolution=1 if grid else None,
        text_is="transcription",
        attributes={"largest": largest},
    )


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    layout = "lineStrokes, ascii and the lists of forms"
    parser = command_line("iam_ondb", "lines of the IAM On-Line Handwriting Database", layout)
    for split, names in (("train", TRAIN), ("valid", VALID), ("test", TEST)):
        parser.add_argument(
            f"--{split}",
            nargs="*",
            default=names,
            metavar="LIST",
            help=f"lists of forms for this split, default: {' '.join(names)}",
        )
    parser.add_argument(
        "--largest",
        type=float,
        default=2000.0,
        help="largest offset of a line in x or y, in units, default: %(default)s",
    )
    run(parser, prepare, arguments)


def _read_lists(source: Path, lists: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """Gives the split of each form, in the order of the lists."""
    splits: dict[str, str] = {}
    for split, names in lists.items():
        for name in names:
            path = source / name
            require_file(path, "a list of forms", REMEDY)
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                form = line.strip()
                if form and (form in splits or not _FORM.fullmatch(form)):
                    raise ValueError(
                        f"{path}, line {number}: expected a form such as a01-000u, each in one "
                        f"list and once, found {form[:40]!r}: mend the lists"
                    )
                if form:
                    splits[form] = split
    if not splits:
        raise ValueError(f"{source}: expected forms in the lists, found none: give --train LIST")
    return splits


def _read_texts(path: Path) -> list[str]:
    """Gives the lines of the section CSR, corrected by the owner; the first one is line -01."""
    lines = [line.strip() for line in read_text(path, "latin-1").splitlines()]
    section = lines[lines.index("CSR:") + 1 :] if "CSR:" in lines else []
    while section and not section[0]:
        section.pop(0)
    return section


if __name__ == "__main__":
    main()
