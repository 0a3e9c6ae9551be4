"""The sequences of a split that a model expected least, and what it expected instead."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from lightning.pytorch.utilities import move_data_to_device
from torch.distributions import Distribution

from seqmdn.data import Batch
from seqmdn.metrics import central_interval, point_forecast
from seqmdn.metrics.draws import seeded
from seqmdn.runs.run import Run
from seqmdn.scoring import continuous_part

__all__ = ["Scored", "learned_names", "show_scored", "worst_and_typical"]

Array = npt.NDArray[np.float64]

_LEVEL = 0.9
_SEARCHED = 16  # features, up to which quantiles are searched for rather than taken from draws


@dataclass(frozen=True)
class Scored:
    """One sequence of T frames and its score.

    Attributes:
        index: In the store, counted from 0.
        nll: In the run's unit.
        text: What the sequence says or shows, where the store knows.
        values: Its frames in the store's columns, (T, stored).
        context: Its context in the store's columns (T, X), or None.
        observed: Which values were observed, boolean (T, stored), or None where all were.
        judged: The features that have a density, as the model learns them, (T, C).
        median: What the model expected of them given the frames before, (T, C), None where the
            model has no density of frames.
        low: The lower border of its central 90 % interval, likewise.
        high: The upper one.
    """

    index: int
    nll: float
    text: str | None
    values: Array
    context: Array | None
    observed: npt.NDArray[np.bool_] | None
    judged: Array | None = None
    median: Array | None = None
    low: Array | None = None
    high: Array | None = None


def worst_and_typical(nll: Sequence[float], count: int) -> tuple[list[int], list[int]]:
    """Return the places of the highest scores, from the highest on, and of those in the middle.

    What is not finite is worst of all. No place is in both lists.

    Example:
        >>> worst_and_typical([3.0, 1.0, 9.0, 2.0, float("nan")], 2)
        ([4, 2], [3, 0])
    """
    scores = np.asarray(nll, dtype=np.float64)
    # NaN comes last in numpy's order, and so is worst of all.
    order = np.argsort(scores, kind="stable").tolist()
    worst = order[::-1][:count]
    first = max(0, len(order) // 2 - count // 2)
    return worst, [place for place in order[first : first + count] if place not in worst]


@torch.inference_mode()
def show_scored(
    run: Run,
    split: str,
    places: Sequence[int],
    nll: Sequence[float],
    expected: bool,
    draws: int = 200,
) -> list[Scored]:
    """Return sequences of a split with their scores.

    Args:
        run: The run, its model on any device.
        split: Where they come from.
        places: Which of the split's sequences.
        nll: The score of every sequence of the split.
        expected: Whether to say what the model expected of each frame, too: the model must have
            densities of frames.
        draws: Draws of each frame where quantiles are not known.
    """
    data, found = run.data, []
    indices = data.store.indices(split)
    for place in places:
        index = int(indices[place])
        batch = data.sequences(split, [index])
        shown = data.whole(batch)
        length = int(shown.lengths[0])
        observed = None if shown.observed is None else shown.observed[0, :length].numpy()
        found.append(
            Scored(
                index=index,
                nll=float(nll[place]),
                text=data.store.text(index),
                values=shown.values[0, :length].double().numpy(),
                context=None
                if shown.context is None
                else shown.context[0, :length].double().numpy(),
                observed=observed,
                **(_expected(run, batch, draws) if expected else {}),
            )
        )
    return found


def learned_names(run: Run) -> list[str]:
    """Return what the features are called that a run's model learns, in its own order."""
    data = run.data
    names = [data.store.names[column] for column in data.columns.learned]
    names = names if data.noise is None else data.noise.names(names)
    return [*names, *(["end of the sequence"] if data.mark_end else [])]


def _expected(run: Run, batch: Batch, draws: int) -> dict[str, Array]:
    model = run.model
    device = next(model.parameters()).device
    batch = move_data_to_device(batch, device)
    known: tuple[Distribution, object] = model.distributions(batch)  # type: ignore[operator]
    density, values = continuous_part(known[0], model.transform, batch.values)  # type: ignore[arg-type]
    with seeded(device, 0):
        samples = density.sample(torch.Size([draws]))
    exact = values.shape[-1] <= _SEARCHED
    low, high = central_interval(density, _LEVEL, samples, exact)
    median = point_forecast(density, samples, exact).median
    parts = {"judged": values, "median": median, "low": low, "high": high}
    length = int(batch.lengths[0])
    return {name: part[0, :length].double().cpu().numpy() for name, part in parts.items()}
