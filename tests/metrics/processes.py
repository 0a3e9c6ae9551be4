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
    highest_density_level,
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
        "crps of what was observed": CRPS(),
        "energy of what was observed": EnergyScore(),
        "coverage of what was observed": Coverage([0.5, 0.9]),
        "histogram of what was observed": UniformHistogram(D, bins=5),
    }


def feed(metrics: dict[str, Metric], batches: Sequence[slice]) -> None:
    """Show them some of the 13 sequences, with draws that belong to the sequence."""
    torch.manual_seed(0)
    density = mixture(N, T)
    value, samples = density.sample(), density.sample((S,))
    mask = torch.arange(T) < torch.randint(1, T + 1, (N, 1))
    observed = torch.rand(N, T, D) < 0.6
    observed[6] = False
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
        for name in ("crps", "energy"):
            metrics[f"{name} of what was observed"].update(
                part, value[some], mask[some], samples[:, some], observed[some]
            )
        level = highest_density_level(part, value[some], samples[:, some], observed[some])
        # Its random part is left out: two processes have random numbers of their own.
        level = (level * (S + 1)).floor() / (S + 1)
        seen = observed[some].any(-1, keepdim=True)
        metrics["coverage of what was observed"].update(level.unsqueeze(-1), mask[some], seen)
        counted = mask[some].unsqueeze(-1) & observed[some]
        metrics["histogram of what was observed"].update(u[some], counted)


def results(metrics: dict[str, Metric]) -> dict[str, Tensor]:
    found = {name: metric.compute() for name, metric in metrics.items()}
    found["histogram distance"] = metrics["histogram"].distance()
    for name, metric in metrics.items():
        if not isinstance(metric, UniformHistogram):
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
