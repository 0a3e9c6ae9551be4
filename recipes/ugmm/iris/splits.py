"""Compare a generative network with classical classifiers over many splits of iris.

    python -m recipes.ugmm.iris.splits --out recipes/ugmm/iris/splits.json

Each split gives 70 % of each kind to training and 30 % to the test. What the network has to choose
(its structure and the strength of its prior) is chosen on each split anew, by 5-fold
cross-validation inside the training part, by the log-probability of the class given the features;
the test part is looked at once, by the network that was chosen. Networks of one structure are
trained at once: their parameters have one more dimension, the first.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.datasets import load_iris
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.naive_bayes import GaussianNB
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from seqmdn.heads import CircuitHead
from seqmdn.provenance import provenance

CLASSES, FOLDS, RATE = 3, 5, 0.05
STRUCTURES: dict[str, dict[str, int]] = {
    "one node a class": {"components": 3, "depth": 0, "rank": 3},
    "two nodes a class": {"components": 6, "depth": 0, "rank": 3},
    "three trees": {"components": 6, "depth": 1, "rank": 1, "trees": 3},
}
PRIORS = (5.0, 20.0, 80.0)
NETWORK = "generative network"

Array = NDArray[np.float64]


class Fit(NamedTuple):
    """Rows to learn from, rows to be scored on, and the strength of the prior."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]
    prior: float


def fit_networks(
    fits: Sequence[Fit], structure: dict[str, int], steps: int
) -> list[Array]:  # of each (test rows, classes)
    """Return log p(features, class) of the rows to be scored, in nats of cm, of all classes."""
    features, classes = load_iris(return_X_y=True)
    width = features.shape[1]
    length = max(len(fit.train) for fit in fits)
    heads, rows, counts, scales = [], [], [], []
    for fit in fits:
        own = features[fit.train]
        mean, std = own.mean(0), own.std(0)
        z = np.column_stack([(features - mean) / std, classes])
        head = CircuitHead(width + 1, 0, classes=CLASSES, prior=fit.prior, **structure).double()
        with torch.no_grad():
            head.initialise(torch.tensor(z[fit.train]))
        heads.append(head)
        scales.append(-np.log(std).sum())
        counts.append(len(fit.train))
        rows.append(z)
    state = {f"head.{k}": v for part in stack_module_state(heads) for k, v in part.items()}
    state = {name: tensor.detach().requires_grad_() for name, tensor in state.items()}
    heads[0].prior = torch.tensor([fit.prior for fit in fits], dtype=torch.float64)
    batch = _Batch(heads[0])
    # Rows that a fit has less of stand twice, with a weight of 0.
    chosen = [np.resize(fit.train, length) for fit in fits]
    learnt = torch.stack([torch.tensor(z[i]) for z, i in zip(rows, chosen, strict=True)], dim=1)
    number = torch.tensor(counts)
    weights = (torch.arange(length).unsqueeze(1) < number).double() / number
    learned = [p for name, p in state.items() if name.split(".")[1] not in ("spread", "shares")]
    optimiser = torch.optim.Adam(learned, lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        log_prob, log_prior = functional_call(batch, state, (learnt,))
        optimiser.zero_grad()
        (-(weights * log_prob).sum() - (log_prior / number).sum()).backward()
        optimiser.step()
        schedule.step()
    found = []
    every = torch.stack([torch.tensor(z) for z in rows], dim=1)  # (150, F, D)
    with torch.no_grad():
        for c in range(CLASSES):
            every[..., -1] = c
            found.append(functional_call(batch, state, (every,))[0])
    joint = torch.stack(found, dim=-1).numpy()  # (150, F, C)
    return [joint[fit.test, f] + scales[f] for f, fit in enumerate(fits)]


def network(seeds: Sequence[int], steps: int) -> tuple[list[Array], list[str]]:
    """Return what the chosen network of each split says of its test rows, and which it is."""
    _, classes = load_iris(return_X_y=True)
    splits = [split(seed) for seed in seeds]
    candidates = [(name, prior) for name in STRUCTURES for prior in PRIORS]
    worth = np.zeros((len(candidates), len(splits)))
    for name, structure in STRUCTURES.items():
        fits, places = [], []
        for s, (train, _) in enumerate(splits):
            inner = StratifiedKFold(FOLDS, shuffle=True, random_state=seeds[s])
            for known, held in inner.split(train, classes[train]):
                for prior in PRIORS:
                    fits.append(Fit(train[known], train[held], prior))
                    places.append((candidates.index((name, prior)), s))
        for place, fit, joint in zip(
            places, fits, fit_networks(fits, structure, steps), strict=True
        ):
            worth[place] += given(joint, classes[fit.test]).sum()
    best = [candidates[i] for i in worth.argmax(0)]
    found: dict[int, Array] = {}
    for name, structure in STRUCTURES.items():
        own = [s for s, (chosen, _) in enumerate(best) if chosen == name]
        fits = [Fit(*splits[s], best[s][1]) for s in own]
        if fits:
            found |= dict(zip(own, fit_networks(fits, structure, steps), strict=True))
    return [found[s] for s in range(len(splits))], [f"{n}, prior {p:g}" for n, p in best]


def classical(train: NDArray[np.int64], test: NDArray[np.int64]) -> dict[str, dict[str, Any]]:
    """Return what scikit-learn's classifiers say of the test rows: classes and densities."""
    features, classes = load_iris(return_X_y=True)
    x, y, new = features[train], classes[train], features[test]
    linear = LinearDiscriminantAnalysis(store_covariance=True).fit(x, y)
    quadratic = QuadraticDiscriminantAnalysis(store_covariance=True).fit(x, y)
    naive = GaussianNB().fit(x, y)
    logistic = LogisticRegression(max_iter=5000).fit(x, y)
    shares = np.log(linear.priors_)
    gaussians = {
        "linear discriminant analysis": (linear, linear.means_, [linear.covariance_] * CLASSES),
        "quadratic discriminant analysis": (quadratic, quadratic.means_, quadratic.covariance_),
        "Gaussian naive Bayes": (naive, naive.theta_, [np.diag(row) for row in naive.var_]),
    }
    found: dict[str, dict[str, Any]] = {
        "logistic regression": {"said": logistic.predict_log_proba(new), "joint": None}
    }
    for name, (model, means, covariances) in gaussians.items():
        parts = zip(means, covariances, strict=True)
        joint = np.stack([multivariate_normal(m, c).logpdf(new) for m, c in parts], 1) + shares
        found[name] = {"said": model.predict_log_proba(new), "joint": joint}
    return found


def split(seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows for training and those for the test, 70 and 30 % of each kind."""
    _, classes = load_iris(return_X_y=True)
    train, test = train_test_split(
        np.arange(len(classes)), test_size=0.3, stratify=classes, random_state=seed
    )
    return train, test


def given(joint: Array, classes: NDArray[np.int64]) -> Array:  # (N,)
    """Return the log-probability of the class given the features, in nats."""
    own: Array = joint[np.arange(len(classes)), classes] - logsumexp(joint, axis=1)
    return own


def compare(seeds: Sequence[int], steps: int) -> dict[str, Any]:
    """Return the mean and its standard error over splits, of every model."""
    _, classes = load_iris(return_X_y=True)
    begun = time.monotonic()
    chosen, names = network(seeds, steps)
    scores: dict[str, dict[str, list[float]]] = {}
    for s, seed in enumerate(seeds):
        train, test = split(seed)
        said = {NETWORK: {"said": chosen[s], "joint": chosen[s]}, **classical(train, test)}
        for name, of in said.items():
            own = scores.setdefault(name, {"accuracy": [], "class": [], "joint": []})
            own["accuracy"].append(100 * float((of["said"].argmax(1) == classes[test]).mean()))
            own["class"].append(float(given(of["said"], classes[test]).mean()))
            if of["joint"] is not None:
                row = of["joint"][np.arange(len(test)), classes[test]]
                own["joint"].append(float(row.mean()))
    best = np.array(scores[NETWORK]["accuracy"])
    models: dict[str, Any] = {}
    for name, own in scores.items():
        models[name] = {key: _mean(values) for key, values in own.items() if values}
        if name != NETWORK:
            models[name]["network - this"] = _mean(best - np.array(own["accuracy"]))
    return {
        "dataset": "iris",
        "splits": len(seeds),
        "steps": steps,
        "models": models,
        "chosen": {name: names.count(name) for name in sorted(set(names))},
        "seconds": round(time.monotonic() - begun),
        **provenance(
            torch.device("cpu"),
            "python -m recipes.ugmm.iris.splits --out recipes/ugmm/iris/splits.json",
        ),
    }


def table(found: dict[str, Any]) -> str:
    """Return the table of a README."""
    head = "accuracy, % | network minus this, % | log p(class given features) | log p(both), "
    lines = [f"| model | {head}nats/row |", "|---|---:|---:|---:|---:|"]
    for name, own in found["models"].items():
        cells = [
            f"{own[key]['mean']:.{digits}f} ± {own[key]['stderr']:.{digits}f}" if key in own else ""
            for key, digits in (
                ("accuracy", 2),
                ("network - this", 2),
                ("class", 4),
                ("joint", 3),
            )
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=int, default=50, help="seeds 0, 1, ... of splits")
    parser.add_argument("--steps", type=int, default=120, help="steps of each training")
    parser.add_argument("--out", type=Path, help="write what was found as JSON")
    options = parser.parse_args(arguments)
    torch.manual_seed(0)
    found = compare(range(options.splits), options.steps)
    print(table(found))
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=1) + "\n")


class _Batch(nn.Module):
    """Gives densities and priors of many heads at once, by their stacked parameters."""

    def __init__(self, head: CircuitHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return self.head.circuit().log_prob(rows), self.head.log_prior()


def _mean(values: Sequence[float] | Array) -> dict[str, float]:
    own = np.asarray(values)
    return {"mean": float(own.mean()), "stderr": float(own.std(ddof=1) / len(own) ** 0.5)}


if __name__ == "__main__":
    main()
