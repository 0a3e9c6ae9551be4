"""What finished runs say, without training any."""

from pathlib import Path
from typing import Any

import numpy as np

from seqmdn.comparison import Task


def runs_of(split: str = "test", seed: int = 0, **nll: float) -> dict[Task, dict[str, Any]]:
    """Metrics of one run a model, each sequence with the same NLL plus its number."""
    data = {"name": "walks", "sha256": "0", "sequences": 3, "frames": 9}
    return {
        Task(name, seed, (), Path(name)): {
            "split": split,
            "unit": "nats/frame",
            "nll": value + 1,
            "stderr": 1.0,
            "bits_per_dim": 1.0,
            "params": 5,
            "seconds": 1.0,
            "steps": 2,
            "seed": seed,
            "dataset": data,
            "device": "abacus",
            "versions": {},
            "nll_per_sequence": [value, value + 1, value + 2],
        }
        for name, value in nll.items()
    }


def with_scores(nll: float, seed: int, **scores: float) -> dict[Task, dict[str, Any]]:
    """Metrics of one run of a model of that name with some scores, each with an error of 0.3."""
    (found,) = runs_of(a=nll).values()
    errors = {f"{key}_stderr": 0.3 for key in scores}
    return {Task("a", seed, (), Path("a")): found | {"seed": seed} | scores | errors}


def with_adapted(found: dict[Task, dict[str, Any]], **nll: float) -> dict[Task, dict[str, Any]]:
    """Give runs the NLLs of adapting weights, each sequence's the same plus its number."""
    for task, run in found.items():
        value = nll[task.model]
        values = [value, value + 1, value + 2]
        run["adapted"] = {"rate": 1e-3, "bits_per_dim": 1.0, "nll_per_sequence": values}
    return found


def in_other_units(found: dict[Task, dict[str, Any]]) -> dict[Task, dict[str, Any]]:
    """Give runs their NLLs a frame, four a sequence, and in units that take 8 nats away."""
    for run in found.values():
        nll = run["nll"]
        run |= {"frame_unit": "nats/pen point", "nll_per_frame": nll / 4}
        run["normalised"] = {"nll": nll - 8, "nll_per_frame": (nll - 8) / 4}
    return found


def frames_of(task: Task, run: dict[str, Any]) -> dict[str, Any]:
    """Frames of three sequences of 2, 3 and 4 frames, each with its sequence's NLL a frame."""
    lengths = np.array([2, 3, 4])
    frames = {"log_prob": run["nll_per_sequence"], "adapted": run["adapted"]["nll_per_sequence"]}
    return {
        "lengths": lengths,
        "observations": 2 * lengths,
        **{name: -np.repeat(np.array(nll), lengths) for name, nll in frames.items()},
    }
