"""Runs that are there already, under whatever name."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jsonargparse import Namespace

from seqmdn.comparison.tasks import Task
from seqmdn.configuration import ConfigurationError, fit_parser

__all__ = ["distinct", "reuse"]


def distinct(tasks: Sequence[Task]) -> tuple[list[Task], dict[str, str]]:
    """Leave out models that are an earlier one under another name.

    Returns:
        The tasks of all different models, and of each model left out the one that it is.
    """
    models: dict[str, str] = {}  # of each configuration, the first that has it
    same: dict[str, str] = {}
    for task in tasks:
        if task.model not in same and task.model not in models.values():
            first = models.setdefault(_signature(task.config, seed=False), task.model)
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
        finished[_signature(config)] = metrics.parent
    found = []
    for task in tasks:
        # Its own folder first, where two runs are the same.
        own = (task.out / "metrics.json").exists()
        folder = task.out if own else finished.get(_signature(task.config), task.out)
        found.append(replace(task, out=folder))
    return found


def _signature(config: Namespace, seed: bool = True) -> str:
    """Say all of a configuration in one text, the same for every way to write it."""
    left_out = {"config"} if seed else {"config", "seed"}
    items = sorted((key, repr(value)) for key, value in config.items() if key not in left_out)
    return "\n".join(f"{key}: {value}" for key, value in items)
