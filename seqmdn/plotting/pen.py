"""Drawings as a vector file, with the lines of an ink pen."""

from __future__ import annotations

__all__ = ["save_pen_svg"]

import os
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from seqmdn.files import written_whole
from seqmdn.plotting.ink import path_parts, usual_step, width_levels
from seqmdn.plotting.page import INK, PEN
from seqmdn.plotting.sheet import Sheet, lay_out, pen_row

_PIXELS = 960  # width where nothing else says how large the file is to be shown


def save_pen_svg(
    path: str | os.PathLike[str],
    sequences: Sequence[npt.ArrayLike],
    attributes: Mapping[str, Any],
    *,
    titles: Sequence[str] | None = None,
    starts: Sequence[int] | None = None,
    reference: Sequence[npt.ArrayLike] | None = None,
    widths: bool = True,
) -> None:
    """Write drawings as an .svg file whose unit is that of the data.

    All drawings have one scale and stand in lines, as many beside each other as their shape allows
    (:func:`seqmdn.plotting.sheet.lay_out`). A drawing is a group; a stroke is a path through its
    points, rounded within the width of the pen, or a dot where it has one point only.

    Pens are read at equal times, so that the distance of two points is a speed, and a slow pen
    leaves more ink: widths follow speed^-0.3, in a few steps, each a path of its own. Where points
    lie further apart than the pen is wide, they were chosen by shape rather than time, and the
    width is the same everywhere.

    Args:
        path: The file, written whole or not at all.
        sequences: The frames of each drawing, (T, 3) or wider: [dx, dy, end, ...].
        attributes: How the data want to be seen (:mod:`seqmdn.plotting`); ``kind`` is "strokes".
        titles: What stands above each drawing.
        starts: How many first frames of each were given to the model: these are grey.
        reference: Real drawings; as many as fit on one line stand above the others.
        widths: Whether lines are wider where the pen was slow.

    Raises:
        ValueError: If there is no drawing, frames are not (T, 3) or wider or not finite, the data
            are no strokes, or titles or starts are not one a drawing.
        OSError: If the file cannot be written.
    """
    blocks = [pen_row("sampled", PEN, sequences, titles, starts)]
    if reference is not None and len(reference):
        blocks.insert(0, pen_row("real", INK, reference))
    sheet = lay_out(blocks, attributes)
    root = _drawn(sheet, widths)
    ElementTree.indent(root)
    with written_whole(path) as partial:
        ElementTree.ElementTree(root).write(partial, encoding="utf-8", xml_declaration=True)


def _drawn(sheet: Sheet, widths: bool) -> ElementTree.Element:
    # What is left out after the point is a thirtieth of the pen's width.
    digits = max(0, int(np.ceil(-np.log10(sheet.pen / 30))))
    width, height = f"{sheet.width:.{digits}f}", f"{sheet.height:.{digits}f}"
    root = ElementTree.Element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height}",
        width=str(_PIXELS),
        height=str(round(_PIXELS * sheet.height / sheet.width)),
    )
    # Without paper, dark ink is lost on a dark page.
    ElementTree.SubElement(root, "rect", width=width, height=height, fill="white")
    words = {"font-family": "sans-serif", "fill": "#777777", "font-size": f"{sheet.letters:.4g}"}
    names = ElementTree.SubElement(root, "g", {**words, "fill": INK})
    for name, place in sheet.headings:
        _write_text(names, name, place, digits)
    anchor = {"text-anchor": "middle"} if sheet.centred else {}
    names = ElementTree.SubElement(root, "g", {**words, **anchor})
    for drawing in sheet.drawings:
        if drawing.title:
            _write_text(names, drawing.title, drawing.place, digits)
    ink = {
        "fill": "none",
        "stroke-linecap": "round",
        "stroke-linejoin": "round",
        "stroke-width": f"{sheet.pen:.3g}",
    }
    pen = ElementTree.SubElement(root, "g", ink)
    usual = usual_step([stroke.points for each in sheet.drawings for stroke in each.strokes])
    dense = widths and usual < sheet.pen
    for drawing in sheet.drawings:
        group = ElementTree.SubElement(pen, "g")
        for stroke in drawing.strokes:
            levels = width_levels(stroke.points, usual if dense else None)
            parts = list(path_parts(stroke.points, levels, sheet.pen, digits))
            inside = group if len(parts) == 1 else ElementTree.SubElement(group, "g")
            for wide, path in parts:
                look = {"d": path, "stroke": stroke.colour}
                if wide != 1.0:
                    look["stroke-width"] = f"{sheet.pen * wide:.3g}"
                ElementTree.SubElement(inside, "path", look)
    return root


def _write_text(
    parent: ElementTree.Element, words: str, place: tuple[float, float], digits: int
) -> None:
    # A vector file holds no control characters.
    shown = "".join(letter if letter.isprintable() else " " for letter in words)
    x, y = (f"{part:.{digits}f}" for part in place)
    ElementTree.SubElement(parent, "text", x=x, y=y).text = shown
