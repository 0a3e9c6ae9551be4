"""Draw the tasks of Gaussian processes by the weights that a model gives them, kernel by kernel.

    python -m recipes.neural_process.task_map RUN --out map.png --json map.json

RUN is of a mixture process that was trained on such tasks. The mean weights of its experts, of each
test task, are taken in coordinates of centred log-ratios. What is printed is how well they tell the
kernels apart: clusters of them (normalised mutual information and adjusted Rand index, k-means of
as many clusters as kernels), and a linear classifier (accuracy, cross-validated on five parts).
Beside them stands the same of the task's vector, from which the gate reads, and what the given
points could say at best: the kernel of largest posterior probability, of 300 tasks. Needs
scikit-learn.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from data_prep.processes import KERNELS, Process, marginal_log_density
from seqmdn.models import MixtureProcess
from seqmdn.plotting.page import check_ending, colour, style, write
from seqmdn.runs import load_run

PARTS = 5
ASKED_OF_THE_TRUTH, DRAWS = 300, 1000  # tasks, and processes of each kernel that are weighed

Array = NDArray[np.float64]


class Tasks(NamedTuple):
    """Of N tasks: weights in centred log-ratios, vectors, kernels, and the points given (n, 2)."""

    weights: Array
    vectors: Array
    kernels: NDArray[np.str_]
    given: list[Array]


@torch.no_grad()
def read_tasks(run: Path) -> Tasks:
    """Return what a run's model says of its test tasks."""
    loaded = load_run(run)
    model, data = loaded.model, loaded.data
    if not isinstance(model, MixtureProcess) or model.gate is None:
        raise SystemExit(
            f"task_map: expected a mixture process whose weights are of the task, found a "
            f"{type(model).__name__} without a gate"
        )
    weights, vectors, given = [], [], []
    for batch in data.batches("test"):
        task = model.task_vectors(batch)
        log_mean = model.gate(task).log_mean
        weights.append(log_mean - log_mean.mean(1, keepdim=True))
        vectors.append(task)
        assert batch.context is not None and batch.start is not None
        points = torch.cat((batch.context, batch.values), dim=-1).double().numpy()
        given += [each[:n] for each, n in zip(points, batch.start.tolist(), strict=True)]
    texts = [data.store.text(index) or "" for index in data.store.indices("test").tolist()]
    return Tasks(
        *(torch.cat(parts).double().numpy() for parts in (weights, vectors)),
        np.array([Process.read(text).kernel for text in texts]),
        given,
    )


def told_apart(coordinates: Array, kernels: NDArray[np.str_]) -> dict[str, float]:
    """Return how well coordinates (N, L) tell kernels apart."""
    kinds = len({*kernels})
    found = KMeans(kinds, n_init=10, random_state=0).fit_predict(coordinates)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    parts = StratifiedKFold(PARTS, shuffle=True, random_state=0)
    accuracy = cross_val_score(probe, coordinates, kernels, cv=parts)
    return {
        "nmi": float(normalized_mutual_info_score(kernels, found)),
        "ari": float(adjusted_rand_score(kernels, found)),
        "accuracy": float(accuracy.mean()),
        "stderr": float((accuracy.mean() * (1 - accuracy.mean()) / len(kernels)) ** 0.5),
    }


def at_best(tasks: Tasks, seed: int = 0) -> dict[str, float]:
    """Return how often the kernel that given points make most probable is the task's."""
    rng, right = np.random.default_rng(seed), []
    for kernel, points in zip(tasks.kernels, tasks.given[:ASKED_OF_THE_TRUTH], strict=False):
        scores = [marginal_log_density(each, *points.T, DRAWS, rng) for each in KERNELS]
        right.append(KERNELS[int(np.argmax(scores))] == kernel)
    share = float(np.mean(right))
    return {"accuracy": share, "stderr": (share * (1 - share) / len(right)) ** 0.5}


def draw(path: Path, tasks: Tasks, title: str) -> None:
    """Write a picture: a point for each task, by the two directions of most variance."""
    centred = tasks.weights - tasks.weights.mean(0)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:2]
    share = (centred @ directions.T).var(0) / centred.var(0).sum()
    with style():
        figure = Figure(figsize=(5.2, 4.0), layout="constrained")
        axes = figure.subplots()
        order = np.random.default_rng(0).permutation(len(centred))  # none lies on top of all others
        kinds = sorted({*tasks.kernels})
        shades = np.array([colour(kinds.index(kernel)) for kernel in tasks.kernels])
        axes.scatter(*(centred @ directions.T)[order].T, c=shades[order], s=5, alpha=0.6, lw=0)
        for number, kind in enumerate(kinds):
            axes.plot([], [], "o", color=colour(number), markersize=4, label=kind)
        axes.set_xlabel(f"first direction, {share[0]:.0%} of the variance")
        axes.set_ylabel(f"second, {share[1]:.0%}")
        axes.set_title(title)
        axes.legend(frameon=False)
        write(figure, path)


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("run", type=Path, help="a run's folder")
    parser.add_argument("--out", type=Path, help="the picture, .png or .svg")
    parser.add_argument("--json", type=Path, help="write what is printed as JSON, too")
    options = parser.parse_args(arguments)
    if options.out is not None:
        check_ending(options.out)
    tasks = read_tasks(options.run)
    kinds, counts = np.unique(tasks.kernels, return_counts=True)
    found = {
        "tasks": len(tasks.kernels),
        "weights": told_apart(tasks.weights, tasks.kernels),
        "vectors": told_apart(tasks.vectors, tasks.kernels),
        "at best": at_best(tasks),
        "chance": float(counts.max() / counts.sum()),
    }
    print("| told by | NMI | ARI | accuracy |")
    print("|---|---:|---:|---:|")
    for name in ("weights", "vectors", "at best"):
        each = found[name]
        clusters = [f"{each[key]:.2f}" if key in each else "" for key in ("nmi", "ari")]
        words = f"{100 * each['accuracy']:.1f} ± {100 * each['stderr']:.1f} %"
        print(f"| {name} | {clusters[0]} | {clusters[1]} | {words} |")
    print(
        f"\n{len(kinds)} kernels; the most frequent one is {100 * found['chance']:.1f} % of tasks."
    )
    if options.out is not None:
        draw(options.out, tasks, f"{len(tasks.kernels):,} tasks by their experts' weights")
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
