"""Runs of several models as numbers: means, standard errors and paired differences."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqmdn.comparison.checks import difference
from seqmdn.comparison.revision import git_revision
from seqmdn.comparison.signs import sign_test
from seqmdn.comparison.tasks import Task
from seqmdn.comparison.timing import of_one_measurement

__all__ = ["SCORES", "summarise"]

# Beside the likelihood, each with its standard error under the same name and "_stderr".
SCORES = ("crps", "energy_score", "coverage_90")


def summarise(
    recipe: Path,
    metrics: Mapping[Task, Mapping[str, Any]],
    command: str,
    limit_valid: float | None = None,
    budget: Mapping[str, Any] | None = None,
    pairs: Sequence[tuple[str, str]] | None = None,
) -> dict[str, Any]:
    r"""Return the content of ``compare.json`` from each run's metrics and the validation limit.

    Where all runs have the likelihood of weights that adapt, at one rate, each entry has it under
    ``adapted``, with its paired difference ``gain`` to that of fixed weights, and
    ``paired_adapted`` compares models by it.

    A model all of whose runs have scores beside the likelihood has in its entry the mean of each
    score over seeds and its standard error: :math:`\sqrt{\overline{s^2} + v / n}` of the
    standard errors s over sequences of its n runs and the variance v of their scores. That is an
    upper bound, since the mean over seeds varies less over sequences than one run does.

    Args:
        recipe: The recipe's folder.
        metrics: The ``metrics.json`` of every run.
        command: The command that did it.
        limit_valid: The NLL on the validation split that no model can go below.
        budget: What was held equal (:class:`seqmdn.comparison.Budget`).
        pairs: What to pair beside each model with the best one; every two models by default.

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
    adapted = _adapted(runs)
    for name, one in adapted.items():
        entries[name]["adapted"] = _entry_adapted(one, values[name], [m for _, m in runs[name]])
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
        },
        "unit": first["unit"],
        **({"limit": first["limit"]} if "limit" in first else {}),
        **({} if limit_valid is None else {"limit_valid": limit_valid}),
        **({} if budget is None else {"budget": dict(budget)}),
        "models": entries,
        "paired": {f"{b} - {a}": _paired(values[b], values[a]) for b, a in pairs},
        **(
            {"paired_adapted": {f"{b} - {a}": _paired(adapted[b], adapted[a]) for b, a in pairs}}
            if adapted
            else {}
        ),
        **({} if drawing is None else {"draw": _without(drawing, "seconds")}),
        "versions": first["versions"] | {"git": git_revision()},
        "device": first["device"],
        "command": command,
    }


def _entry(values: np.ndarray, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "nll": float(values.mean()),
        "stderr": _standard_error(values),
        "bits_per_dim": float(np.mean([m["bits_per_dim"] for m in found])),
        "params": found[0]["params"],
        "seconds": float(np.mean([m["seconds"] for m in found])),
        "seeds": [
            {key: m[key] for key in ("seed", "nll", "stderr", "bits_per_dim", "seconds", "steps")}
            for m in found
        ],
    }
    if "limit" in found[0]:
        entry["gap_to_limit"] = entry["nll"] - found[0]["limit"]
    if all("crps" in m for m in found):
        for key in SCORES:
            scores = np.array([m[key] for m in found])  # (seeds,)
            squared = np.square([m[f"{key}_stderr"] for m in found]).mean()
            if len(scores) > 1:
                squared += scores.var(ddof=1) / len(scores)
            entry |= {key: float(scores.mean()), f"{key}_stderr": math.sqrt(squared)}
    return entry


def _adapted(
    runs: Mapping[str, Sequence[tuple[Task, Mapping[str, Any]]]],
) -> dict[str, np.ndarray]:
    """Return the NLLs (seeds, sequences) of adapting weights; none unless all have one rate."""
    found = {name: [m.get("adapted") for _, m in own] for name, own in runs.items()}
    rates = {None if one is None else one["rate"] for own in found.values() for one in own}
    if len(rates) > 1 or None in rates:
        return {}
    return {
        name: np.array([one["nll_per_sequence"] for one in own if one is not None])
        for name, own in found.items()
    }


def _entry_adapted(
    values: np.ndarray, fixed: np.ndarray, found: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "rate": found[0]["adapted"]["rate"],
        "nll": float(values.mean()),
        "stderr": _standard_error(values),
        "bits_per_dim": float(np.mean([m["adapted"]["bits_per_dim"] for m in found])),
        "gain": _paired(values, fixed),
    }
    if "limit" in found[0]:
        entry["gap_to_limit"] = entry["nll"] - found[0]["limit"]
    return entry


def _standard_error(values: np.ndarray) -> float:
    """Standard error of the mean over (seeds, sequences), both kinds of chance together."""
    squared = values.mean(axis=0).var(ddof=1) / values.shape[1]
    if values.shape[0] > 1:
        squared += values.mean(axis=1).var(ddof=1) / values.shape[0]
    return math.sqrt(squared)


def _paired(first: np.ndarray, second: np.ndarray) -> dict[str, float]:
    """Paired difference of two models over (seeds, sequences); negative: the first is better."""
    deltas = first - second
    signs = sign_test(deltas.mean(axis=0))
    return {
        "delta": float(deltas.mean()),
        "stderr": _standard_error(deltas),
        "share_of_sequences_better": float((deltas.mean(axis=0) < 0).mean()),
        "sequences_better": signs.better,
        "sequences_worse": signs.worse,
        "sign_test_p": signs.p_value,
    }


def _without(content: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != key}
