"""Sound to look at: waveforms above spectrograms, what is drawn beside what is real."""

from __future__ import annotations

__all__ = ["save_sounds", "sound_figure"]

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from seqmdn.plotting.page import GIVEN, INK, check_ending, colour, shaded, style, write
from seqmdn.plotting.rows import Array, Row

_MOST = 3  # sounds of each, below each other
_POINTS = 800  # of a waveform across: more are drawn as the span between lowest and highest
_APART = 3.0  # durations further apart than that have a scale of time each
_RANGE = 70.0  # dB from the loudest to the darkest
_TICKS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # kHz


class Spectrogram(Protocol):
    """What a spectrogram has to have."""

    @property
    def decibels(self) -> Array:
        """(M, T), from the lowest band to the highest."""

    @property
    def hop(self) -> float:
        """Seconds from one column to the next; the first is around the first sample."""

    @property
    def edges(self) -> Array:
        """(M + 1,) Hz, where one band goes over into the next."""


def sound_figure(
    sampled: Row,
    real: Row | None,
    attributes: Mapping[str, Any],
    spectrogram: Callable[[Array], Spectrogram],
) -> Figure:
    """Draw the first three sounds of each, the waveform above its spectrogram.

    Real ones are on the left. All waveforms have one scale, and so have all colours: from the
    loudest of the spectrograms to 70 dB below. What was given to the model is shaded grey.

    Args:
        sampled: Frames drawn from a model, and where each begins to be drawn.
        real: Real frames, None for none.
        attributes: How the data want to be seen (:mod:`seqmdn.plotting`): ``sample_rate``, and
            ``full_scale``, 1 where there is none.
        spectrogram: Makes the spectrogram of a waveform (N,) whose full scale is 1.
    """
    rate, full = float(attributes["sample_rate"]), float(attributes.get("full_scale", 1.0))
    columns = [row.part(0, _MOST) for row in (real, sampled) if row is not None]
    count = max(len(row.sequences) for row in columns)
    waves = [[frames.ravel() / full for frames in row.sequences] for row in columns]
    longest = [max(len(wave) for wave in column) / rate for column in waves]
    own = max(longest) > _APART * min(longest)
    if not own:
        longest = [max(longest)] * len(longest)
    highest = max(float(np.abs(wave).max(initial=0.0)) for column in waves for wave in column)
    pictures = [[spectrogram(wave) for wave in column] for column in waves]
    loudest = max(float(each.decibels.max()) for column in pictures for each in column)
    top = 10 * np.ceil(loudest / 10)
    with style():
        figure = Figure(figsize=(0.9 + 4.3 * len(columns), 0.8 + 2.1 * count), layout="constrained")
        grid = figure.subplots(
            2 * count, len(columns), squeeze=False, sharex="col", height_ratios=[1, 2] * count
        )
        shown: AxesImage | None = None
        for column, row in enumerate(columns):
            for axes in grid[2 * len(row.sequences) :, column]:
                axes.set_axis_off()
            for index, wave in enumerate(waves[column]):
                above, below = grid[2 * index : 2 * index + 2, column]
                start = row.starts[index] * row.sequences[index].shape[1] if row.starts else 0
                _draw_wave(above, wave, rate, row.colour, highest)
                shown = _draw_spectrogram(below, pictures[column][index], (top - _RANGE, top))
                _mark(above, below, start / rate, len(wave) / rate)
                title = f"{row.name} {index + 1}"
                above.set_title(title, fontsize=9, color=shaded(row.colour))
                above.set_xlim(0, longest[column])
            last = grid[2 * len(row.sequences) - 1, column]
            last.set_xlabel("time (s), a scale of its own" if own else "time (s)")
            last.tick_params(labelbottom=True)
        for above, below in zip(grid[::2, 0], grid[1::2, 0], strict=True):
            above.set_ylabel("amplitude,\nfull scale 1", fontsize=8)
            below.set_ylabel("frequency (kHz)", fontsize=8)
        for axes in grid[:, 1:].ravel():
            axes.tick_params(labelleft=False)
        assert shown is not None
        bar = figure.colorbar(shown, ax=grid[:, -1], aspect=40, pad=0.02)
        bar.set_label("power in a mel band (dB; a sine at full scale: 0)", fontsize=8)
        bar.outline.set_visible(False)
    return figure


def save_sounds(
    path: str | os.PathLike[str],
    values: npt.ArrayLike,
    lengths: npt.ArrayLike | None,
    attributes: Mapping[str, Any],
    spectrogram: Callable[[Array], Spectrogram],
    reference: npt.ArrayLike | None = None,
    reference_lengths: npt.ArrayLike | None = None,
    *,
    starts: Sequence[int] | None = None,
) -> None:
    """Write :func:`sound_figure` as .png or .svg, whole or not at all.

    Args:
        path: The file; its ending says the format.
        values: Frames drawn from a model, (N, T, D).
        lengths: The frames of each, (N,); None if all T count.
        attributes: How the data want to be seen.
        spectrogram: Makes the spectrogram of a waveform.
        reference: Real frames, (M, T', D).
        reference_lengths: The frames of each of them, (M,); None if all T' count.
        starts: How many first frames of each were given to the model, (N,).

    Raises:
        ValueError: If the ending is another, or the values, lengths or starts do not fit.
        OSError: If the file cannot be written.
    """
    check_ending(path)
    sampled = Row.of("sampled", colour(0), values, lengths, starts=starts)
    real = None if reference is None else Row.of("real", INK, reference, reference_lengths)
    figure = sound_figure(sampled, real, attributes, spectrogram)
    with style():
        write(figure, path)


def _draw_wave(axes: Axes, wave: Array, rate: float, line: str, highest: float) -> None:
    """Draw a waveform, or where that would be more points than can be seen, its envelope."""
    step = -(-len(wave) // _POINTS)
    if step < 2:
        axes.plot(np.arange(len(wave)) / rate, wave, color=line, linewidth=0.6)
    else:
        whole = np.append(wave, np.repeat(wave[-1:], -len(wave) % step)).reshape(-1, step)
        time = (np.arange(len(whole)) + 0.5) * step / rate
        axes.fill_between(time, whole.min(axis=1), whole.max(axis=1), color=line, linewidth=0.4)
    axes.set_ylim(-1.05 * (highest or 1.0), 1.05 * (highest or 1.0))
    axes.locator_params(axis="y", nbins=3)


def _draw_spectrogram(axes: Axes, found: Spectrogram, limits: tuple[float, float]) -> AxesImage:
    """Draw a spectrogram with bands of equal height, and the frequencies beside them."""
    bands, count = found.decibels.shape
    image = axes.imshow(
        found.decibels,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=limits[0],
        vmax=limits[1],
        interpolation="nearest",
        extent=(-found.hop / 2, (count - 0.5) * found.hop, 0, bands),
    )
    heights = np.arange(bands + 1)
    ticks = [each for each in _TICKS if found.edges[0] <= 1000 * each <= found.edges[-1] * 1.05]
    places = np.interp(1000 * np.array(ticks), found.edges, heights)
    axes.set_yticks(places, [f"{each:g}" for each in ticks])
    axes.spines[:].set_visible(False)
    return image


def _mark(above: Axes, below: Axes, start: float, end: float) -> None:
    """Shade what was given, and draw a line where the model begins."""
    if not start:
        return
    above.axvspan(0, start, color=GIVEN, alpha=0.35, linewidth=0)
    for axes, line in ((above, INK), (below, "white")):
        if start < end:
            axes.axvline(start, color=line, linewidth=0.9, linestyle=(0, (4, 3)))
    above.annotate(
        "given",
        (start / 2, 0.98),
        xycoords=above.get_xaxis_transform(),
        ha="center",
        va="top",
        fontsize=7,
        color="#666666",
    )
