"""Other likelihoods of finished runs: of weights that adapt, and of a model's seeds together."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqmdn.comparison.pairs import paired, standard_error
from seqmdn.comparison.tasks import Task
from seqmdn.reading import read_npz

__all__ = ["Frames", "Likelihood", "other_likelihoods", "read_frames"]

Frames = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Likelihood:
    """Another likelihood of a model's runs.

    Attributes:
        nll: Of each sequence, (seeds, sequences), or (1, sequences) of all seeds together.
        bits_per_dim: Over all sequences.
        about: What belongs to it: the ``rate`` of adaptation, the number of ``members``.
    """

    nll: NDArray[np.float64]
    bits_per_dim: float
    about: dict[str, Any]

    def entry(self, own: NDArray[np.float64], limit: float | None) -> dict[str, Any]:
        """Return what ``compare.json`` says of it, beside the runs' own NLLs (seeds, sequences)."""
        members = own if len(own) == len(self.nll) else own.mean(axis=0, keepdims=True)
        found = self.about | {
            "nll": float(self.nll.mean()),
            "stderr": standard_error(self.nll),
            "bits_per_dim": self.bits_per_dim,
            "gain": paired(self.nll, members),
        }
        return found if limit is None else found | {"gap_to_limit": found["nll"] - limit}


def read_frames(run: Path) -> dict[str, NDArray[Any]]:
    """Return what a run's ``frames.npz`` holds, nothing where there is none."""
    path = run / "frames.npz"
    if not path.exists():
        return {}
    return read_npz(path)


def other_likelihoods(
    metrics: Mapping[Task, Mapping[str, Any]], frames: Mapping[Task, Frames]
) -> dict[str, dict[str, Likelihood]]:
    r"""Return the likelihoods that all models have beside that of their runs, by name and model.

    - ``adapted``: of weights that adapt, where all runs were scored so at one rate
      (:func:`seqmdn.adaptation.adaptive_log_prob`).
    - ``ensemble``: of the S seeds of each model together, where there are several, as an equal
      mixture frame by frame, :math:`p(y_t | y_{<t}) = \frac1S \sum_s p_s(y_t | y_{<t})`.
    - ``ensemble_adapted``: both.

    Args:
        metrics: The ``metrics.json`` of every run.
        frames: The ``frames.npz`` of every run.

    References:
        Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles
        (Lakshminarayanan, Pritzel, Blundell, 2017).
    """
    models = list(dict.fromkeys(task.model for task in metrics))
    runs = {name: [task for task in metrics if task.model == name] for name in models}
    found: dict[str, dict[str, Likelihood]] = {}
    rates = {each.get("adapted", {}).get("rate") for each in metrics.values()}
    about = {"rate": next(iter(rates))} if len(rates) == 1 and None not in rates else {}
    if about:
        found["adapted"] = {
            name: _adapted([metrics[task]["adapted"] for task in own], about)
            for name, own in runs.items()
        }
    for key, array, more in (("ensemble", "log_prob", {}), ("ensemble_adapted", "adapted", about)):
        if array == "adapted" and not about:
            continue
        mixed = {name: _mixed(own, metrics, frames, array, more) for name, own in runs.items()}
        whole = {name: one for name, one in mixed.items() if one is not None}
        if len(whole) == len(models):
            found[key] = whole
    return found


def _adapted(found: list[Mapping[str, Any]], about: dict[str, Any]) -> Likelihood:
    values = np.array([each["nll_per_sequence"] for each in found])
    return Likelihood(values, float(np.mean([each["bits_per_dim"] for each in found])), about)


def _mixed(
    runs: list[Task],
    metrics: Mapping[Task, Mapping[str, Any]],
    frames: Mapping[Task, Frames],
    array: str,
    about: dict[str, Any],
) -> Likelihood | None:
    """Return the likelihood of the runs' equal mixture; None without all of their frames."""
    own = [frames.get(task, {}) for task in runs]
    if len(runs) < 2 or any(array not in each for each in own):
        return None
    lengths, observations = own[0]["lengths"], own[0]["observations"]
    log_probs = np.stack([each[array].astype(np.float64) for each in own])  # (S, N)
    log_prob = np.logaddexp.reduce(log_probs, axis=0) - math.log(len(own))
    nats = -np.array([part.sum() for part in np.split(log_prob, np.cumsum(lengths)[:-1])])
    per_frame = metrics[runs[0]]["unit"] == "nats/frame"
    values = (nats / lengths if per_frame else nats)[np.newaxis]
    bits = float(nats.sum()) / int(observations.sum()) / math.log(2)
    return Likelihood(values, bits, {"members": len(own), **about})
