"""All that tells whether a run's model can be believed, as numbers."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from lightning.pytorch.utilities import move_data_to_device

from seqmdn.data import Levels
from seqmdn.heads import CategoricalHead
from seqmdn.metrics import DensityDiagnosis
from seqmdn.reading import read_json_value
from seqmdn.runs.curves import learning_clock, learning_curve, loss_curve
from seqmdn.runs.description import describe_likelihood, describe_run
from seqmdn.runs.run import Run, load_run
from seqmdn.runs.scoring import score
from seqmdn.runs.worst import Scored, learned_names, show_scored, worst_and_typical
from seqmdn.scoring import continuous_part

__all__ = ["Diagnostics", "diagnose"]

_VALUES = 2**22  # numbers drawn at a time
_FRAMES = 10_000
_LOOKED = 400_000  # values looked at
_SHOWN = 6  # sequences of the worst, and of typical ones

Progress = Callable[[int, int], None]
Curve = tuple[list[int], list[float]]


@dataclass(frozen=True)
class Diagnostics:
    """What is known of a run's model on one split.

    Attributes:
        about: What ran: ``run``, ``model``, ``data``, ``split``, ``params``, ``seconds``,
            ``steps``, ``versions`` and the like; ``scored``, what has an NLL of its own: ``"rows"``
            of one frame, or ``"sequences"``.
        likelihood: ``nll``, ``stderr`` and ``unit``; ``bits_per_dim`` where the data are levels;
            ``bound``, what makes the NLL a bound, or None; other ``bounds`` and ``parts`` by name.
        per_sequence: The NLL of every sequence of the split, in store order.
        density: What :class:`seqmdn.metrics.DensityDiagnosis` found, with the ``names`` and the
            ``unit`` of the features and how many of the split's sequences were looked at; None
            where the model has no densities of frames.
        worst: The sequences of the highest NLL, from the highest on.
        typical: Sequences whose NLL is in the middle of all.
        curves: ``loss`` and ``nll`` against steps, and ``seconds``, as far as they were logged.
        left_out: What does not apply to the run, and why.
        attributes: How the data want to be seen (:mod:`seqmdn.plotting`).
    """

    about: dict[str, Any]
    likelihood: dict[str, Any]
    per_sequence: list[float]
    density: dict[str, Any] | None
    worst: list[Scored]
    typical: list[Scored]
    curves: dict[str, Curve]
    left_out: dict[str, str]
    attributes: dict[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return the numbers, ready for JSON; of the worst sequences their index and NLL."""
        return {
            "about": self.about,
            "likelihood": self.likelihood,
            "density": self.density,
            "worst": [{"index": each.index, "nll": _finite(each.nll)} for each in self.worst],
            "curves": {name: [list(part) for part in curve] for name, curve in self.curves.items()},
            "left_out": self.left_out,
            "nll_per_sequence": [_finite(value) for value in self.per_sequence],
        }


def diagnose(
    source: Path,
    split: str = "test",
    data: Path | None = None,
    draws: int = 200,
    frames: int | None = None,
    seed: int = 0,
    looked: Progress | None = None,
) -> Diagnostics:
    """Score a run's model on a split, and ask its densities all that can be asked.

    The likelihood is that of the whole split. The rest is of whole sequences, chosen at random
    until they have so many frames, or of all where there are no more.

    Args:
        source: The run's folder, or a checkpoint file.
        split: ``"train"``, ``"valid"`` or ``"test"``.
        data: Another store than the one that the run was trained on.
        draws: Draws of each frame for what has no closed form, at least 39.
        frames: Frames to look at; by default 10,000, or as many as hold 400,000 values.
        seed: Chooses the sequences and decides the draws.
        looked: Called with how many sequences have been looked at and how many there are.

    Raises:
        FileNotFoundError: If there is no run.
        ValueError: If there are too few draws or frames, or the store does not fit.
    """
    if draws < 39 or (frames is not None and frames < 1):
        raise ValueError(
            f"expected 39 draws or more, enough for 95 % intervals, and 1 frame or more; found "
            f"{draws} draws and {'any' if frames is None else frames} frames"
        )
    run = load_run(source, data)
    metrics = score(run, split)
    if (source / "metrics.json").is_file():  # which knows the time of the whole training
        metrics["seconds"] = read_json_value(source / "metrics.json", "seconds")
    left_out = _left_out(run)
    density = None
    if "density" not in left_out:
        if frames is None:
            frames = max(1, min(_FRAMES, _LOOKED // run.data.features))
        chosen = _chosen(run, split, frames, seed)
        density = _density(run, split, chosen, draws, seed, looked)
        left_out |= _undefined(run, density)
    likelihood = describe_likelihood(run, metrics)
    if "bits_per_dim" not in likelihood:
        left_out["bits/dim"] = "the values are no whole levels, so bits have no scale of their own"
    nll: list[float] = metrics["nll_per_sequence"]
    worst, typical = worst_and_typical(nll, _SHOWN)
    # Pictures and sounds are shown as they are; of series, what was expected can be shown beside.
    series = run.data.store.attributes.get("kind", "series") == "series"
    expected = density is not None and series
    curves = {
        name: curve
        for name, curve in (
            ("loss", loss_curve(source)),
            ("nll", learning_curve(source)),
            ("seconds", learning_clock(source)),
        )
        if curve[0]
    }
    if "nll" not in curves:
        left_out["learning curves"] = "there are no CSV logs beside the checkpoint"
    return Diagnostics(
        about=describe_run(run, metrics, source, split),
        likelihood=likelihood,
        per_sequence=nll,
        density=density,
        worst=show_scored(run, split, worst, nll, expected),
        typical=show_scored(run, split, typical, nll, expected),
        curves=curves,
        left_out=left_out,
        attributes=dict(run.data.store.attributes),
    )


def _left_out(run: Run) -> dict[str, str]:
    """Say whether the model has densities of frames, and why not."""
    model = run.model
    if isinstance(getattr(model, "transform", None), Levels):
        reason = (
            "the model gives probabilities of whole levels, which have no density, quantiles or "
            "regions; its likelihood is exact"
        )
    elif isinstance(getattr(model, "head", None), CategoricalHead):
        reason = (
            "the model gives probabilities of classes, which have no density, quantiles or "
            "regions; its likelihood is exact"
        )
    elif not hasattr(model, "distributions"):
        name = type(model).__name__
        reason = f"a {name} has no density of single frames in closed form, only a bound"
    else:
        return {}
    return {"density": reason}


def _undefined(run: Run, density: dict[str, Any]) -> dict[str, str]:
    """Say what of the density does not apply."""
    found = {}
    names, judged = learned_names(run), len(density["names"])
    if judged < len(names):
        rest = ", ".join(names[judged:])
        found["other columns"] = (
            f"{rest}: bits, or parts that stand beside the rest, are judged by the likelihood alone"
        )
    if judged > 1 and "rosenblatt" not in density:
        found["Rosenblatt transform"] = "the density's conditional distributions are not known"
    if density["components"] is None:
        found["component use"] = (
            "responsibilities are those of whole frames"
            if run.data.store.missing
            else "the density is no mixture with components of its own"
        )
    if density["intervals"][0]["side"] is None:
        found["size of regions"] = "where features are missing, each frame has its own dimensions"
    return found


def _chosen(run: Run, split: str, frames: int, seed: int) -> npt.NDArray[np.int64]:
    """Choose whole sequences at random, one at the least, until the frames are enough."""
    indices = run.data.store.indices(split)
    lengths = run.data.store.lengths[indices]
    if lengths.sum() <= frames:
        return indices
    order = np.random.default_rng(seed).permutation(len(indices))
    count = max(1, int((lengths[order].cumsum() <= frames).sum()))
    return np.sort(indices[order[:count]])


@torch.inference_mode()
def _density(
    run: Run,
    split: str,
    chosen: npt.NDArray[np.int64],
    draws: int,
    seed: int,
    looked: Progress | None,
) -> dict[str, Any]:
    model: Any = run.model
    device = next(model.parameters()).device
    diagnosis: DensityDiagnosis | None = None
    done = 0
    for part in _parts(chosen, run.data.store.lengths[chosen] * run.data.features * draws):
        batch = move_data_to_device(run.data.sequences(split, part), device)
        distribution, mask = model.distributions(batch)
        density, values = continuous_part(distribution, model.transform, batch.values)
        observed = None if batch.observed is None else batch.observed[..., : values.shape[-1]]
        if diagnosis is None:
            diagnosis = DensityDiagnosis(values.shape[-1], draws, seed)
        diagnosis.update(density, values, mask, observed)
        done += len(part)
        if looked is not None:
            looked(done, len(chosen))
    assert diagnosis is not None
    found = diagnosis.compute()
    names = learned_names(run)[: diagnosis.features]
    return {
        "names": names,
        "unit": run.data.store.unit,
        "sequences": len(chosen),
        "of_sequences": len(run.data.store.indices(split)),
        **found,
    }


def _parts(chosen: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]) -> Iterator[Sequence[int]]:
    """Take sequences a few at a time, so that all draws of padded ones fit into memory."""
    part: list[int] = []
    longest = 0
    for index, size in zip(chosen.tolist(), sizes.tolist(), strict=True):
        if part and max(longest, size) * (len(part) + 1) > _VALUES:
            yield part
            part, longest = [], 0
        part.append(index)
        longest = max(longest, size)
    yield part


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
