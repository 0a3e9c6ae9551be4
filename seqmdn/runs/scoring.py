"""What a run's model is worth on a split, and what that number depends on."""

import json
import math
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.utilities import move_data_to_device
from torch import Tensor

import seqmdn
from seqmdn.files import save_json
from seqmdn.metrics import NegativeLogLikelihood
from seqmdn.runs.run import Run, load_run
from seqmdn.scoring import score_densities

__all__ = ["device_name", "evaluate", "score", "versions"]


def evaluate(
    source: Path, split: str = "test", data: Path | None = None, draws: int | None = None
) -> dict[str, Any]:
    """Score a run's model on a split and write the run's ``metrics.json``.

    Args:
        source: The run's folder, or a checkpoint file (then nothing is written).
        split: ``"train"``, ``"valid"`` or ``"test"``.
        data: Another store than the one that the run was trained on.
        draws: Draws of each frame for the scores beside the likelihood; none of them if left out.

    Returns:
        What ``metrics.json`` holds: the NLL with its unit and standard error, bits per dimension,
        sizes, and the NLL of every sequence; with ``draws`` also the scores and the calibration
        that :class:`seqmdn.metrics.DensityReport` describes.
    """
    metrics = score(load_run(source, data), split, draws)
    if source.is_dir():
        path = source / "metrics.json"
        if path.exists():
            # The best checkpoint knows the time until it was written, not that of the whole
            # training.
            metrics["seconds"] = json.loads(path.read_text())["seconds"]
        save_json(path, metrics)
    return metrics


@torch.inference_mode()
def score(run: Run, split: str, draws: int | None = None) -> dict[str, Any]:
    """Score a model on a split; see :func:`evaluate`."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = run.model.to(device)
    nll = NegativeLogLikelihood()
    dimensions = 0
    nats: list[Tensor] = []
    for batch in run.data.batches(split):
        dimensions += int(batch.observations().sum())
        nats.append(model.log_prob(move_data_to_device(batch, device)).cpu())
        nll.update(nats[-1], batch.frames() if run.data.per == "frame" else 1)
    result: dict[str, Any] = {
        "split": split,
        "unit": run.data.unit,
        "nll": float(nll.compute()),
        "stderr": float(nll.stderr()),
        "bits_per_dim": -float(torch.cat(nats).double().sum()) / dimensions / math.log(2),
    }
    limit = run.data.limit(split)
    if limit is not None:
        result |= {"limit": limit, "gap_to_limit": result["nll"] - limit}
    if draws is not None:
        result |= score_densities(model, run.data.batches(split), draws).compute()
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
        "nll_per_sequence": nll.values().tolist(),
    }


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
