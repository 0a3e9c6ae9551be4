"""What a run's model is worth on a split, and what that number depends on."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities import move_data_to_device
from torch import Tensor

from seqmdn.adaptation import adaptive_log_prob
from seqmdn.data import Batch
from seqmdn.files import save_json, written_whole
from seqmdn.metrics import NegativeLogLikelihood
from seqmdn.models import ExactModel
from seqmdn.processes import count_and_rank, first_process, gathered, in_turn
from seqmdn.provenance import provenance
from seqmdn.reading import read_json
from seqmdn.runs.dequantisation import check_dequantised, log_mean_exp
from seqmdn.runs.run import Run, load_run
from seqmdn.scoring import score_classes, score_densities

__all__ = ["evaluate", "score"]

Progress = Callable[[int, int], None]


def evaluate(
    source: Path,
    split: str = "test",
    data: Path | None = None,
    draws: int | None = None,
    adapt: float | None = None,
    scored: Progress | None = None,
    dequantise: int | None = None,
    command: str | None = None,
) -> dict[str, Any]:
    """Score a run's model on a split and write the run's ``metrics.json`` and ``frames.npz``.

    Args:
        source: The run's folder, or a checkpoint file (then nothing is written).
        split: ``"train"``, ``"valid"`` or ``"test"``.
        data: Another store than the one that the run was trained on.
        draws: Draws of each frame for the scores beside the likelihood; none of them if left out.
        adapt: Learning rate with which the weights adapt to each sequence while it is scored
            (:func:`seqmdn.adaptation.adaptive_log_prob`); not done if left out.
        scored: Called after each frame of that, with how many are done and how many there are.
        dequantise: Draws of the noise for a tighter bound on the probability of levels
            (:mod:`seqmdn.runs.dequantisation`); not done if left out.
        command: What was typed, for the record.

    Returns:
        What ``metrics.json`` holds: the NLL with its unit and standard error, bits per dimension,
        sizes, and the NLL of every sequence; of an NLL a sequence also ``nll_per_frame`` (over all
        frames of the split) in ``frame_unit`` and, where the transform has one slope, both in its
        units under ``normalised``; of a model whose density is one of several independent parts the
        NLL of each under ``parts``; of a classifier its ``accuracy``; with ``draws`` also the
        scores and the calibration
        that :class:`seqmdn.metrics.DensityReport` describes; of a model whose NLL is a bound
        ``bound``, which one (``bound_is``) and its other ``bounds``, of which the one of
        ``dequantise`` is another; with ``adapt`` the same of the likelihood under ``adapted``, and
        the ``rate``. ``frames.npz`` holds the log-density of
        every frame that counts, in nats, sequence after sequence: ``log_prob`` (N,), with ``adapt``
        also ``adapted`` (N,), and of each sequence ``lengths``, its frames, and ``observations``,
        its observed values.
    """
    frames = source / "frames.npz" if source.is_dir() else None
    metrics = score(
        load_run(source, data), split, draws, adapt, scored, frames, dequantise, command
    )
    if source.is_dir() and first_process():
        path = source / "metrics.json"
        if path.exists():
            # The best checkpoint knows the time until it was written, not that of the whole
            # training, and the steps that were left out until then.
            before = read_json(path, dict)
            metrics |= {key: before[key] for key in ("seconds", "not_finite") if key in before}
        save_json(path, metrics)
    return metrics


def score(
    run: Run,
    split: str,
    draws: int | None = None,
    adapt: float | None = None,
    scored: Progress | None = None,
    frames: Path | None = None,
    dequantise: int | None = None,
    command: str | None = None,
) -> dict[str, Any]:
    """Score a model on a split; see :func:`evaluate`; ``frames`` is where ``frames.npz`` goes.

    Several processes share the split's batches, each of which is what it is for one process, and
    all of them return the scores of the whole split; the first writes ``frames``.
    """
    if dequantise is not None:
        check_dequantised(run, dequantise)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = run.model.to(device)
    log_prob = model.frame_log_prob if isinstance(model, ExactModel) else model.log_prob
    with torch.inference_mode():
        likelihood, found = _likelihood(run, split, device, log_prob)
        others = {
            name: _likelihood(run, split, device, bound)[0]
            for name, bound in model.bounds().items()
        }
        if run.data.points is not None:  # what is known of each point is no limit of all together
            for other in others.values():
                other.pop("limit", None)
                other.pop("gap_to_limit", None)
        if dequantise is not None:
            name = f"dequantised, {dequantise} draw{'s' if dequantise > 1 else ''}"
            others[name] = _likelihood(run, split, device, model.log_prob, dequantise)[0]
        parts = {
            name: _likelihood(run, split, device, part)[0] for name, part in model.parts().items()
        }
    result: dict[str, Any] = {"split": split, "unit": run.data.unit, **likelihood}
    per_sequence = result.pop("nll_per_sequence")  # long, so it comes last
    if model.bound:
        result |= {"bound": True, "bound_is": model.bound}
    if model.bound or others:
        result["bounds"] = others
    if parts:
        # Bits per dimension and the limit are those of whole frames.
        kept = ("nll", "stderr", "nll_per_sequence")
        result["parts"] = {name: {key: found[key] for key in kept} for name, found in parts.items()}
    if (classes := score_classes(model, run.data.batches(split))) is not None:
        result |= classes
    if draws is not None:
        result |= score_densities(model, run.data.batches(split), draws).compute()
    if adapt is not None:
        done, total = itertools.count(1), int(found["lengths"].sum())

        def tell() -> None:
            if scored is not None:
                scored(next(done), total)

        def adapted(batch: Batch) -> Tensor:
            return adaptive_log_prob(model, batch, adapt, tell)

        likelihood, more = _likelihood(run, split, device, adapted)
        result["adapted"] = {"rate": adapt, **likelihood}
        found["adapted"] = more["log_prob"]
    if "from" in run.description:
        result["from"] = run.description["from"]
    if "not_finite" in run.description:
        result["not_finite"] = run.description["not_finite"]
    if frames is not None and isinstance(model, ExactModel) and first_process():
        with written_whole(frames) as partial:
            np.savez(partial, **found)
    return result | {
        "params": run.description["parameters"],
        "seconds": run.description["seconds"],
        "steps": run.description["steps"],
        "seed": run.description["seed"],
        "dataset": run.data.describe(split),
        "checkpoint": run.checkpoint.name,
        **provenance(device, command),
        "nll_per_sequence": per_sequence,
    }


def _likelihood(
    run: Run, split: str, device: torch.device, log_prob: Callable[[Batch], Tensor], draws: int = 1
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what log-densities, of sequences (B,) or of frames (B, T), make, and all of them.

    Of several draws of the data's noise, those of sequences alone.
    """
    # It is given all sequences, and has none to gather.
    nll = NegativeLogLikelihood(distributed_available_fn=lambda: False)
    own: list[tuple[Tensor, ...]] = []
    dealt = count_and_rank()
    for several in zip(
        *(run.data.batches(split, draw, dealt) for draw in range(draws)), strict=True
    ):
        batch = several[0]
        each = [log_prob(move_data_to_device(one, device)).cpu() for one in several]
        found = each[0] if draws == 1 else log_mean_exp(torch.stack(each))
        of_frames = found[batch.mask()] if found.ndim == 2 else found
        found = found.sum(dim=1) if found.ndim == 2 else found
        own.append((found, batch.frames(), batch.observations(), of_frames))
    every = in_turn(gathered(own))
    nats, lengths, observations, frames = (list(part) for part in zip(*every, strict=True))
    for found, frames_of in zip(nats, lengths, strict=True):
        nll.update(found, frames_of if run.data.per == "frame" else 1)
    result = {
        "nll": float(nll.compute()),
        "stderr": float(nll.stderr()),
        "bits_per_dim": -float(torch.cat(nats).double().sum())
        / int(torch.cat(observations).sum())
        / math.log(2),
    }
    if run.data.per == "sequence":
        result |= _per_frame(run, result["nll"], torch.cat(lengths).double().mean().item())
    limit = run.data.limit(split)
    if limit is not None:
        result |= {"limit": limit, "gap_to_limit": result["nll"] - limit}
    arrays = {"lengths": lengths, "observations": observations, "log_prob": frames}
    return (
        result | {"nll_per_sequence": nll.values().tolist()},
        {name: torch.cat(parts).numpy() for name, parts in arrays.items()},
    )


def _per_frame(run: Run, nll: float, frames: float) -> dict[str, Any]:
    """Return an NLL a sequence also per frame, and both in the units that the model works in.

    Where these are the data's divided by their standard deviation, they are those of the
    literature.
    """
    step = run.data.store.attributes.get("step", "frame")
    result: dict[str, Any] = {"frame_unit": f"nats/{step}", "nll_per_frame": nll / frames}
    transform = getattr(run.model, "transform", None)
    ladj = None if transform is None or run.data.store.missing else transform.ladj()
    if ladj is not None:
        normalised = nll + ladj * frames
        result["normalised"] = {"nll": normalised, "nll_per_frame": normalised / frames}
    return result
