"""Choosing among the cells of a grid: by which criterion, and what speaks against one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqmdn.comparison.tasks import Task
from seqmdn.files import save_json
from seqmdn.reading import read_json
from seqmdn.runs import load_run, score_training

__all__ = ["CRITERIA", "add_training", "component_warnings", "read_training", "selection_words"]

#: The keys of what a cell may be chosen by, lower is better, and what they are called.
CRITERIA = {"nll": "test NLL", "bic": "BIC", "cross_validation": "cross-validation"}


def read_training(tasks: Sequence[Task]) -> dict[str, list[dict[str, Any] | None]]:
    """Return of each model what its runs make of their training rows, a seed each.

    That is what :func:`seqmdn.runs.score_training` gives. It is put into the run's ``metrics.json``
    under ``train`` and kept there as long as the weights are.

    Args:
        tasks: The finished trainings.
    """
    found: dict[str, list[dict[str, Any] | None]] = {}
    for task in tasks:
        path = task.out / "metrics.json"
        metrics = read_json(path, dict)
        if "train" not in metrics:
            metrics["train"] = score_training(load_run(task.out))
            save_json(path, metrics)
        found.setdefault(task.model, []).append(metrics["train"])
    return found


def add_training(
    result: dict[str, Any], training: Mapping[str, Sequence[Mapping[str, Any] | None]]
) -> None:
    """Add to a sweep what its models make of the rows that they were trained on.

    A model whose likelihood is exact gets ``bic``, in nats, the mean over its seeds, and, where its
    densities are mixtures, ``components``: what :class:`seqmdn.metrics.ComponentUse` found of each
    network, seed after seed and of ensembles member after member.

    Args:
        result: What ``sweep.json`` holds.
        training: What :func:`read_training` gave.
    """
    for name, seeds in training.items():
        found = [each for each in seeds if each is not None]
        if not found:
            continue
        entry = result["models"][name]
        entry["bic"] = float(np.mean([each["bic"] for each in found]))
        if components := [use for each in found for use in each["components"]]:
            entry["components"] = components


def component_warnings(result: Mapping[str, Any]) -> list[str]:
    """Say of each cell with components that died or sit on each other so, in a line.

    They are counted from 1, as in reports; stored numbers are indices.

    Example:
        >>> use = {"dead": 1, "of": 4, "died": [2], "same": [[0, 3, 0.99]]}
        >>> component_warnings({"models": {"K=4": {"components": [use]}, "K=2": {}}})
        ['K=4: of 4 components, number 3 died; 1 and 4 sit on each other: fewer would do']
    """
    lines = []
    for name, entry in result["models"].items():
        uses = entry.get("components", [])
        words = _of_one(uses[0]) if len(uses) == 1 else _of_several(uses)
        if words:
            lines.append(f"{name}: of {uses[0]['of']} components, {words}: fewer would do")
    return lines


def selection_words(result: Mapping[str, Any]) -> str:
    """Say in markdown which cell of each model every criterion chooses, and what to beware of.

    Nothing where only the test NLL is known.

    Args:
        result: What ``sweep.json`` holds, its ``sweep`` included.
    """
    models, cells = result["models"], result["sweep"]["cells"]
    lines = []
    for model in dict.fromkeys(cell["model"] for cell in cells.values()):
        own = [name for name in models if cells[name]["model"] == model]
        known = [key for key in CRITERIA if all(key in models[name] for name in own)]
        if len(own) < 2 or known == ["nll"]:
            continue
        chosen: dict[str, list[str]] = {}
        for key in known:
            best = min(own, key=lambda name: models[name][key])
            chosen.setdefault(best, []).append(CRITERIA[key])
        words = [f"{_joined(of)}: {_settings(cells[best])}" for best, of in chosen.items()]
        lines.append(f"- {model} has its minimum of {'; of '.join(words)}.")
    lines += [f"- Warning: {line}." for line in component_warnings(result)]
    return "".join(f"{line}\n" for line in lines)


def _settings(cell: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in cell["settings"].items())


def _of_one(use: Mapping[str, Any]) -> str:
    words = []
    if died := use.get("died"):
        number = "number" if len(died) == 1 else "numbers"
        words.append(f"{number} {_joined(str(k + 1) for k in died)} died")
    elif use["dead"]:
        words.append(f"{use['dead']} died")
    words += [f"{j + 1} and {k + 1} sit on each other" for j, k, _ in use.get("same", [])]
    return "; ".join(words)


def _of_several(uses: Sequence[Mapping[str, Any]]) -> str:
    """Count, where numbers would be those of different networks."""
    dead = [use["dead"] for use in uses if use["dead"]]
    same = [len(use["same"]) for use in uses if use.get("same")]
    words = []
    if dead:
        words.append(f"up to {max(dead)} died in {len(dead)} of {len(uses)} networks")
    if same:
        pairs = "pair sits" if max(same) == 1 else "pairs sit"
        words.append(
            f"up to {max(same)} {pairs} on each other in {len(same)} of {len(uses)} networks"
        )
    return "; ".join(words)


def _joined(words: Any) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
