"""Files of one's own pen: drawings as JSON, or one drawing as CSV."""

from __future__ import annotations

__all__ = ["PenDrawing", "read_pen_file"]

import csv
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqmdn.reading import read_json, read_text

Points = NDArray[np.float64]

_COLUMNS = ("stroke", "x", "y")
_FORM = '{"strokes": [[[x, y], ...], ...], "text": "..."}'


class PenDrawing(NamedTuple):
    """One drawing of a pen.

    Attributes:
        text: What was written, or the drawing's name; None where the file has none.
        strokes: The points (P, 2) of each stroke, in the file's own unit and axes.
    """

    text: str | None
    strokes: list[Points]


def read_pen_file(path: str | os.PathLike[str]) -> list[PenDrawing]:
    """Reads the drawings of a file by its ending.

    - ``.json``: one object ``{"strokes": [[[x, y], ...], ...], "text": "..."}`` or a list of such.
      ``text`` may be missing; further numbers of a point (time, pressure) and further keys of an
      object are left away.
    - ``.csv``: one drawing, a point a line in the order in which they were drawn, under a header
      with the columns ``stroke``, ``x`` and ``y``; others are left away. A stroke ends where the
      value of ``stroke`` changes. The text is that of ``NAME.txt`` beside ``NAME.csv``, if there is
      one.

    The unit and the direction of the axes are the file's own.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file has another ending or form, no strokes, an empty stroke, or
            something else than finite numbers; the message names the file and the line (CSV), or
            the drawing and the stroke (JSON).

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(f"{folder}/tick.json")
        ...     _ = file.write_text('{"strokes": [[[0, 0, 17], [1, 2, 34]], [[5, 5, 80]]]}')
        ...     (drawing,) = read_pen_file(file)
        >>> drawing.text, [stroke.tolist() for stroke in drawing.strokes]
        (None, [[[0.0, 0.0], [1.0, 2.0]], [[5.0, 5.0]]])
    """
    path = Path(path)
    readers = {".json": _read_json, ".csv": _read_csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ValueError(
            f"{path}: expected a file of pen strokes, .json or .csv, found the ending "
            f"{path.suffix!r}: convert it"
        )
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a file of pen strokes, found no such file")
    return reader(path)


def _read_json(path: Path) -> list[PenDrawing]:
    content = read_json(path)
    drawings = content if isinstance(content, list) else [content]
    if not drawings:
        raise ValueError(f"{path}: expected {_FORM} or a list of them, found an empty list")
    return [_drawing(each, f"{path}, drawing {at}") for at, each in enumerate(drawings, 1)]


def _drawing(content: Any, where: str) -> PenDrawing:
    strokes = content.get("strokes") if isinstance(content, dict) else None
    if not isinstance(strokes, list) or not strokes:
        raise ValueError(
            f"{where}: expected {_FORM} with at least one stroke, found {_short(content)}"
        )
    text = content.get("text")
    if text is not None and not isinstance(text, str):
        raise ValueError(f"{where}: expected text in quotes, found {_short(text)}: quote it")
    return PenDrawing(
        text, [_stroke(each, f"{where}, stroke {at}") for at, each in enumerate(strokes, 1)]
    )


def _stroke(content: Any, where: str) -> Points:
    if not isinstance(content, list) or not content:
        raise ValueError(
            f"{where}: expected points [[x, y], ...], found {_short(content)}: mend or remove it"
        )
    for number, point in enumerate(content, 1):
        numbers = point[:2] if isinstance(point, list) else []
        if len(numbers) < 2 or not all(_is_number(each) for each in numbers):
            raise ValueError(
                f"{where}, point {number}: expected finite numbers [x, y], found {_short(point)}: "
                "mend or remove it"
            )
    return np.array([point[:2] for point in content], np.float64)


def _is_number(value: Any) -> bool:
    # A JSON file may hold NaN, and whole numbers that no float can.
    try:
        return type(value) in (int, float) and math.isfinite(value)
    except OverflowError:
        return False


def _read_csv(path: Path) -> list[PenDrawing]:
    lines = _lines(path)
    _, cells = next(lines, (1, []))
    header = [name.strip() for name in cells]
    if any(header.count(name) != 1 for name in _COLUMNS):
        raise ValueError(
            f"{path}, line 1: expected a header with the columns {', '.join(_COLUMNS)}, found "
            f"{_short(','.join(header))}: name them so"
        )
    columns = [header.index(name) for name in _COLUMNS]
    strokes: list[list[tuple[float, float]]] = []
    before: str | None = None
    for number, line in lines:
        if not line:
            continue
        stroke, x, y = _point(line, columns, f"{path}, line {number}")
        if stroke != before:
            strokes.append([])
        strokes[-1].append((x, y))
        before = stroke
    if not strokes:
        raise ValueError(f"{path}: expected a point a line, found none below the header")
    beside = path.with_suffix(".txt")
    text = read_text(beside, "utf-8-sig").strip() if beside.is_file() else None
    return [PenDrawing(text, [np.array(stroke) for stroke in strokes])]


def _point(line: list[str], columns: list[int], where: str) -> tuple[str, float, float]:
    words = [line[column].strip() if column < len(line) else "" for column in columns]
    try:
        x, y = float(words[1]), float(words[2])
    except ValueError:
        x = y = math.nan
    if not (words[0] and math.isfinite(x) and math.isfinite(y)):
        raise ValueError(
            f"{where}: expected a stroke and finite numbers x and y, found "
            f"{_short(','.join(line))}: mend or remove the line"
        )
    return words[0], x, y


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Gives the cells of each line, with its number."""
    reader = csv.reader(read_text(path, "utf-8-sig").splitlines())
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise ValueError(
            f"{path}, line {reader.line_num}: expected cells of text, found something else "
            f"({error}): mend the file"
        ) from error


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:40]}..."
