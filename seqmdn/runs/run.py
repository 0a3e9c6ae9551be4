"""A trained model and its data, rebuilt from a run's folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqmdn.checkpoints import check_classes, load_weights, read_checkpoint
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
        FileNotFoundError: If there is no run.
        ValueError: If the file is not a checkpoint of this program, or its weights are another
            model's.
    """
    checkpoint = checkpoint_of(source)
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


def checkpoint_of(source: Path) -> Path:
    """Return the checkpoint of the lowest validation NLL of a run's folder, or the file itself."""
    return source / "checkpoints" / "best.ckpt" if source.is_dir() else source


def origin_of_checkpoint(checkpoint: Path) -> dict[str, str]:
    """Name a checkpoint as a store does: ``RUN/checkpoints/best.ckpt``, and its SHA-256."""
    # The checkpoints of all runs have the same names.
    of_run = checkpoint.resolve().parent.name == "checkpoints"
    name = Path(*checkpoint.resolve().parts[-3:] if of_run else [checkpoint.name])
    return {"file": name.as_posix(), "sha256": file_sha256(checkpoint)}
