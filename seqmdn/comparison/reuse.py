"""Runs that are there already, under whatever name."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from jsonargparse import Namespace

from seqmdn.comparison.tasks import Task
from seqmdn.configuration import ConfigurationError, fit_parser

__all__ = ["distinct", "reuse", "signature"]


def distinct(tasks: Sequence[Task]) -> tuple[list[Task], dict[str, str]]:
    """Leave out models that are an earlier one under another name.

    Returns:
        The tasks of all different models, and of each model left out the one that it is.
    """
    models: dict[str, str] = {}  # of each configuration, the first that has it
    same: dict[str, str] = {}
    for task in tasks:
        if task.model not in same and task.model not in models.values():
            first = models.setdefault(signature(task.config, but=["seed"]), task.model)
            if first != task.model:
                same[task.model] = first
    return [task for task in tasks if task.model not in same], same


def reuse(tasks: Sequence[Task], out: Path) -> list[Task]:
    """Point each task to the finished run in ``out`` that has its configuration and seed.

    The name of that run does not matter, so that grids that overlap share the runs of the cells
    that they have in common. A task without such a run keeps its own folder.

    Args:
        tasks: The tasks.
        out: The folder of comparisons and sweeps, with their runs in ``runs``.
    """
    finished: dict[str, Path] = {}
    for metrics in sorted(out.glob("runs/*/metrics.json")):
        try:
            config = fit_parser().parse_args(["-c", str(metrics.parent / "config.yaml")])
        except (ConfigurationError, OSError):  # of another time, or no run at all
            continue
        finished[signature(config)] = metrics.parent
    found = []
    for task in tasks:
        # Its own folder first, where two runs are the same.
        own = (task.out / "metrics.json").exists()
        folder = task.out if own else finished.get(signature(task.config), task.out)
        found.append(replace(task, out=folder))
    return found


def signature(config: Namespace, but: Collection[str] = ()) -> str:
    """Return a hash of a configuration, the same for every way to write it.

    Args:
        config: What :func:`seqmdn.configuration.fit_parser` made.
        but: Keys that are left out.
    """
    items = sorted((k, repr(v)) for k, v in config.items() if k not in ("config", *but))
    text = "\n".join(f"{key}: {value}" for key, value in items)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
