"""What a run's model is worth on a split, and what that number depends on."""

import json
import math
import platform
import re
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.utilities import move_data_to_device
from torch import Tensor

import seqmdn
from seqmdn.adaptation import adaptive_log_prob
from seqmdn.data import Batch
from seqmdn.files import save_json
from seqmdn.metrics import NegativeLogLikelihood
from seqmdn.runs.run import Run, load_run
from seqmdn.scoring import score_densities

__all__ = ["device_name", "evaluate", "score", "versions"]


def evaluate(
    source: Path,
    split: str = "test",
    data: Path | None = None,
    draws: int | None = None,
    adapt: float | None = None,
    scored: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Score a run's model on a split and write the run's ``metrics.json``.

    Args:
        source: The run's folder, or a checkpoint file (then nothing is written).
        split: ``"train"``, ``"valid"`` or ``"test"``.
        data: Another store than the one that the run was trained on.
        draws: Draws of each frame for the scores beside the likelihood; none of them if left out.
        adapt: Learning rate with which the weights adapt to each sequence while it is scored
            (:func:`seqmdn.adaptation.adaptive_log_prob`); not done if left out.
        scored: Called after each frame of that.

    Returns:
        What ``metrics.json`` holds: the NLL with its unit and standard error, bits per dimension,
        sizes, and the NLL of every sequence; with ``draws`` also the scores and the calibration
        that :class:`seqmdn.metrics.DensityReport` describes; with ``adapt`` the same of the
        likelihood under ``adapted``, and the ``rate``.
    """
    metrics = score(load_run(source, data), split, draws, adapt, scored)
    if source.is_dir():
        path = source / "metrics.json"
        if path.exists():
            # The best checkpoint knows the time until it was written, not that of the whole
            # training.
            metrics["seconds"] = json.loads(path.read_text())["seconds"]
        save_json(path, metrics)
    return metrics


def score(
    run: Run,
    split: str,
    draws: int | None = None,
    adapt: float | None = None,
    scored: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Score a model on a split; see :func:`evaluate`."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = run.model.to(device)
    with torch.inference_mode():
        likelihood = _likelihood(run, split, device, model.log_prob)
    result: dict[str, Any] = {"split": split, "unit": run.data.unit, **likelihood}
    per_sequence = result.pop("nll_per_sequence")  # long, so it comes last
    if draws is not None:
        result |= score_densities(model, run.data.batches(split), draws).compute()
    if adapt is not None:

        def adapted(batch: Batch) -> Tensor:
            return adaptive_log_prob(model, batch, adapt, scored).sum(dim=1)

        result["adapted"] = {"rate": adapt, **_likelihood(run, split, device, adapted)}
    if "from" in run.description:
        result["from"] = run.description["from"]
    return result | {
        "params": run.description["parameters"],
        "seconds": run.description["seconds"],
        "steps": run.description["steps"],
        "seed": run.description["seed"],
        "dataset": run.data.describe(split),
        "checkpoint": run.checkpoint.name,
        "device": device_name(device),
        "versions": versions(),
        "nll_per_sequence": per_sequence,
    }


def _likelihood(
    run: Run, split: str, device: torch.device, log_prob: Callable[[Batch], Tensor]
) -> dict[str, Any]:
    """Return what the log-densities (B,) of all batches make, in the split's unit."""
    nll = NegativeLogLikelihood()
    dimensions = 0
    nats: list[Tensor] = []
    for batch in run.data.batches(split):
        dimensions += int(batch.observations().sum())
        nats.append(log_prob(move_data_to_device(batch, device)).cpu())
        nll.update(nats[-1], batch.frames() if run.data.per == "frame" else 1)
    result = {
        "nll": float(nll.compute()),
        "stderr": float(nll.stderr()),
        "bits_per_dim": -float(torch.cat(nats).double().sum()) / dimensions / math.log(2),
    }
    limit = run.data.limit(split)
    if limit is not None:
        result |= {"limit": limit, "gap_to_limit": result["nll"] - limit}
    return result | {"nll_per_sequence": nll.values().tolist()}


def versions() -> dict[str, str]:
    """Return the versions that a number depends on."""
    return {
        "seqmdn": seqmdn.__version__,
        "torch": torch.__version__,
        "lightning": lightning.__version__,
        "zuko": metadata.version("zuko"),
        "python": platform.python_version(),
    }


def device_name(device: torch.device) -> str:
    """Return what a person calls the device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    if (cpus := Path("/proc/cpuinfo")).exists():  # where Linux keeps what Python does not know
        found = re.search(r"^model name\s*:\s*(.+)$", cpus.read_text(), flags=re.MULTILINE)
        name = found[1].strip() if found else name
    threads = torch.get_num_threads()
    return f"{name} CPU, {threads} thread{'s' if threads > 1 else ''}"
