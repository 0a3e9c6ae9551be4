"""A trained model and its data, rebuilt from a run's folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from seqmdn.checkpoints import (
    check_classes,
    load_weights,
    no_larger_than,
    read_checkpoint,
)
from seqmdn.configuration import model_parser
from seqmdn.data import SequenceDataModule, file_sha256
from seqmdn.models import DensityModel

__all__ = ["Run", "checkpoint_of", "load_run", "origin_of_checkpoint"]


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


def load_run(source: Path, data: Path | None = None) -> Run:
    """Rebuild a trained model and its data module.

    Args:
        source: A run's folder, or a checkpoint file.
        data: Another store than the one that the run was trained on.

    Raises:
        FileNotFoundError: If there is no run, or the store of its data has gone.
        ValueError: If the file is not a checkpoint of this program, its weights are another
            model's, or its data are damaged.
    """
    checkpoint = checkpoint_of(source)
    content = read_checkpoint(checkpoint)
    description = content["seqmdn"]
    plain = {"model": description["model"], "data": description["data"]}
    if data is not None:
        plain["data"]["init_args"]["path"] = str(data)
    made, model = _make(plain, content, checkpoint)
    load_weights(model, content, checkpoint)
    try:
        made.data.prepare_data()
        made.data.setup("test")
    except (FileNotFoundError, ValueError) as error:
        if data is not None:
            raise
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
        raise kind(f"{checkpoint}: {error}; or name another store by --data") from error
    if made.data.features != description["features"]:
        raise ValueError(
            f"{checkpoint} is of a model of {description['features']} features, the data have "
            f"{made.data.features}: name the right store by --data"
        )
    return Run(model.eval(), made.data, checkpoint, description)


def _make(
    plain: dict[str, Any], content: dict[str, Any], checkpoint: Path
) -> tuple[Namespace, DensityModel]:
    """Make what a checkpoint describes, or raise ValueError that names it."""
    parser = model_parser()
    sizes = content["seqmdn"]["features"], content["seqmdn"]["context"]
    try:
        check_classes(plain, checkpoint)
        made = parser.instantiate(parser.parse_object(plain))
        with no_larger_than(content["state_dict"]):
            return made, made.model(*sizes)
    except (OSError, ImportError):
        raise
    # A class may raise anything at arguments that it was not made for.
    except Exception as error:
        if str(error).startswith(str(checkpoint)):
            raise
        raise ValueError(
            f"{checkpoint} describes a model or data that cannot be made ({error}): use another "
            "checkpoint"
        ) from error


def checkpoint_of(source: Path) -> Path:
    """Return the checkpoint of the lowest validation NLL of a run's folder, or the file itself."""
    return source / "checkpoints" / "best.ckpt" if source.is_dir() else source


def origin_of_checkpoint(checkpoint: Path) -> dict[str, str]:
    """Name a checkpoint as a store does: ``RUN/checkpoints/best.ckpt``, and its SHA-256."""
    # The checkpoints of all runs have the same names.
    of_run = checkpoint.resolve().parent.name == "checkpoints"
    name = Path(*checkpoint.resolve().parts[-3:] if of_run else [checkpoint.name])
    return {"file": name.as_posix(), "sha256": file_sha256(checkpoint)}
