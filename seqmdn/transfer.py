"""Transfer: a model begins as one that was trained before, what it adds doing nothing yet."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seqmdn.data import SPLITS, SequenceDataModule
from seqmdn.models import DensityModel

__all__ = ["check_same_data", "check_same_origin", "origin_of", "take_over"]

_TOLERANCE = 1e-4  # nats a number, above what float32 makes of an identity


def check_same_data(description: dict[str, Any], data: SequenceDataModule, source: Path) -> None:
    """Refuse to begin with a model of other data, whose standardiser is that of other numbers.

    Args:
        description: What the trained model's checkpoint says of it.
        data: The data of the model that begins, set up.
        source: Where the trained model comes from.

    Raises:
        ValueError: If the store's SHA-256 is not the one that the model was trained on.
    """
    expected, found = description["dataset"]["sha256"], data.store.sha256
    if expected != found:
        raise ValueError(
            f"{source} was trained on other data than {data.path}: expected sha256 "
            f"{expected[:12]} ({description['dataset']['name']}), found {found[:12]} "
            f"({data.name}); name that store by --data.path, or train without --from"
        )


def origin_of(source: Path, checkpoint: Path, description: dict[str, Any]) -> dict[str, Any]:
    """Return what a run's description and ``metrics.json`` say of where it began.

    Under ``"from"``: the run, its checkpoint, the steps and the seconds of training that are in the
    weights, and where that run itself began, if it did not begin with random weights.

    Example:
        >>> origin_of(Path("run"), Path("run/checkpoints/best.ckpt"), {"steps": 9, "seed": 0})
        {'from': {'run': 'run', 'checkpoint': 'best.ckpt', 'steps': 9}}
    """
    kept = {key: description[key] for key in ("steps", "seconds", "from") if key in description}
    return {"from": {"run": str(source), "checkpoint": checkpoint.name} | kept}


def check_same_origin(description: dict[str, Any], source: str | None) -> dict[str, Any]:
    """Return what a run that goes on says of where it began, and refuse to begin it elsewhere.

    Args:
        description: What the run's checkpoint says of it.
        source: The run that the configuration names.

    Raises:
        ValueError: If the run did not begin there.

    Example:
        >>> check_same_origin({"seed": 0}, None)
        {}
    """
    kept = {"from": description["from"]} if "from" in description else {}
    began = kept["from"]["run"] if kept else None
    if began != source:
        raise ValueError(
            f"a run goes on with its own weights: expected --from {began or 'null'}, where it"
            f" began, found {source or 'null'}; leave --from away, or train without --resume"
        )
    return kept


@torch.no_grad()
def take_over(
    model: DensityModel, trained: DensityModel, data: SequenceDataModule, source: Path
) -> None:
    """Give a model the parameters and buffers of a trained one that have the same names.

    What only the new model has must leave the density as it is: it is compared on a batch of the
    validation split, before any training. So an FRMDN begins as the RMDN that it is built upon, and
    arguments that make another density of the same numbers, such as another floor, are found out.

    Args:
        model: The model that begins, changed in place.
        trained: The trained model.
        data: Their data, set up.
        source: Where the trained model comes from.

    Raises:
        ValueError: If the trained model has something that the new one lacks, a shape differs, or
            the density is another one afterwards.
    """
    old, new = trained.state_dict(), model.state_dict()
    misfits = [
        f"{name} {_shape(tensor)}, found {_shape(new[name]) if name in new else 'none'}"
        for name, tensor in old.items()
        if name not in new or new[name].shape != tensor.shape
    ]
    if misfits:
        raise ValueError(
            f"the model cannot begin with {source}: expected {_listed(misfits)}; give it the sizes "
            "of that model, or train without --from"
        )
    added = [f"{name} {_shape(tensor)}" for name, tensor in new.items() if name not in old]
    model.load_state_dict(old, strict=False)
    batch = next(data.batches(SPLITS[1]))
    training = model.training
    numbers = batch.observations().sum()
    before, after = (
        -float(each.eval().log_prob(batch).double().sum() / numbers) for each in (trained, model)
    )
    model.train(training)
    if not abs(before - after) <= _TOLERANCE * max(1.0, abs(before)):
        cause = (
            f"something in {_listed(added)} does not begin as the identity"
            if added
            else "their arguments differ where no size does"
        )
        raise ValueError(
            f"the model does not begin as {source}: expected {before:.5f} nats a number on its "
            f"first validation batch, found {after:.5f}; {cause}. Choose a flow that begins as "
            "the identity, as those of seqmdn.flows do, and the arguments of that model for the "
            "rest, or train without --from"
        )


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))


def _listed(names: list[str], most: int = 5) -> str:
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return ", ".join(names[:most] + more)
