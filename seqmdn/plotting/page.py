"""How every picture looks, and how it gets onto the disk."""

from __future__ import annotations

__all__ = [
    "GIVEN",
    "INK",
    "LIMIT",
    "PEN",
    "check_ending",
    "colour",
    "encoded",
    "line_style",
    "shaded",
    "style",
    "write",
]

import io
import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from seqmdn.files import written_whole

INK = "#333333"
PEN = "#1B2F6B"  # what models write with, where there is one model
GIVEN = "#ABABAB"  # what a model was given and did not write itself
# How the line of what no model can go below looks, in a picture and in its legend.
LIMIT: dict[str, Any] = {"color": INK, "linestyle": (0, (4, 3)), "linewidth": 0.9}

# Okabe and Ito's colours, apart for every kind of colour vision; yellow is too faint for a line.
_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_DPI = 110
_INVISIBLE = 1.0  # mean change of a pixel, of 255


def colour(index: int) -> str:
    """Give the colour of the model with that number; after the sixth they come again."""
    return _PALETTE[index % len(_PALETTE)]


def line_style(index: int) -> str:
    """Give the line of the model with that number; colours that come again are dashed, dotted."""
    return ("-", "--", ":", "-.")[index // len(_PALETTE) % 4]


def shaded(name: str) -> tuple[float, float, float]:
    """Darken a line's colour until words in it are readable on white."""
    red, green, blue = to_rgb(name)
    return 0.72 * red, 0.72 * green, 0.72 * blue


def style() -> AbstractContextManager[None]:
    """Set fonts and lines for the figures made and written inside the block."""
    return matplotlib.rc_context(
        {
            "font.size": 9,
            "axes.titlesize": 10,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": "#888888",
            "axes.labelcolor": INK,
            "axes.titlecolor": INK,
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "xtick.labelsize": 8,
            "ytick.labelsize": 8,
            "svg.hashsalt": "seqmdn",  # without it each file gets its own random names
        }
    )


def check_ending(path: str | os.PathLike[str]) -> None:
    """Refuse a name that does not say png or svg, before any work is done.

    Raises:
        ValueError: If it ends otherwise.
    """
    if Path(path).suffix.lower() not in (".png", ".svg"):
        raise ValueError(f"a picture's name ends in .png or .svg; found {os.fspath(path)!r}")


def encoded(figure: Figure, ending: str) -> bytes:
    """Give the content of a figure's file, ``".png"`` or ``".svg"``, inside a block of `style`."""
    return _svg(figure) if ending == ".svg" else _png(figure)


def write(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure under a temporary name and rename it when it is complete.

    Raises:
        OSError: If the file, or a folder for it, cannot be written.
    """
    target = Path(path)
    try:
        with written_whole(target) as partial:
            partial.write_bytes(encoded(figure, target.suffix.lower()))
    except OSError as error:
        raise OSError(
            f"cannot write the picture {str(target)!r} ({error.strerror or error}): "
            "name a file in a folder that can be written"
        ) from error


def _svg(figure: Figure) -> bytes:
    content = io.BytesIO()
    # A date would make two files of one figure differ.
    figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()


def _png(figure: Figure) -> bytes:
    drawn, content = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=_DPI)
    picture = Image.open(drawn).convert("RGB")
    # 256 colours make a third of the size, and only photographs need more.
    few = picture.quantize(
        256, method=Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE
    )
    error = np.abs(np.asarray(picture, np.int16) - np.asarray(few.convert("RGB"), np.int16))
    (few if error.mean() < _INVISIBLE else picture).save(content, format="png", optimize=True)
    return content.getvalue()
