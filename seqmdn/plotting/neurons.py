"""Neurons that are mixtures: their components as curves, and what each of them responds to."""

from __future__ import annotations

__all__ = ["save_neurons", "save_responses"]

import math
import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqmdn.plotting.page import GIVEN, INK, check_ending, colour, style, write
from seqmdn.plotting.rows import Array

_NAMED = 6  # components that have a colour and a name, as many as there are colours
_ACROSS = 4  # panels of curves beside each other
_IMAGES_ACROSS = 8
_POINTS = 400
_SMALL = 5  # times that a mixture is as high as the highest of its components


def save_neurons(
    path: str | os.PathLike[str],
    weights: npt.ArrayLike,
    means: npt.ArrayLike,
    scales: npt.ArrayLike,
    titles: Sequence[str],
    inputs: Sequence[str] | None = None,
    seen: npt.ArrayLike | None = None,
    unit: str = "",
) -> None:
    r"""Write a picture of neurons: each component's weighted density, and the mixture of all.

    .. math:: \pi_{jk} N(z; \mu_{jk}, \sigma_{jk}^2), \quad \sum_k \pi_{jk} N(z; \mu_{jk},
        \sigma_{jk}^2)

    A neuron reads the curve of component k at its own input, z = x_k; the mixture is what it says
    where all inputs are z. The components of the largest weights have colours, the others are grey.
    With inputs that were seen, a point on each coloured curve says where it was read. Components
    that are all small beside the mixture are drawn so many times as high as the legend says.

    Args:
        path: The file, .png or .svg. A file of that name is replaced when the new one is complete,
            and folders that are missing are made.
        weights: pi, (J, K).
        means: mu, (J, K).
        scales: sigma, (J, K).
        titles: What stands above each neuron, J words.
        inputs: Names of the K inputs; x1, x2, ... by default.
        seen: Inputs of one row, (K,), the same for all neurons.
        unit: Of the inputs.

    Raises:
        ValueError: If the ending is another, or shapes do not fit.
        OSError: If the file cannot be written.
    """
    check_ending(path)
    parts = [np.asarray(part, np.float64) for part in (weights, means, scales)]
    pi, mu, sigma = parts
    if pi.ndim != 2 or not pi.size or any(part.shape != pi.shape for part in parts):
        raise ValueError(
            "expected weights, means and scales of one shape (J, K), found "
            f"{', '.join(str(part.shape) for part in parts)}"
        )
    count, components = pi.shape
    names = [f"x{k + 1}" for k in range(components)] if inputs is None else list(inputs)
    row = None if seen is None else np.asarray(seen, np.float64)
    if (
        len(titles) != count
        or len(names) != components
        or (row is not None and row.shape != (components,))
    ):
        raise ValueError(
            f"expected {count} titles, {components} names and {components} inputs seen, found "
            f"{len(titles)}, {len(names)} and {None if row is None else row.shape}"
        )
    with style():
        columns = min(count, _ACROSS)
        rows = math.ceil(count / columns)
        figure = Figure(figsize=(0.6 + 2.5 * columns, 0.4 + 2.1 * rows), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, j in zip(panels, range(count), strict=False):
            _draw(axes, pi[j], mu[j], sigma[j], names, row)
            axes.set_title(titles[j])
        for axes in panels[count:]:
            axes.set_visible(False)
        figure.supxlabel(f"input, {unit}" if unit else "input", fontsize=9, color=INK)
        figure.supylabel("weighted density", fontsize=9, color=INK)
        write(figure, path)


def save_responses(
    path: str | os.PathLike[str],
    responses: npt.ArrayLike,
    height: int,
    width: int,
    titles: Sequence[str] | None = None,
) -> None:
    """Write a picture of what neurons respond to: each input's share, where it lies in an image.

    Each image has its own scale, from 0 to its largest share, which stands below it: a neuron that
    decides by few inputs has a large one, one that weighs all of them alike has 1 / (height width).

    Args:
        path: The file, .png or .svg.
        responses: Shares (J, height * width), such as :meth:`seqmdn.backbones.UGMMLinear.responses`
            gives them.
        height: Of the images.
        width: Of the images.
        titles: What stands above each neuron, J words; numbers from 0 by default.

    Raises:
        ValueError: If the ending is another, or shapes do not fit.
        OSError: If the file cannot be written.
    """
    check_ending(path)
    shares = np.asarray(responses, np.float64)
    if shares.ndim != 2 or not len(shares) or shares.shape[1] != height * width:
        raise ValueError(f"expected responses of shape (J, {height * width}), found {shares.shape}")
    words = [str(j) for j in range(len(shares))] if titles is None else list(titles)
    if len(words) != len(shares):
        raise ValueError(f"expected {len(shares)} titles, found {len(words)}")
    with style():
        columns = min(len(shares), _IMAGES_ACROSS)
        rows = math.ceil(len(shares) / columns)
        figure = Figure(figsize=(1.05 * columns, 1.45 * rows), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, share, word in zip(panels, shares, words, strict=False):
            axes.imshow(share.reshape(height, width), cmap="Blues", vmin=0, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            axes.set_title(word, fontsize=8)
            axes.set_xlabel(f"{100 * share.max():.2g} %", fontsize=7)
        for axes in panels[len(shares) :]:
            axes.set_visible(False)
        write(figure, path)


def _draw(
    axes: Axes, pi: Array, mu: Array, sigma: Array, names: Sequence[str], seen: Array | None
) -> None:
    """Draw one neuron."""
    order = np.argsort(-pi, kind="stable")
    # Of what hardly weighs anything, a far mean would make all others narrow.
    heavy = order[: max(1, int(np.searchsorted(np.cumsum(pi[order]), 0.98)) + 1)]
    low, high = (mu - 3 * sigma)[heavy].min(), (mu + 3 * sigma)[heavy].max()
    z = np.linspace(low, high, _POINTS)
    curves = pi * np.exp(-0.5 * ((z[:, None] - mu) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
    mixture = curves.sum(1)
    times = _magnified(float(mixture.max() / curves.max()))
    curves = times * curves
    for k in order[_NAMED:]:
        axes.plot(z, curves[:, k], color=GIVEN, linewidth=0.6, alpha=0.6)
    for place, k in enumerate(order[:_NAMED]):
        axes.plot(z, curves[:, k], color=colour(place), linewidth=1.0, label=names[k])
        if seen is not None and low <= seen[k] <= high:
            height = np.interp(seen[k], z, curves[:, k])
            axes.plot(seen[k], height, "o", color=colour(place), markersize=3.5)
    axes.plot(z, mixture, color=INK, linewidth=1.6)
    axes.set(xlim=(low, high), ylim=(0, None), yticks=[])
    title = None if times == 1 else f"{times} times"
    axes.legend(
        title=title,
        title_fontsize=6.5,
        frameon=False,
        fontsize=6.5,
        loc="upper right",
        handlelength=1.0,
    )


def _magnified(ratio: float) -> int:
    """Return a round number by which curves fit below one that is so many times as high."""
    if ratio < _SMALL:
        return 1
    ten = 10 ** int(math.log10(ratio))
    return max(number * ten for number in (1, 2, 5) if number * ten <= ratio)
