"""The pictures of a report, each small enough to be read on a telephone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqmdn.plotting.page import INK, colour

__all__ = [
    "components_figure",
    "coverage_figure",
    "curves_figure",
    "features_figure",
    "histogram_figure",
    "likelihood_figure",
    "reliability_figure",
]

_SIZE = (4.8, 3.1)  # inches
_BAND = "#999999"
_FEATURES = 6


def histogram_figure(found: dict[str, Any], of: str) -> Figure:
    """Draw what should be flat, and the band that all bars of a calibrated density lie in."""
    figure, axes = _one()
    _bars(axes, found)
    axes.set(xlabel=f"u, {of}", ylabel="values in a bin")
    return figure


def features_figure(density: dict[str, Any]) -> Figure:
    """Draw the PIT histograms of the features that are furthest from flat."""
    distances = [-1 if each is None else each for each in density["features"]["distance"]]
    order = np.argsort(distances, kind="stable")[::-1][:_FEATURES]
    shown = [int(feature) for feature in order if distances[feature] >= 0]
    across = min(3, len(shown))
    down = -(-len(shown) // across)
    figure = Figure(figsize=(2.4 * across + 0.4, 1.75 * down + 0.3), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False, sharex=True)
    for axes in grid.flat[len(shown) :]:
        axes.set_axis_off()
    for axes, feature in zip(grid.flat, shown, strict=False):
        _bars(axes, density["pit"][feature])
        axes.set_title(density["names"][feature], fontsize=9)
        axes.locator_params(axis="y", nbins=4)
    figure.supxlabel("u", fontsize=9)
    return figure


def reliability_figure(density: dict[str, Any]) -> Figure:
    """Draw by how much the share of values below each quantile is off, and the band by chance."""
    figure, axes = _one()
    found = density["reliability"]
    q = np.array(found["probabilities"])
    share = np.array(found["share"], dtype=np.float64)  # (P, D), NaN where there is none
    off = 100 * (share - q[:, None])
    band = 100 * found["band"]
    axes.axhspan(-band, band, color=_BAND, alpha=0.35, linewidth=0)
    axes.axhline(0, color=INK, linewidth=0.8)
    for column in off.T if off.shape[1] > 1 else ():
        axes.plot(q, column, color=colour(0), linewidth=0.6, alpha=0.5)
    axes.plot(q, np.nanmean(off, axis=1), color=colour(0), marker="o", markersize=3.5)
    axes.set(xlim=(0, 1), xlabel="probability of the quantile")
    axes.set_ylabel("share of values below, minus it (%)")
    return figure


def coverage_figure(density: dict[str, Any]) -> Figure:
    """Draw by how much intervals and regions hold more or less than they should."""
    figure, axes = _one()
    intervals = density["intervals"]
    place = np.arange(len(intervals))
    kinds = (
        ("central", "central intervals", "o", -0.08),
        ("highest_density", "highest-density regions", "s", 0.08),
    )
    for index, (key, label, marker, shift) in enumerate(kinds):
        off = [100 * (each[key] - each["level"]) for each in intervals]
        error = [200 * (each[f"{key}_stderr"] or 0) for each in intervals]
        axes.errorbar(
            place + shift,
            off,
            error,
            fmt=marker,
            color=colour(index),
            label=label,
            capsize=2,
            markersize=5,
        )
    axes.axhline(0, color=INK, linewidth=0.8)
    reach = max(2.0, *(abs(limit) for limit in axes.get_ylim()))
    axes.set_ylim(-reach, 1.35 * reach)
    axes.set_xticks(place, [f"{100 * each['level']:g} %" for each in intervals])
    axes.set(xlabel="level", ylabel="held beyond the level, points of %")
    axes.legend(frameon=False, fontsize=8, loc="upper left", ncols=2)
    return figure


def components_figure(components: dict[str, Any]) -> Figure:
    """Draw what each component explains beside what it was expected to, the largest first."""
    figure, axes = _one()
    share, weight = (np.array(components[key]) for key in ("responsibility", "weight"))
    order = np.argsort(share)[::-1]
    place = np.arange(len(share))
    axes.bar(place, 100 * share[order], color=colour(0), label="explains (responsibility)")
    axes.plot(place, 100 * weight[order], "_", color=INK, markersize=9, label="expected (weight)")
    axes.axhline(100 / len(share), color=_BAND, linewidth=0.8, linestyle="--", label="equal share")
    axes.set_xticks(place if len(place) <= 20 else [], order + 1 if len(place) <= 20 else [])
    axes.set(xlabel="component", ylabel="% of all frames")
    axes.legend(frameon=False, fontsize=8)
    return figure


def likelihood_figure(
    nll: Sequence[float], mean: float | None, unit: str, many: str = "sequences"
) -> Figure:
    """Draw how the NLL is spread over sequences; what lies far out is gathered at the border."""
    figure, axes = _one()
    scores = np.asarray(nll, dtype=np.float64)
    scores = scores[np.isfinite(scores)]
    low, high = np.percentile(scores, [0.5, 99.5])
    axes.hist(scores.clip(low, high), bins=40, color=colour(0), alpha=0.7)
    if mean is not None and low <= mean <= high:
        axes.axvline(mean, color=INK, linewidth=1, label="mean")
        axes.legend(frameon=False, fontsize=8)
    axes.set(xlabel=f"NLL ({unit})", ylabel=many)
    return figure


def curves_figure(curves: dict[str, tuple[list[int], list[float]]], unit: str) -> Figure:
    """Draw the training loss of single batches above the validation NLL, against steps."""
    names = [name for name in ("loss", "nll") if name in curves]
    figure = Figure(figsize=(_SIZE[0], 1.9 * len(names) + 0.3), layout="constrained")
    grid = figure.subplots(len(names), 1, squeeze=False, sharex=True)[:, 0]
    for axes, name in zip(grid, names, strict=True):
        steps, values = curves[name]
        marker = "o" if len(steps) < 30 else ""
        axes.plot(steps, values, color=colour(name == "nll"), marker=marker, markersize=3)
        late = np.array(values)[np.array(steps) >= 0.1 * steps[-1]]
        spread = max(float(late.max() - late.min()), 1e-3 * float(np.abs(late).max()), 1e-9)
        axes.set_ylim(late.min() - 0.08 * spread, late.max() + 0.08 * spread)
        axes.set_ylabel(
            "training loss\n(nats/frame)" if name == "loss" else f"validation NLL\n({unit})"
        )
        if name == "nll":
            best = int(np.argmin(values))
            axes.plot(steps[best], values[best], "*", color=INK, markersize=9, label="kept")
            axes.legend(frameon=False, fontsize=8)
    grid[-1].xaxis.get_major_locator().set_params(integer=True)
    grid[-1].set_xlabel("step")
    return figure


def _one() -> tuple[Figure, Axes]:
    figure = Figure(figsize=_SIZE, layout="constrained")
    return figure, figure.subplots()


def _bars(axes: Axes, found: dict[str, Any]) -> None:
    counts, (low, high) = np.array(found["counts"]), found["band"]
    edges = np.linspace(0, 1, len(counts) + 1)
    inside = (counts >= low) & (counts <= high)
    for chosen, index in ((inside, 0), (~inside, 1)):
        axes.bar(
            edges[:-1][chosen],
            counts[chosen],
            np.diff(edges)[chosen],
            align="edge",
            color=colour(index),
            alpha=0.75,
            edgecolor="white",
            linewidth=0.4,
        )
    axes.axhspan(low, high, color=_BAND, alpha=0.4, linewidth=0)
    axes.axhline(found["values"] / len(counts), color=INK, linewidth=0.8)
    axes.set_xlim(0, 1)
