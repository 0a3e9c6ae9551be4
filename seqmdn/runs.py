"""One run: a configuration becomes a folder, and the folder becomes the trained model again.

A run's folder holds ``config.yaml`` (everything, defaults included), ``metrics.json``,
``checkpoints/best.ckpt`` (lowest validation NLL) and ``checkpoints/last.ckpt``, and ``logs/`` (CSV
and TensorBoard). A checkpoint describes its model in plain values, so that it can be rebuilt from
the file alone, and is read with ``weights_only=True``: nothing in it is executed.
"""

import csv
import json
import math
import platform
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from jsonargparse import Namespace
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities import move_data_to_device
from torch import Tensor

import seqmdn
from seqmdn.checkpoints import (
    FORMAT,
    AtomicCheckpointIO,
    KeptCheckpoint,
    check_classes,
    load_weights,
    read_checkpoint,
)
from seqmdn.configuration import fit_parser, model_parser
from seqmdn.data import SPLITS, Batch, SequenceDataModule
from seqmdn.files import save_json
from seqmdn.generation import generate
from seqmdn.metrics import NegativeLogLikelihood
from seqmdn.models import DensityModel, SequenceModel
from seqmdn.scoring import score_densities
from seqmdn.training import DensityModule, ReportProgress, StopOnInterrupt, ValidateAtEnd
from seqmdn.transfer import check_same_data, check_same_origin, origin_of, take_over

__all__ = [
    "Interrupted",
    "Run",
    "draw",
    "evaluate",
    "fit",
    "learning_clock",
    "learning_curve",
    "load_run",
    "score",
    "versions",
]

Report = Callable[[int, int, float | None], None]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C was pressed and the state of the run is safe on disk."""


@dataclass
class Run:
    """A trained model and what it was trained on.

    Attributes:
        model: The model, in evaluation mode.
        data: The data module, set up.
        checkpoint: The file that the weights come from.
        description: What the checkpoint says of the model, the data and the training.
    """

    model: DensityModel
    data: SequenceDataModule
    checkpoint: Path
    description: dict[str, Any]


def fit(config: Namespace, out: Path, resume: bool = False, report: Report | None = None) -> Run:
    """Train the model that a configuration describes, then score it on the test split.

    Args:
        config: What :func:`fit_parser` made of files and options.
        out: The run's folder, made if missing.
        resume: Go on from the newest checkpoint in the folder.
        report: Called with (step, steps, last validation NLL) while training.

    Returns:
        The run, with the weights of the lowest validation NLL.

    Raises:
        FileExistsError: If ``resume`` is not set and the folder holds a run, or what the run would
            overwrite.
        FileNotFoundError: If ``resume`` is set and the folder holds no checkpoint.
        ValueError: If ``resume`` is set and the checkpoint is damaged, of another model or of
            another store; if the configuration names a run to begin with (``--from``) that was
            trained on other data, or whose density is not that of the model with its weights.
        Interrupted: After Ctrl-C, once a checkpoint is written.
    """
    newest = out / "checkpoints" / "last.ckpt"
    if newest.exists() and not resume:
        raise FileExistsError(
            f"{out} holds a run already: go on with it by `seqmdn fit --resume {out}`, "
            "or choose another --out"
        )
    if not resume:
        _check_unused(out, config)
    begun = read_checkpoint(newest) if resume else None
    parser = fit_parser()
    made = parser.instantiate(config)
    data: SequenceDataModule = made.data
    data.seed = config.seed
    data.prepare_data()
    data.setup("fit")
    for split in SPLITS:
        data.describe(split)  # which refuses an empty one: before the training, not after it
    seed_everything(config.seed, workers=True, verbose=False)
    model = made.model(data.features, data.context)
    plain = json.loads(parser.dump(config, format="json", skip_unset=False))
    description = {
        "format": FORMAT,
        "model": plain["model"],
        "data": plain["data"],
        "features": data.features,
        "context": data.context,
        "unit": data.unit,
        "dataset": data.describe("train"),
        "seed": config.seed,
        "parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
    }
    # Before anything is written: a folder that cannot be used stays as it is.
    source = config.get("from")
    if begun is not None:
        load_weights(model, begun, newest)
        before, now = begun["seqmdn"]["dataset"]["sha256"], description["dataset"]["sha256"]
        if before != now:
            raise ValueError(
                f"{out} was begun on another store than {data.path} is now: expected sha256 "
                f"{before[:12]}, found {now[:12]}; bring that store back, or train on this one in "
                "another --out"
            )
        description |= check_same_origin(begun["seqmdn"], source)
    elif source is not None:
        description |= _begin_with(Path(source), model, data)
    else:
        model.initialise(data.sample_frames())
    module = DensityModule(
        model, **vars(made.training), per=data.per, seed=config.seed, description=description
    )
    out.mkdir(parents=True, exist_ok=True)
    parser.save(config, out / "config.yaml", overwrite=True, skip_unset=False)
    # From here on the scores of a run that goes on are those of another model.
    (out / "metrics.json").unlink(missing_ok=True)

    stop = StopOnInterrupt(newest)
    best = KeptCheckpoint(newest.parent, "best", monitor="val/nll")
    last = KeptCheckpoint(newest.parent, "last")
    table = CSVLogger(out, name="logs")
    trainer = Trainer(
        **{
            **vars(made.trainer),
            "callbacks": [
                *(made.trainer.callbacks or []),
                ValidateAtEnd(),
                stop,
                best,
                last,
            ]
            + ([ReportProgress(report)] if report else []),
        },
        default_root_dir=out,
        logger=[table, TensorBoardLogger(out, name="logs", version=table.version)],
        plugins=[AtomicCheckpointIO()],
        enable_progress_bar=False,
    )
    try:
        with stop:
            trainer.fit(
                module, datamodule=data, ckpt_path=newest if resume else None, weights_only=True
            )
    except SystemExit as end:  # what Lightning makes of a KeyboardInterrupt
        raise KeyboardInterrupt from end
    if stop.interrupted:
        raise Interrupted(f"stopped at step {trainer.global_step}")
    run = load_run(out)
    save_json(out / "metrics.json", score(run, "test") | {"seconds": module.seconds})
    return run


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


def load_run(source: Path, data: Path | None = None) -> Run:
    """Rebuild a trained model and its data module.

    Args:
        source: A run's folder, or a checkpoint file.
        data: Another store than the one that the run was trained on.

    Raises:
        FileNotFoundError: If there is no run.
        ValueError: If the file is not a checkpoint of this program, or its weights are another
            model's.
    """
    checkpoint = _best(source)
    content = read_checkpoint(checkpoint)
    description = content["seqmdn"]
    parser = model_parser()
    plain = {"model": description["model"], "data": description["data"]}
    check_classes(plain, checkpoint)
    if data is not None:
        plain["data"]["init_args"]["path"] = str(data)
    made = parser.instantiate(parser.parse_object(plain))
    model = made.model(description["features"], description["context"])
    load_weights(model, content, checkpoint)
    made.data.prepare_data()
    made.data.setup("test")
    if made.data.features != description["features"]:
        raise ValueError(
            f"{checkpoint} is of a model of {description['features']} features, the data have "
            f"{made.data.features}: name the right store by --data"
        )
    return Run(model.eval(), made.data, checkpoint, description)


def _best(source: Path) -> Path:
    return source / "checkpoints" / "best.ckpt" if source.is_dir() else source


def _begin_with(source: Path, model: DensityModel, data: SequenceDataModule) -> dict[str, Any]:
    """Give a model the weights of a run; return what tells in a description where it began."""
    # First of all: data of another size would be refused for that.
    check_same_data(read_checkpoint(_best(source))["seqmdn"], data, source)
    run = load_run(source, data.path)
    take_over(model, run.model, data, source)
    return origin_of(source, run.checkpoint, run.description)


def draw(
    run: Run,
    num: int,
    length: int | None = None,
    prime: int = 0,
    split: str = "test",
    **options: Any,
) -> tuple[Batch, Batch]:
    """Draw sequences as long as real ones, under the context of real ones where the model has a
    context.

    Args:
        run: The run.
        num: Number of sequences; with a context or a prime, real sequences are used again in turn.
        length: Frames of each, those of the longest real sequence used by default.
        prime: Number of first frames to take from real sequences.
        split: Where the real sequences come from.
        options: Temperatures, stop rule and seed; see :func:`seqmdn.generation.generate`.

    Returns:
        The drawn sequences and the real ones, in the columns of the store. With a context, a draw
        is no longer than the real sequence whose context it was drawn under.

    Raises:
        ValueError: If the context of the split is shorter than ``length``, or a real sequence is
            shorter than ``prime`` or misses features there.
    """
    if not isinstance(run.model, SequenceModel):
        raise ValueError(f"a {type(run.model).__name__} has no sequences to draw")
    indices = np.resize(run.data.store.indices(split), num)
    real = run.data.sequences(split, indices)
    length = int(real.lengths.max()) if length is None else length
    if prime and int(real.lengths.min()) < prime:
        raise ValueError(f"prime must be at most {int(real.lengths.min())}, found {prime}")
    if prime and real.observed is not None and not bool(real.observed[:, :prime].all()):
        raise ValueError(
            f"prime must be 0 where features of the first frames are missing, found {prime}"
        )
    drawn = generate(
        run.model,
        num,
        length,
        context=real.context,
        prime=real.values[:, :prime] if prime else None,
        **options,
    )
    if real.context is not None:
        # What a context says ends where the sequence ends that it belongs to.
        ends = real.lengths.to(drawn.lengths)
        drawn = drawn._replace(lengths=torch.minimum(drawn.lengths, ends))
        drawn = drawn._replace(values=drawn.values.where(drawn.mask().unsqueeze(-1), 0))
    return run.data.whole(drawn), run.data.whole(real)


def _check_unused(out: Path, config: Namespace) -> None:
    """Raise FileExistsError if a run that begins in ``out`` would overwrite what is not its own.

    A run that stopped before its first checkpoint may begin again: it leaves a ``config.yaml``.
    """
    given = [Path(str(file)).resolve() for file in config.get("config") or []]
    if (out / "config.yaml").resolve() in given:
        found = "config.yaml, which this run is told by -c to read"
    elif (out / "metrics.json").exists():
        found = "metrics.json, but no checkpoint"
    else:
        return
    raise FileExistsError(
        f"{out} holds {found}, and a run would overwrite it: choose another --out, or move the file"
    )


def learning_curve(run: Path) -> tuple[list[int], list[float]]:
    """Return the steps and the validation NLLs that a run has logged, over all resumptions."""
    return _logged(run, "val/nll")


def learning_clock(run: Path) -> tuple[list[int], list[float]]:
    """Return the steps of the validations and the wall seconds of training until each of them."""
    return _logged(run, "seconds")


def _logged(run: Path, name: str) -> tuple[list[int], list[float]]:
    found: dict[int, float] = {}
    for path in sorted(run.glob("logs/version_*/metrics.csv"), key=lambda p: p.stat().st_mtime):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                if row.get(name):
                    found[int(float(row["step"]))] = float(row[name])
    steps = sorted(found)
    return steps, [found[step] for step in steps]


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
