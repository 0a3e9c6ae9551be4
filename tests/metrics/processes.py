"""Metrics fed with the same sequences by one process or by one of two.

``python -m tests.metrics.processes FOLDER`` starts the two; each writes what it finds to
``FOLDER/RANK.pt``.
"""

import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import torch
from torch import Tensor
from torchmetrics import Metric

from seqmdn.metrics import (
    CRPS,
    Coverage,
    EnergyScore,
    NegativeLogLikelihood,
    Sharpness,
    UniformHistogram,
    central_level,
    pit,
)
from tests.metrics.known import D, mixture

N, T, S = 13, 5, 30


def metrics() -> dict[str, Metric]:
    return {
        "nll": NegativeLogLikelihood(),
        "crps": CRPS(),
        "energy": EnergyScore(),
        "coverage": Coverage([0.5, 0.9]),
        "histogram": UniformHistogram(D, bins=5),
        "sharpness": Sharpness(D),
    }


def feed(metrics: dict[str, Metric], batches: Sequence[slice]) -> None:
    """Show them some of the 13 sequences, with draws that belong to the sequence."""
    torch.manual_seed(0)
    density = mixture(N, T)
    value, samples = density.sample(), density.sample((S,))
    mask = torch.arange(T) < torch.randint(1, T + 1, (N, 1))
    u, log_prob = pit(density, value), density.log_prob(value).where(mask, 0).sum(1)
    for some in batches:
        part = type(density)(
            torch.distributions.Categorical(logits=density.mixture_distribution.logits[some]),
            type(density.component_distribution)(
                density.component_distribution.loc[some],
                density.component_distribution.diagonal[some],
                density.component_distribution.factor[some],
            ),
        )
        metrics["nll"].update(log_prob[some], mask[some].sum(1))
        for name in ("crps", "energy", "sharpness"):
            metrics[name].update(part, value[some], mask[some], samples[:, some])
        metrics["coverage"].update(central_level(u[some]), mask[some])
        metrics["histogram"].update(u[some], mask[some])


def results(metrics: dict[str, Metric]) -> dict[str, Tensor]:
    found = {name: metric.compute() for name, metric in metrics.items()}
    found["histogram distance"] = metrics["histogram"].distance()
    for name, metric in metrics.items():
        if name != "histogram":
            found[f"{name} stderr"], found[f"{name} values"] = metric.stderr(), metric.values()
    return found


def work(folder: Path, rank: int) -> None:
    """Be one of two processes, with an unequal share in unequal batches."""
    torch.distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meeting",
        rank=rank,
        world_size=2,
        timeout=timedelta(seconds=120),
    )
    own = metrics()
    feed(own, [slice(0, 4), slice(4, 5)] if rank else [slice(5, 13)])
    torch.save(results(own), folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    # Forked, they share what it costs to import everything.
    context = torch.multiprocessing.get_context("fork")
    ranks = [context.Process(target=work, args=(Path(sys.argv[1]), rank)) for rank in range(2)]
    for each in ranks:
        each.start()
    for each in ranks:
        each.join()
    sys.exit(max(abs(each.exitcode) for each in ranks))
