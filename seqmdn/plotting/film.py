"""Films: frames of several kinds side by side, one after another."""

from __future__ import annotations

__all__ = ["save_film"]

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from seqmdn.files import written_whole
from seqmdn.plotting.page import INK

_GAP, _LINE, _FONT = 8, 16, 12  # pixels
_HOLD = 1000  # milliseconds of the last picture
_COLOURS, _LOOKED_AT = 256, 16  # of all pictures together, chosen for so many of them


def save_film(
    path: str | os.PathLike[str],
    films: Mapping[str, NDArray[np.uint8]],
    *,
    frames_per_second: float = 25.0,
    scale: int = 3,
    given: int = 0,
) -> None:
    """Write films side by side as an animated .gif that begins again.

    Args:
        path: The file, written whole or not at all.
        films: Levels ``(T, height, width, 3)`` of each by its title, as many frames of each.
        frames_per_second: Pictures a second, at most 50: programs that show them slow down others.
        scale: Pixels that a pixel becomes, each way.
        given: How many first frames all have in common: a line says so while they last, below the
            titles of all but the first film.

    Raises:
        ValueError: If the name ends otherwise, there is nothing to show, films differ in their
            shape, or a number is out of range.
        OSError: If the file cannot be written.
    """
    if Path(path).suffix.lower() != ".gif":
        raise ValueError(f"a film's name ends in .gif; found {os.fspath(path)!r}")
    shapes = {name: np.shape(film) for name, film in films.items()}
    first = next(iter(shapes.values()), ())
    if len(first) != 4 or first[3] != 3 or first[0] < 1 or set(shapes.values()) != {first}:
        raise ValueError(f"expected films of one shape (T, height, width, 3), found {shapes}")
    if not 0 < frames_per_second <= 50 or scale < 1 or not 0 <= given <= first[0]:
        raise ValueError(
            "expected frames_per_second above 0 and at most 50, a scale of 1 or more, and given "
            f"within {first[0]} frames; found {frames_per_second}, {scale} and {given}"
        )
    pause = 10 * max(2, round(100 / frames_per_second))  # the format counts in hundredths
    # Pictures of one palette are far smaller than those of one each.
    pages = [_page(films, t, scale, t < given) for t in range(first[0])]
    palette = _palette(pages)
    begun, *others = (page.quantize(palette=palette, dither=Image.Dither.NONE) for page in pages)
    with written_whole(path) as partial:
        begun.save(
            partial,
            format="GIF",
            save_all=True,
            append_images=others,
            duration=[pause] * len(others) + [pause + _HOLD],
            loop=0,
            optimize=False,
        )


def _page(films: Mapping[str, NDArray[np.uint8]], t: int, scale: int, given: bool) -> Image.Image:
    """Draw all films' frames of one time."""
    _, height, width, _ = np.shape(next(iter(films.values())))
    across = (scale * width + _GAP) * len(films) - _GAP
    page = Image.new("RGB", (across, scale * height + 2 * _LINE), "white")
    draw, font = ImageDraw.Draw(page), _font()
    for place, (title, film) in enumerate(films.items()):
        left = place * (scale * width + _GAP)
        shown = Image.fromarray(film[t]).resize(
            (scale * width, scale * height), Image.Resampling.NEAREST
        )
        page.paste(shown, (left, 2 * _LINE))
        for line, words in enumerate((title, "given" if given and place else "")):
            draw.text((left, (line + 1) * _LINE - 4), words, fill=INK, font=font, anchor="ls")
    return page


def _palette(pages: Sequence[Image.Image]) -> Image.Image:
    """Choose the colours that pictures are shown in."""
    chosen = pages[:: -(-len(pages) // _LOOKED_AT)]
    width, height = pages[0].size
    together = Image.new("RGB", (width, height * len(chosen)))
    for place, page in enumerate(chosen):
        together.paste(page, (0, place * height))
    # An octree keeps colours that are rare, such as those of a small car.
    return together.quantize(_COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


@cache
def _font() -> ImageFont.FreeTypeFont:
    name = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(name), size=_FONT)
