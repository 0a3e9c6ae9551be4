"""Sampled sequences beside real ones."""

from __future__ import annotations

__all__ = ["save_samples", "series_plot"]

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from seqmdn.plotting.gallery import across, draw_series, gallery, gallery_height, in_cells
from seqmdn.plotting.page import INK, check_ending, colour, style, write
from seqmdn.plotting.rows import Row

_LINES = 3  # sequences over time; more of them are no longer compared by eye


def series_plot(
    sequences: Mapping[str, npt.ArrayLike],
    attributes: Mapping[str, Any] | None = None,
    *,
    features: Sequence[int] | None = None,
) -> Figure:
    """Draw a few features of each sequence over time, a row a sequence, a column a feature.

    Args:
        sequences: The name of each row and its frames, (T, D). The row named "real" is grey.
        attributes: How the data want to be seen (:mod:`seqmdn.plotting`).
        features: The indices to draw; the first four if left out.

    Raises:
        ValueError: If the frames are not (T, D).
    """
    attributes = {**(attributes or {}), "kind": "series"}
    others = [name for name in sequences if name != "real"]
    rows = [
        Row.of(
            name, INK if name == "real" else colour(others.index(name)), np.asarray(frames)[None]
        )
        for name, frames in sequences.items()
    ]
    with style():
        figure = Figure(figsize=(9.0, gallery_height(rows, attributes, 9.0)), layout="constrained")
        draw_series(figure, rows, attributes, features)
    return figure


def save_samples(
    path: str | os.PathLike[str],
    values: npt.ArrayLike,
    lengths: npt.ArrayLike | None,
    attributes: Mapping[str, Any],
    reference: npt.ArrayLike | None = None,
    reference_lengths: npt.ArrayLike | None = None,
    *,
    titles: Sequence[str] | None = None,
    starts: npt.ArrayLike | None = None,
) -> None:
    """Write sampled sequences, below real ones if there are any, as .png or .svg.

    Images and drawings are all shown; of series and waveforms the first three.

    Args:
        path: The file; its ending says the format. A file of that name is replaced when the new
            one is complete, and folders that are missing are made.
        values: The samples, (N, T, D).
        lengths: The frames of each sample, (N,); None if all T count.
        attributes: How the data want to be seen (:mod:`seqmdn.plotting`).
        reference: Real sequences, (M, T', D).
        reference_lengths: The frames of each of them, (M,); None if all T' count.
        titles: What stands above each sample, N words; shown above drawings only.
        starts: How many first frames of each were given to the model, (N,): of drawings, these are
            grey.

    Raises:
        ValueError: If the ending is another, the values do not fit their ``kind``, or titles or
            starts are not one a sample.
        OSError: If the file cannot be written.
    """
    check_ending(path)
    blocks = [Row.of("sampled", colour(0), values, lengths, titles=titles, starts=starts)]
    if reference is not None:
        blocks.insert(0, Row.of("real", INK, reference, reference_lengths))
    rows = []
    for block in blocks:
        count = len(block.sequences)
        if in_cells(attributes):
            wide = across(blocks, attributes)
            for start in range(0, count, wide):
                rows.append(block.part(start, start + wide, name="" if start else None))
        else:
            for index in range(min(_LINES, count)):
                rows.append(block.part(index, index + 1, name=f"{block.name} {index + 1}"))
    with style():
        figure = Figure(figsize=(9.0, gallery_height(rows, attributes, 8.2)), layout="constrained")
        gallery(figure, rows, attributes)
        write(figure, path)
