"""What a person looks at: samples beside real sequences, comparisons, and calibration.

Figures are made without pyplot, so nothing here opens a window, keeps a figure alive or depends on
a display. What is written is the same, byte for byte, for the same input and the same matplotlib.

A data set says how it wants to be seen in ``attributes``, a mapping such as a store's own, with

- ``kind``: ``"image"`` (pixels in reading order, however many a frame), ``"strokes"`` (frames
  ``[dx, dy, end, ...]``, the pen lifted after a frame with ``end`` = 1; what follows is not drawn),
  ``"audio"`` (a waveform, cut into frames) or ``"series"``, the default; ``"frames"`` (each of them
  a picture of levels from 0 to 255) are for :func:`save_frames` alone;
- ``height`` and ``width``, needed for images and frames, and ``levels``: the values of images lie
  between 0 and that (without it, between the extremes of the first row);
- ``features``: their names; ``unit``: the unit of their values;
- ``sample_rate``: frames (audio: samples of the waveform) a second, or ``step``: what a frame is;
- ``y_axis``: ``"down"`` (default, as pens and screens count) or ``"up"``, for strokes;
- ``resolution``: the step of the grid that the points of strokes lie on, if they do.
"""

from __future__ import annotations

__all__ = [
    "CalibrationSummary",
    "CellSummary",
    "CostSummary",
    "CurveSummary",
    "ModelSummary",
    "SelectionSummary",
    "StrokeDensity",
    "attention_figure",
    "calibration_figure",
    "check_ending",
    "comparison_figure",
    "curves_figure",
    "density_along",
    "image_grid",
    "pareto_figure",
    "save_attention",
    "save_completions",
    "save_conditional",
    "save_functions",
    "save_film",
    "save_frames",
    "save_futures",
    "save_horizons",
    "save_neurons",
    "save_pen_gif",
    "save_pen_svg",
    "save_responses",
    "save_samples",
    "save_sounds",
    "save_stroke_density",
    "save_surprise",
    "save_uncertainty",
    "selection_figure",
    "series_plot",
    "sound_figure",
    "stroke_density_figure",
    "stroke_lines",
    "sweep_figure",
]

from seqmdn.plotting.animation import save_pen_gif
from seqmdn.plotting.attention import attention_figure, save_attention
from seqmdn.plotting.calibration import CalibrationSummary, calibration_figure
from seqmdn.plotting.cells import image_grid
from seqmdn.plotting.comparison import ModelSummary, comparison_figure
from seqmdn.plotting.completions import save_completions
from seqmdn.plotting.conditional import save_conditional
from seqmdn.plotting.curves import CurveSummary, curves_figure
from seqmdn.plotting.film import save_film
from seqmdn.plotting.frames import save_frames
from seqmdn.plotting.functions import save_functions
from seqmdn.plotting.futures import save_futures
from seqmdn.plotting.horizons import save_horizons
from seqmdn.plotting.neurons import save_neurons, save_responses
from seqmdn.plotting.page import check_ending
from seqmdn.plotting.pareto import CostSummary, pareto_figure
from seqmdn.plotting.pen import save_pen_svg
from seqmdn.plotting.samples import save_samples, series_plot
from seqmdn.plotting.selection import SelectionSummary, selection_figure
from seqmdn.plotting.sound import save_sounds, sound_figure
from seqmdn.plotting.stroke_density import (
    StrokeDensity,
    density_along,
    save_stroke_density,
    stroke_density_figure,
)
from seqmdn.plotting.strokes import stroke_lines
from seqmdn.plotting.surprise import save_surprise
from seqmdn.plotting.sweep import CellSummary, sweep_figure
from seqmdn.plotting.uncertainty import save_uncertainty
