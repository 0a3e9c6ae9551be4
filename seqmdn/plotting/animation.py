"""The writing of drawings as an animated picture."""

from __future__ import annotations

__all__ = ["save_pen_gif"]

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, ImageDraw, ImageFont

from seqmdn.files import written_whole
from seqmdn.plotting.ink import curve
from seqmdn.plotting.page import GIVEN, PEN
from seqmdn.plotting.rows import Array
from seqmdn.plotting.sheet import Drawing, Sheet, lay_out, pen_row

_PIXELS = (880, 1100)  # a picture is no wider and no higher
_FINE = 4  # pixels are drawn that much finer, and averaged
_SHADES = 7  # of each ink, between it and the paper
_TIP, _WORDS = "#D55E00", "#777777"
_HOLD = 1.2  # seconds of the last picture


def save_pen_gif(
    path: str | os.PathLike[str],
    sequences: Sequence[npt.ArrayLike],
    attributes: Mapping[str, Any],
    *,
    titles: Sequence[str] | None = None,
    starts: Sequence[int] | None = None,
    seconds: float = 6.0,
    frames_per_second: float = 12.0,
) -> None:
    """Write how drawings are written, all at once, as an animated .gif that begins again.

    Drawings stand as in :func:`seqmdn.plotting.save_pen_svg`. Every pen, its tip a dot, goes on by
    the same number of points from picture to picture, as many as it takes for the longest drawing
    to be done in ``seconds``; then all stay for a moment.

    Args:
        path: The file, written whole or not at all.
        sequences: The frames of each drawing, (T, 3) or wider: [dx, dy, end, ...].
        attributes: How the data want to be seen (:mod:`seqmdn.plotting`); ``kind`` is "strokes".
        titles: What stands above each drawing.
        starts: How many first frames of each were given to the model: these are grey.
        seconds: How long the writing takes.
        frames_per_second: Pictures a second, at most 50: programs that show them slow down others.

    Raises:
        ValueError: If ``seconds`` is not positive or ``frames_per_second`` not above 0 and up to
            50, there is no drawing, frames are not (T, 3) or wider or not finite, the data are no
            strokes, or titles or starts are not one a drawing.
        OSError: If the file cannot be written.
    """
    if not 0 < seconds < np.inf or not 0 < frames_per_second <= 50:
        raise ValueError(
            "expected seconds above 0 and frames_per_second above 0, at most 50; "
            f"found {seconds} and {frames_per_second}"
        )
    sheet = lay_out([pen_row("sampled", PEN, sequences, titles, starts)], attributes)
    longest = max(len(np.asarray(each)) for each in sequences)
    count = max(1, min(longest, round(seconds * frames_per_second)))
    reached = np.linspace(0, longest, count + 1)[1:]
    # The format counts in hundredths of a second.
    pause = 10 * max(2, round(100 * seconds / count))
    first, *others = _pictures(sheet, reached)
    with written_whole(path) as partial:
        first.save(
            partial,
            format="GIF",
            save_all=True,
            append_images=others,
            duration=[pause] * (count - 1) + [pause + round(1000 * _HOLD)],
            loop=0,
            disposal=1,  # what is on the paper stays there
            optimize=False,
        )


def _pictures(sheet: Sheet, reached: Array) -> Iterator[Image.Image]:
    """Draw the sheet as it is when each pen has come to a frame, for one number after another."""
    scale = min(_PIXELS[0] / sheet.width, _PIXELS[1] / sheet.height)
    size = (max(1, round(scale * sheet.width)), max(1, round(scale * sheet.height)))
    fine = scale * _FINE
    paper = Image.new("RGB", (size[0] * _FINE, size[1] * _FINE), "white")
    _write_titles(ImageDraw.Draw(paper), sheet, fine)
    brush = _Brush(ImageDraw.Draw(paper), max(fine * sheet.pen, 1.5 * _FINE))
    pieces = _pieces(sheet, fine)
    paths = [_path(drawing, fine) for drawing in sheet.drawings]
    palette, done = _palette(), 0
    for frame in reached:
        while done < len(pieces) and pieces[done][0] < frame:
            _, ink, *ends = pieces[done]
            brush.line(ink, *ends)
            done += 1
        shown = paper.copy()
        tip = _Brush(ImageDraw.Draw(shown), 2.4 * brush.width)
        for path in paths:
            if len(path) > frame:
                at = tuple(path[max(0, int(np.ceil(frame)) - 1)])
                tip.line(_TIP, at, at)
        yield shown.reduce(_FINE).quantize(palette=palette, dither=Image.Dither.NONE)


class _Brush:
    """A round brush."""

    def __init__(self, draw: ImageDraw.ImageDraw, width: float) -> None:
        self.draw = draw
        self.width = width

    def line(self, colour: str, start: tuple[float, ...], end: tuple[float, ...]) -> None:
        self.draw.line([*start, *end], fill=colour, width=round(self.width))
        reach = self.width / 2
        for x, y in (start, end):
            self.draw.ellipse([x - reach, y - reach, x + reach, y + reach], fill=colour)


def _pieces(sheet: Sheet, scale: float) -> list[tuple[Any, ...]]:
    """Cut all strokes into short pieces, in the order they are drawn: frame, colour, both ends."""
    pieces = []
    for drawing in sheet.drawings:
        for stroke in drawing.strokes:
            points, at = curve(stroke.points, sheet.pen)
            places = [tuple(point) for point in (points * scale).tolist()]
            for start, end, frame in zip(places[:1] + places, places, at, strict=False):
                pieces.append((stroke.first + float(frame), stroke.colour, start, end))
    return sorted(pieces, key=lambda piece: piece[0])


def _path(drawing: Drawing, scale: float) -> Array:
    """Give where the pen is at each frame, (T, 2)."""
    path = np.zeros((max((s.first + len(s.points) for s in drawing.strokes), default=0), 2))
    for stroke in drawing.strokes:
        path[stroke.first : stroke.first + len(stroke.points)] = stroke.points * scale
    return path


def _write_titles(draw: ImageDraw.ImageDraw, sheet: Sheet, scale: float) -> None:
    # Pillow's own font has no letters but those of English.
    name = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    font = ImageFont.truetype(str(name), size=max(1.0, scale * sheet.letters))
    for drawing in sheet.drawings:
        x, y = drawing.place
        words = drawing.title.replace("\n", " ")
        anchor = "ms" if sheet.centred else "ls"
        draw.text((scale * x, scale * y), words, fill=_WORDS, font=font, anchor=anchor)


def _palette() -> Image.Image:
    """Make a picture of all colours there are: each ink, and what its edges blend to."""
    inks = np.array([ImageColor.getrgb(name) for name in (PEN, GIVEN, _TIP, _WORDS)])  # (4, 3)
    shade = np.linspace(0.0, 1.0, _SHADES + 1)[1:, None, None]
    blends = [255 + shade * (inks - 255), inks[2] + shade[:-1] * (inks[0] - inks[2])]
    colours = np.concatenate([np.full((1, 3), 255.0), *(each.reshape(-1, 3) for each in blends)])
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.rint(colours).astype(np.uint8).ravel().tolist())
    return palette
