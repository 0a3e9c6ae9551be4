"""Runs of several models as numbers: means, standard errors and paired differences."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqmdn.comparison.bounds import bounds_of
from seqmdn.comparison.checks import difference
from seqmdn.comparison.otherwise import Frames, other_likelihoods
from seqmdn.comparison.pairs import paired, standard_error
from seqmdn.comparison.tasks import Task
from seqmdn.comparison.timing import of_one_measurement
from seqmdn.provenance import git_revision

__all__ = ["SCORES", "summarise"]

# Beside the likelihood, each with its standard error under the same name and "_stderr".
SCORES = ("crps", "energy_score", "coverage_90")
POINT = ("r2", "mae", "rmse")


def summarise(
    recipe: Path,
    metrics: Mapping[Task, Mapping[str, Any]],
    command: str,
    limit_valid: float | None = None,
    budget: Mapping[str, Any] | None = None,
    pairs: Sequence[tuple[str, str]] | None = None,
    frames: Mapping[Task, Frames] | None = None,
) -> dict[str, Any]:
    r"""Return the content of ``compare.json`` from each run's metrics and the validation limit.

    Where runs have them, each entry also has the likelihoods of :func:`other_likelihoods` under
    their names, each with its paired difference ``gain`` to that of the runs as they are, and
    ``paired_adapted`` and the like compare models by them.

    The entry of a model whose likelihood is only bounded says so (:func:`bounds_of`), and that of a
    classifier how often its likeliest class is right, ``accuracy``.

    A model all of whose runs have scores beside the likelihood, or an accuracy, has in its entry
    the mean of each score over seeds and its standard error:
    :math:`\sqrt{\overline{s^2} + v / n}` of the standard errors s over sequences of its n runs and
    the variance v of their scores. That is an upper bound, since the mean over seeds varies less
    over sequences than one run does.

    Args:
        recipe: The recipe's folder.
        metrics: The ``metrics.json`` of every run.
        command: The command that did it.
        limit_valid: The NLL on the validation split that no model can go below.
        budget: What was held equal (:class:`seqmdn.comparison.Budget`).
        pairs: What to pair beside each model with the best one; every two models by default.
        frames: The ``frames.npz`` of every run, for what its seeds are worth together.

    Raises:
        ValueError: If the runs were not scored on the same data, or not on the test split.
    """
    first = next(iter(metrics.values()))
    expected = {**first["dataset"], "unit": first["unit"]}
    for task, found in metrics.items():
        if found["split"] != "test":
            raise ValueError(
                f"{task.name} was last scored on the split {found['split']!r}: score it again by "
                f"`seqmdn evaluate {task.out}`"
            )
        other = difference(expected, {**found["dataset"], "unit": found["unit"]})
        if other is not None:
            raise ValueError(
                f"{task.name} was scored on other data: {other}; score it again on the same by "
                f"`seqmdn evaluate {task.out} --data STORE`, or leave it away"
            )
    models = list(dict.fromkeys(task.model for task in metrics))
    runs = {name: [(t, m) for t, m in metrics.items() if t.model == name] for name in models}
    values = {
        name: np.array([found["nll_per_sequence"] for _, found in runs[name]]) for name in models
    }  # (seeds, sequences)
    data = first["dataset"]
    entries = {name: _entry(values[name], [found for _, found in runs[name]]) for name in models}
    timed = {name: runs[name][0][1].get("draw") for name in models}
    drawing = next(iter(timed.values()))
    if of_one_measurement(timed.values()):
        for name, each in timed.items():
            entries[name] |= {} if each is None else {"draw_seconds": each["seconds"]}
    else:
        drawing = None
    others = other_likelihoods(metrics, frames or {})
    for key, likelihoods in others.items():
        for name, likelihood in likelihoods.items():
            entries[name][key] = likelihood.entry(values[name], first.get("limit"))
    best = min(models, key=lambda name: entries[name]["nll"])
    if pairs is None:
        pairs = [(b, a) for i, a in enumerate(models) for b in models[i + 1 :]]
    else:
        pairs = [*((name, best) for name in models if name != best), *pairs]
    return {
        "recipe": recipe.as_posix(),
        "dataset": {
            "name": data["name"],
            "sha256": data["sha256"],
            "test_sequences": data["sequences"],
            "test_frames": data["frames"],
            **({"test_frames_left_out": data[left]} if (left := "frames_left_out") in data else {}),
        },
        "unit": first["unit"],
        **({"frame_unit": first["frame_unit"]} if "frame_unit" in first else {}),
        **({"limit": first["limit"]} if "limit" in first else {}),
        **({} if limit_valid is None else {"limit_valid": limit_valid}),
        **({} if budget is None else {"budget": dict(budget)}),
        "models": entries,
        "paired": {f"{b} - {a}": paired(values[b], values[a]) for b, a in pairs},
        **{
            f"paired_{key}": {f"{b} - {a}": paired(each[b].nll, each[a].nll) for b, a in pairs}
            for key, each in others.items()
        },
        **({} if drawing is None else {"draw": _without(drawing, "seconds")}),
        "versions": first["versions"] | {"git": git_revision()},
        "device": first["device"],
        "command": command,
    }


def _entry(values: np.ndarray, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "nll": float(values.mean()),
        "stderr": standard_error(values),
        "bits_per_dim": float(np.mean([m["bits_per_dim"] for m in found])),
        "params": found[0]["params"],
        "seconds": float(np.mean([m["seconds"] for m in found])),
        "seeds": [
            {key: m[key] for key in ("seed", "nll", "stderr", "bits_per_dim", "seconds", "steps")}
            for m in found
        ],
    }
    if all("normalised" in m for m in found):
        entry["nll_per_frame"] = float(np.mean([m["nll_per_frame"] for m in found]))
        entry["normalised"] = {
            key: float(np.mean([m["normalised"][key] for m in found]))
            for key in ("nll", "nll_per_frame")
        }
    entry |= bounds_of(found)
    if "limit" in found[0]:
        entry["gap_to_limit"] = entry["nll"] - found[0]["limit"]
    scored = SCORES if all("crps" in m for m in found) else ()
    classified = ("accuracy",) if all("accuracy" in m for m in found) else ()
    for key in (*scored, *classified):
        scores = np.array([m[key] for m in found])  # (seeds,)
        squared = np.square([m[f"{key}_stderr"] for m in found]).mean()
        if len(scores) > 1:
            squared += scores.var(ddof=1) / len(scores)
        entry |= {key: float(scores.mean()), f"{key}_stderr": math.sqrt(squared)}
    for key in POINT:
        each = [m[key] for m in found if m.get(key) is not None]
        if len(each) == len(found):
            entry[key] = float(np.mean(each))
    return entry


def _without(content: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != key}
