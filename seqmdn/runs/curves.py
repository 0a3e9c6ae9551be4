"""What a run has logged while it trained."""

import csv
from pathlib import Path

__all__ = ["learning_clock", "learning_curve", "loss_curve"]


def learning_curve(run: Path) -> tuple[list[int], list[float]]:
    """Return the steps and the validation NLLs that a run has logged, over all resumptions."""
    return _logged(run, "val/nll")


def learning_clock(run: Path) -> tuple[list[int], list[float]]:
    """Return the steps of the validations and the wall seconds of training until each of them."""
    return _logged(run, "seconds")


def loss_curve(run: Path) -> tuple[list[int], list[float]]:
    """Return steps and the training loss of their batches, one by one, as they were logged."""
    return _logged(run, "train/loss")


def _logged(run: Path, name: str) -> tuple[list[int], list[float]]:
    found: dict[int, float] = {}
    for path in sorted(run.glob("logs/version_*/metrics.csv"), key=lambda p: p.stat().st_mtime):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                if row.get(name):
                    found[int(float(row["step"]))] = float(row[name])
    steps = sorted(found)
    return steps, [found[step] for step in steps]
