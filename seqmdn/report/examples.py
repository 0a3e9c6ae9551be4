"""What the worst-scored sequences look like, beside typical ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from seqmdn.plotting.gallery import draw_series, gallery, gallery_height, in_cells
from seqmdn.plotting.page import INK, colour
from seqmdn.plotting.rows import Row
from seqmdn.runs import Scored

__all__ = ["examples_figure"]

_SERIES = 3  # sequences over time; more of them are no longer compared by eye
_FEATURES = 3


def examples_figure(
    worst: Sequence[Scored],
    typical: Sequence[Scored],
    attributes: Mapping[str, Any],
    names: Sequence[str],
) -> Figure | None:
    """Draw sequences as their kind wants to be seen, None where nothing here can.

    Pictures and drawings stand in two rows, the worst above. Of series, the worst and one typical
    are lines over time with what the model expected, its 90 % interval and its median; sequences of
    one frame have no time to be drawn over.

    Args:
        worst: From the highest NLL on.
        typical: Sequences of a middling NLL.
        attributes: How the data want to be seen (:mod:`seqmdn.plotting`).
        names: Of the features that the model has a density of.
    """
    kind = str(attributes.get("kind", "series"))
    if kind not in ("image", "strokes", "series", "audio"):
        return None
    if in_cells(attributes):
        rows = [
            Row(
                name,
                colour(index),
                tuple(each.values for each in scored),
                tuple(f"{each.nll:.4g}" for each in scored),
            )
            for name, index, scored in (("worst", 1, worst), ("typical", 0, typical))
            if scored
        ]
        figure = Figure(figsize=(6.4, gallery_height(rows, attributes, 5.8)), layout="constrained")
        gallery(figure, rows, attributes)
        return figure
    shown = [*worst[:_SERIES], *typical[:1]]
    if all(len(each.values) == 1 for each in shown):
        return None
    labels = [f"no. {each.index}" for each in worst[:_SERIES]] + ["typical"] * len(typical[:1])
    if kind == "audio" or any(each.judged is None for each in shown):
        lines = [
            Row(label, colour(label != "typical"), (each.values,))
            for label, each in zip(labels, shown, strict=True)
        ]
        figure = Figure(figsize=(6.4, gallery_height(lines, attributes, 5.8)), layout="constrained")
        draw_series(figure, lines, attributes, None if kind == "audio" else [0])
        return figure
    return _bands(shown, labels, names, attributes)


def _bands(
    shown: Sequence[Scored],
    labels: Sequence[str],
    names: Sequence[str],
    attributes: Mapping[str, Any],
) -> Figure:
    count = min(_FEATURES, len(names))
    size = (2.3 * count + 1.2, 1.35 * len(shown) + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(shown), count, squeeze=False, sharey="col")
    for panels, label, each in zip(grid, labels, shown, strict=True):
        assert each.judged is not None and each.median is not None
        assert each.low is not None and each.high is not None
        seen = each.judged
        if each.observed is not None:
            seen = np.where(each.observed[:, : seen.shape[1]], seen, np.nan)
        time = np.arange(len(seen))
        marker = "." if len(seen) < 60 else ""
        for feature, axes in enumerate(panels):
            low, high = each.low[:, feature], each.high[:, feature]
            axes.fill_between(time, low, high, color=colour(0), alpha=0.25, linewidth=0)
            axes.plot(time, each.median[:, feature], color=colour(0), linewidth=0.8)
            axes.plot(time, seen[:, feature], color=INK, linewidth=0.8, marker=marker)
            axes.locator_params(axis="y", nbins=4)
        panels[0].set_ylabel(label, rotation=0, ha="right", va="center")
    for axes, name in zip(grid[0], names, strict=False):
        axes.set_title(name, fontsize=9)
    for axes in grid[-1]:
        axes.set_xlabel(str(attributes.get("step", "frame")))
    return figure
