"""Print how far neural processes are from the truth, kernel by kernel.

    python -m recipes.neural_process.oracle RESULTS

RESULTS is the folder that `seqmdn compare` wrote of tasks from Gaussian processes. The truth is the
exact density of each point that is asked for, given the others, under the process that its task was
drawn from; differences to it are paired, task by task. Seeds of a model are averaged.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_prep.processes import Process, log_density
from seqmdn.comparison import read_frames
from seqmdn.runs import load_run

ALL = "all"


def truth(run: Path) -> tuple[NDArray[np.float64], list[str]]:
    """Return what the truth scores on each test task, nats a point, and each task's kernel."""
    data = load_run(run).data
    scores, kernels = [], []
    indices = iter(data.store.indices("test").tolist())
    for batch in data.batches("test"):
        assert batch.context is not None and batch.start is not None
        for x, y, start in zip(batch.context, batch.values, batch.start.tolist(), strict=True):
            process = Process.read(data.store.text(next(indices)) or "")
            places, values = (part[:, 0].double().numpy() for part in (x, y))
            scores.append(-log_density(process, places, values, start).mean())
            kernels.append(process.kernel)
    return np.array(scores), kernels


def scored(run: Path) -> NDArray[np.float64]:
    """Return the NLL of each test task, nats a point."""
    frames = read_frames(run)
    ends = np.cumsum(frames["lengths"])[:-1]
    return np.array([-part.mean() for part in np.split(frames["log_prob"], ends)])


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="what `seqmdn compare` wrote")
    parser.add_argument("--out", type=Path, help="write what is printed as JSON, too")
    options = parser.parse_args(arguments)
    models = json.loads((options.results / "compare.json").read_text())["models"]
    runs = {
        name: [options.results / "runs" / f"{name}-{seed['seed']}" for seed in entry["seeds"]]
        for name, entry in models.items()
    }
    known, kernels = truth(next(iter(runs.values()))[0])
    parts = {name: np.array([each == name for each in kernels]) for name in sorted({*kernels})}
    parts[ALL] = np.ones(len(known), bool)
    found = {
        "truth": {kernel: float(-known[own].mean()) for kernel, own in parts.items()},
        "tasks": {kernel: int(own.sum()) for kernel, own in parts.items()},
        "models": {},
    }
    print("| log-likelihood, nats/point |", " | ".join(parts), "|")
    print("|---|" + "---:|" * len(parts))
    print("| the truth |", " | ".join(f"{value:.3f}" for value in found["truth"].values()), "|")
    for name, own_runs in runs.items():
        gap = np.mean([scored(run) for run in own_runs], axis=0) - known
        found["models"][name] = {
            kernel: {
                "gap": float(gap[own].mean()),
                "stderr": float(gap[own].std() / own.sum() ** 0.5),
            }
            for kernel, own in parts.items()
        }
        cells = [f"-{v['gap']:.3f} ± {v['stderr']:.3f}" for v in found["models"][name].values()]
        print(f"| {name} |", " | ".join(cells), "|")
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
