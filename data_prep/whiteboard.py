"""Strokes of a whiteboard in the XML of the IAM On-Line Handwriting Database."""

from __future__ import annotations

__all__ = ["Whiteboard", "read_whiteboard"]

import math
from pathlib import Path
from typing import NamedTuple, NoReturn
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


class Whiteboard(NamedTuple):
    """What was written.

    Attributes:
        strokes: The points (P, 2) of each stroke, in units of the sensor.
        corner: Where the sensor was, such as ``"top_left"``: x to the right and y down from there.
    """

    strokes: list[Points]
    corner: str


def read_whiteboard(path: Path) -> Whiteboard:
    """Reads a file: SensorLocation, and StrokeSet, in it Stroke, in it Point with x and y.

    Strokes without points are left away. A document type is refused, since its entities can name
    other files, or one another until the memory is full.

    Raises:
        ValueError: If the file is no XML of this form, has a document type or no strokes, or a
            point's x or y is no finite number; the message names file and line.
    """
    reader = _Reader(path)
    return Whiteboard(reader.strokes, reader.corner)


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: list[str] = []
        self._points: list[tuple[float, float]] = []
        self.strokes: list[Points] = []
        self.corner = ""
        self._parser = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = self._refuse_type
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        try:
            self._parser.Parse(path.read_bytes(), True)
        except expat.ExpatError as error:
            raise ValueError(
                f"{path}, line {error.lineno}: expected XML, found none "
                f"({expat.ErrorString(error.code)}): mend the file or download it again"
            ) from error
        # Of an encoding that Python does not know, or that is none of single bytes.
        except (LookupError, ValueError) as error:
            if str(error).startswith(str(path)):
                raise
            raise ValueError(
                f"{path}: expected XML in UTF-8, found another encoding ({error}): convert it"
            ) from error
        if not self.strokes:
            raise ValueError(f"{path}: expected a StrokeSet with strokes, found none: remove it")

    def _refuse_type(self, *_: object) -> None:
        self._fail("no document type", "one", "it can name other files, remove it")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._open.append(name)
        if name == "SensorLocation":
            self.corner = attributes.get("corner", "")
        if self._open[-3:] == ["StrokeSet", "Stroke", "Point"]:
            try:
                x, y = float(attributes["x"]), float(attributes["y"])
            except (KeyError, ValueError):
                x = y = math.nan
            if not (math.isfinite(x) and math.isfinite(y)):
                self._fail("a Point with finite x and y", str(attributes)[:60], "mend the file")
            self._points.append((x, y))

    def _end(self, name: str) -> None:
        if self._open[-2:] == ["StrokeSet", "Stroke"] and self._points:
            self.strokes.append(np.array(self._points))
            self._points = []
        self._open.pop()

    def _fail(self, expected: str, found: str, remedy: str) -> NoReturn:
        raise ValueError(
            f"{self._path}, line {self._parser.CurrentLineNumber}: expected {expected}, found "
            f"{found}: {remedy}"
        )
