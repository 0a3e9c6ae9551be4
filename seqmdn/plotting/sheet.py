"""A sheet of paper with drawings on it: where each stands, at one scale, in the data's unit."""

from __future__ import annotations

__all__ = ["WRITING", "Drawing", "Sheet", "Stroke", "lay_out", "pen_row"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqmdn.plotting.page import GIVEN
from seqmdn.plotting.rows import Array, Row, kind_of
from seqmdn.plotting.strokes import part_at, stroke_lines

WRITING = 1.7  # drawings that many times as wide as high are words, and begin at the left

_ACROSS = 16  # square drawings beside each other
_HUGE = 3.0  # times the usual size; what is larger would make all others small
_PEN = 0.04  # width of a line, as a share of the height of what it writes


@dataclass(frozen=True)
class Stroke:
    """What the pen drew between touching the paper and leaving it.

    Attributes:
        points: Its points on the sheet, (P, 2), counted to the right and downwards.
        first: The frame of the first of them; each other point is that of the next frame.
        colour: The colour of the ink.
    """

    points: Array
    first: int
    colour: str


@dataclass(frozen=True)
class Drawing:
    """A drawing in its place.

    Attributes:
        strokes: Its strokes in the order they were drawn.
        title: What stands above it; may be empty.
        place: Where the title's line begins (for writing) or has its middle, (2,).
    """

    strokes: tuple[Stroke, ...]
    title: str
    place: tuple[float, float]


@dataclass(frozen=True)
class Sheet:
    """A sheet, measured in the unit of the data.

    Attributes:
        width: Its width.
        height: Its height.
        pen: The width of a line.
        letters: The size of the letters of titles.
        centred: Whether titles stand over the middle of the drawings, or else over their left end.
        headings: The names of blocks of drawings, with the place of each.
        drawings: The drawings.
    """

    width: float
    height: float
    pen: float
    letters: float
    centred: bool
    headings: tuple[tuple[str, tuple[float, float]], ...]
    drawings: tuple[Drawing, ...]


def pen_row(
    name: str,
    colour: str,
    sequences: Sequence[npt.ArrayLike],
    titles: Sequence[str] | None = None,
    starts: Sequence[int] | None = None,
) -> Row:
    """Make a row of drawings of unequal length, each (T, 3) or wider.

    Raises:
        ValueError: If there is no drawing, a frame is not finite, or titles or starts are not one a
            drawing.
    """
    frames = [np.asarray(each, dtype=np.float64) for each in sequences]
    if not frames:
        raise ValueError(f"{name}: expected at least one drawing; found none")
    for number, each in enumerate(frames):
        wrong = np.argwhere(~np.isfinite(each))
        if len(wrong):
            called = f" ({titles[number]})" if titles and number < len(titles) else ""
            raise ValueError(
                f"{name} drawing {number}{called}: expected finite frames; found "
                f"{each[tuple(wrong[0])]} in frame {wrong[0][0]}: leave this drawing out"
            )
    return Row(name, colour, tuple(frames), tuple(titles or ()), tuple(starts or ()))


def lay_out(blocks: Sequence[Row], attributes: Mapping[str, Any]) -> Sheet:
    """Place drawings in lines beneath each other, block by block, all at one scale.

    Drawings that are wider than high are writing: they begin at the left of their column, and those
    beside each other stand on one line by the middle of their ink. Others stand in the middle of
    their cell. A drawing of more than three times the usual size is made as small as that. The pen
    is 1/25 as wide as a usual drawing is high.

    Args:
        blocks: The drawings. The usual size is that of the first block; of every block but the
            last, which the others are there to be compared with, one line is shown.
        attributes: How the data want to be seen (:mod:`seqmdn.plotting`).

    Raises:
        ValueError: If the data are no strokes, or the frames are not (T, 3) or wider.
    """
    if kind_of(attributes) != "strokes":
        raise ValueError(
            f"expected data of kind 'strokes'; found {kind_of(attributes)!r}: draw it as .png"
        )
    lines, usual = _sized([[_upright(e, attributes) for e in b.sequences] for b in blocks])
    high = max(usual[1], usual[0] / 8)
    writing = bool(usual[0] > WRITING * high)
    cell = np.max([_size(each) for block in lines for each in block], axis=0)  # (2,)
    cell = np.maximum(cell, high / 2)
    gap = np.array([0.5, 0.36]) * high
    across = _columns(max(len(block) for block in lines), cell[0] / high)
    longest = max((len(title) for block in blocks for title in block.titles), default=0)
    letters = float(np.clip(cell[0] / (0.58 * max(longest, 1)), 0.12 * high, 0.26 * high))
    headings, drawings = [], []
    top = edge = 0.5 * high
    for block, inside in zip(blocks, lines, strict=True):
        if len(blocks) > 1:
            headings.append((block.name, (edge, top + 0.5 * letters)))
            top += 0.5 * letters + gap[1]
        shown = len(inside) if block is blocks[-1] else across
        for start in range(0, min(shown, len(inside)), across):
            top += 1.5 * letters if any(block.titles[start : start + across]) else 0.0
            beside = [_centred(each, writing) for each in inside[start : start + across]]
            above, below = np.max([_reach(each) for each in beside], axis=0)
            for column, each in enumerate(beside):
                number = start + column
                left = edge + column * (cell[0] + gap[0]) + (0.0 if writing else cell[0] / 2)
                moved = [line + [left, top + above] for line in each]
                given = block.starts[number] if block.starts else 0
                title = block.titles[number] if block.titles else ""
                place = (float(left), float(top - 0.5 * letters))
                drawings.append(Drawing(_inked(moved, given, block.colour), title, place))
            top += above + below + gap[1]
    return Sheet(
        width=float(2 * edge + across * (cell[0] + gap[0]) - gap[0]),
        height=float(top - gap[1] + edge),
        pen=float(_PEN * high),
        letters=letters,
        centred=not writing,
        headings=tuple(headings),
        drawings=tuple(drawings),
    )


def _sized(blocks: list[list[list[Array]]]) -> tuple[list[list[list[Array]]], Array]:
    """Make drawings that are far too large smaller; give the usual size of one, too."""
    sizes = [_size(each) for each in blocks[0]]
    usual = np.median([size for size in sizes if size.max() > 0] or [np.ones(2)], axis=0)
    sized = []
    for block in blocks:
        most = [max(_size(each).max() / (_HUGE * usual.max()), 1.0) for each in block]
        sized.append([[line / by for line in each] for each, by in zip(block, most, strict=True)])
    return sized, usual


def _upright(frames: Array, attributes: Mapping[str, Any]) -> list[Array]:
    """Follow the pen; the sheet counts downwards, as most pens do."""
    down = np.array([1.0, -1.0 if attributes.get("y_axis") == "up" else 1.0])
    return [line * down for line in stroke_lines(frames, attributes.get("resolution"))]


def _size(lines: list[Array]) -> Array:
    return np.ptp(np.concatenate(lines), axis=0) if lines else np.zeros(2)


def _columns(count: int, aspect: float) -> int:
    """Share the drawings evenly among as few lines as they fit on."""
    most = int(np.clip(round(_ACROSS / aspect), 1, _ACROSS))
    return -(-count // -(-count // most))


def _centred(lines: list[Array], writing: bool) -> list[Array]:
    """Move a drawing so that what is put on its place is the origin."""
    if not lines:
        return lines
    points = np.concatenate(lines)
    low, high = points.min(axis=0), points.max(axis=0)
    # Most ink is between the base line and the height of an x, whatever goes above or below.
    place = np.array([low[0], np.median(points[:, 1])]) if writing else (low + high) / 2
    return [line - place for line in lines]


def _reach(lines: list[Array]) -> tuple[float, float]:
    """Give how far a drawing goes above and below the origin."""
    heights = np.concatenate([*lines, np.zeros((1, 2))])[:, 1]
    return float(-heights.min()), float(heights.max())


def _inked(lines: list[Array], given: int, colour: str) -> tuple[Stroke, ...]:
    """Say which frames drew each line, and with which ink."""
    strokes, frame = [], 0
    before, after = part_at(lines, given)
    for line in before:
        strokes.append(Stroke(line, frame, GIVEN))
        frame += len(line)
    for number, line in enumerate(after):
        # The first line after the given ones may begin at the last given point.
        again = number == 0 and frame + sum(map(len, after)) > sum(map(len, lines))
        strokes.append(Stroke(line, frame - again, colour))
        frame += len(line) - again
    return tuple(strokes)
