"""Data sets, recipes and runs small enough to train in a second."""

import csv
import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from jsonargparse import Namespace
from lightning.pytorch import Callback, Trainer

from seqmdn.configuration import fit_parser
from seqmdn.data import StoreWriter
from seqmdn.runs import Report, Run, fit, learning_curve

SPLITS = {"train": 24, "valid": 6, "test": 10}


def write_store(
    path: Path,
    features: int = 2,
    noisy: bool = False,
    context: bool = False,
    seed: int = 5,
    missing: bool = False,
    **options: Any,
) -> Path:
    """40 correlated walks of 4 to 7 frames; ``noisy`` ones hold a log-variance a feature, too.

    Of those with ``missing`` features, a third of the values is not there.
    """
    names = [f"x{i}" for i in range(features)]
    if noisy:
        names += [f"logvar{i}" for i in range(features)]
    arguments: dict[str, Any] = {"name": "walks", "unit": "m", "missing": missing, **options}
    rng = np.random.default_rng(seed)
    with StoreWriter(path, names, context=["c"] if context else [], **arguments) as writer:
        for split, count in SPLITS.items():
            for _ in range(count):
                length = int(rng.integers(4, 8))
                values = np.round(3 * rng.standard_normal((length, features)).cumsum(axis=0))
                if noisy:
                    logvar = rng.uniform(-3, -1, size=values.shape)
                    values = np.concatenate([values, logvar], axis=1)
                known = rng.standard_normal((length, 1)) if context else None
                seen = rng.random(values.shape) < 2 / 3 if missing else None
                writer.append(values, split, context=known, observed=seen)
    return path


def write_recipe(folder: Path, store: Path, steps: int = 12, **data: Any) -> Path:
    """A recipe with everything that a resumption may forget: dropout, noise, a falling rate.

    An epoch has 5 batches, a validation comes after every 4 of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    base = {
        "data": {
            "class_path": "seqmdn.data.SequenceDataModule",
            "init_args": {
                "path": str(store),
                "noise": "seqmdn.data.UniformDequantise",
                "batch_size": 5,
                **data,
            },
        },
        "model": {
            "class_path": "seqmdn.models.SequenceModel",
            "init_args": {
                "backbone": {
                    "class_path": "seqmdn.backbones.LSTMBackbone",
                    "init_args": {"hidden": 8, "dropout": 0.3},
                }
            },
        },
        "training": {
            "optimizer": {
                "class_path": "torch.optim.AdamW",
                "init_args": {"lr": 0.02, "weight_decay": 0.1},
            },
            "warmup": 3,
        },
        "trainer": {"max_steps": steps, "val_check_interval": 4, "gradient_clip_val": 1.0},
    }
    heads = {
        "rmdn": {"class_path": "seqmdn.heads.MixtureHead", "init_args": {"components": 2}},
        "frmdn": {
            "class_path": "seqmdn.heads.FlowMixtureHead",
            "init_args": {
                "components": 2,
                "flow": {
                    "class_path": "seqmdn.flows.AffineCoupling",
                    "init_args": {"transforms": 2, "hidden": 8},
                },
            },
        },
    }
    (folder / "base.yaml").write_text(yaml.safe_dump(base))
    for name, head in heads.items():
        content = {"model": {"init_args": {"head": head}}}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    return folder


def words(recipe: Path, *overrides: str, model: str = "rmdn") -> list[str]:
    """The arguments of ``seqmdn fit`` for one model of a recipe."""
    return ["-c", f"{recipe}/base.yaml", "-c", f"{recipe}/{model}.yaml", *overrides]


def parse(recipe: Path, *overrides: str, model: str = "rmdn") -> Namespace:
    return fit_parser().parse_args(words(recipe, *overrides, model=model))


def train(
    recipe: Path,
    out: Path,
    *overrides: str,
    model: str = "rmdn",
    resume: bool = False,
    report: Report | None = None,
) -> Run:
    return fit(parse(recipe, *overrides, model=model), out, resume=resume, report=report)


def checkpoint(run: Path, name: str = "last") -> dict[str, Any]:
    return torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)


def metrics(run: Path) -> dict[str, Any]:
    return json.loads((run / "metrics.json").read_text())


def losses(run: Path) -> dict[str, list[float]]:
    """What a run has logged of its losses, in the order of the steps."""
    with (run / "logs/version_0/metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = ("train/loss", "train/grad_norm", "val/nll")
    return {name: [float(row[name]) for row in rows if row[name]] for name in names}


def outcome(run: Path) -> dict[str, Any]:
    """All that a run has come to, to be compared with that of another one by :func:`differing`."""
    last, best = checkpoint(run), checkpoint(run, "best")
    found = metrics(run)
    return {
        "weights": last["state_dict"],
        "optimiser": last["optimizer_states"],
        "schedule": last["lr_schedulers"],
        "step": last["global_step"],
        "best weights": best["state_dict"],
        "best step": best["global_step"],
        "metrics": {key: found[key] for key in ("nll", "stderr", "nll_per_sequence", "steps")},
        "curve": learning_curve(run),
    }


def differing(first: Any, second: Any, where: str = "") -> list[str]:
    """Name the places where two nested contents are not the same, tensors bit for bit."""
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        return [d for key in first for d in differing(first[key], second[key], f"{where}/{key}")]
    if isinstance(first, list | tuple) and len(first) == len(second):
        pairs = enumerate(zip(first, second, strict=True))
        return [d for i, (a, b) in pairs for d in differing(a, b, f"{where}/{i}")]
    if isinstance(first, torch.Tensor):
        return [] if torch.equal(first, second) else [where]
    return [] if first == second else [where]


class Interrupt:
    """Presses Ctrl-C while the step after ``step`` is under way, ``times`` times."""

    def __init__(self, step: int, times: int = 1) -> None:
        self.step = step
        self.times = times

    def __call__(self, step: int, steps: int, nll: float | None) -> None:
        if step == self.step and self.times:
            self.times -= 1
            signal.raise_signal(signal.SIGINT)


class Worsen(Callback):
    """Makes the model worse with every step after ``after``."""

    def __init__(self, after: int) -> None:
        self.after = after

    def on_train_batch_end(self, trainer: Trainer, module: Any, *_: Any) -> None:
        if trainer.global_step > self.after:
            with torch.no_grad():
                module.model.head.projection.bias += 0.3


def worsening(after: int) -> list[str]:
    """The option that gives a run a :class:`Worsen`."""
    callback = {"class_path": "tests.small.Worsen", "init_args": {"after": after}}
    return ["--trainer.callbacks", json.dumps([callback])]


class Corrupt(Callback):
    """Puts NaN into the second sequence of a step's batch, in the process of a rank."""

    def __init__(self, step: int, rank: int = 0) -> None:
        self.step, self.rank = step, rank

    def on_train_batch_start(self, trainer: Trainer, module: Any, batch: Any, index: int) -> None:
        if trainer.global_step == self.step and trainer.global_rank == self.rank:
            batch.values[1] = torch.nan


class Break(Callback):
    """Makes a parameter NaN before a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: Trainer, module: Any, *_: Any) -> None:
        if trainer.global_step == self.step:
            with torch.no_grad():
                module.model.head.projection.bias[0] = torch.nan


def corrupting(step: int, rank: int = 0) -> list[str]:
    """The option that gives a run a :class:`Corrupt`."""
    callback = {"class_path": "tests.small.Corrupt", "init_args": {"step": step, "rank": rank}}
    return ["--trainer.callbacks", json.dumps([callback])]


def cells(table: str) -> list[list[str]]:
    """The cells of a markdown table, its rule included."""
    rows = table.split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def hidden_files(folder: Path) -> list[Path]:
    """What an interrupted writer may have left."""
    return [path for path in folder.rglob("*") if path.name.startswith(".")]
