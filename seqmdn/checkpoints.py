"""Checkpoints: written whole, read without executing anything in them."""

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins import TorchCheckpointIO

from seqmdn.files import written_whole
from seqmdn.models import DensityModel
from seqmdn.weight_files import ENDING, read_weights

__all__ = [
    "FORMAT",
    "AtomicCheckpointIO",
    "KeptCheckpoint",
    "check_classes",
    "load_weights",
    "read_checkpoint",
]

#: Version of what a checkpoint says under its key ``"seqmdn"``.
FORMAT = 1


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints under a temporary name and renames them: none is ever seen half."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        with written_whole(path) as partial:
            torch.save(checkpoint, partial)


class KeptCheckpoint(ModelCheckpoint):
    """Written after each validation; knows its past again in a folder that was moved."""

    def __init__(self, folder: Path, name: str, monitor: str | None = None) -> None:
        super().__init__(
            dirpath=folder,
            filename=name,
            monitor=monitor,
            save_on_train_epoch_end=False,
            enable_version_counter=False,
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        before, now = str(state_dict["dirpath"]), str(self.dirpath)

        def moved(path: str) -> str:
            return now + path.removeprefix(before) if path else path

        paths = ("best_model_path", "kth_best_model_path", "last_model_path")
        super().load_state_dict(
            state_dict
            | {key: moved(state_dict[key]) for key in paths}
            | {"best_k_models": {moved(k): v for k, v in state_dict["best_k_models"].items()}}
            | {"dirpath": self.dirpath}
        )


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint with ``weights_only=True``, or what was exported as safetensors.

    Args:
        path: The file; one that ends in ``.safetensors`` holds no optimiser and no loops.

    Returns:
        Lightning's content: ``state_dict``, optimiser, loops; and under ``"seqmdn"`` what is needed
        to build the model again.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it is damaged, or not a checkpoint of this program and format.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}: train one by `seqmdn fit`")
    try:
        with warnings.catch_warnings():  # of files of other programs
            warnings.simplefilter("ignore")
            if path.suffix == ENDING:
                content = read_weights(path)
            else:
                content = torch.load(path, map_location="cpu", weights_only=True)
    except (PermissionError, ImportError):
        raise
    except Exception as error:
        # Damaged bytes make torch raise anything, and say that the file can be loaded all the same
        # by giving up the protection.
        raise ValueError(
            f"{path} is damaged or no checkpoint of seqmdn: use another one"
        ) from error
    described = content.get("seqmdn") if isinstance(content, dict) else None
    found = described.get("format") if isinstance(described, dict) else None
    if found != FORMAT:
        raise ValueError(
            f"{path} is no checkpoint of this version of seqmdn: expected format {FORMAT}, found "
            f"{'none' if found is None else found}; use another one"
        )
    return content


def load_weights(model: DensityModel, content: dict[str, Any], checkpoint: Path) -> None:
    """Load a checkpoint's weights, or raise ValueError if they are another model's."""
    prefix = "model."
    weights = {
        k.removeprefix(prefix): v for k, v in content["state_dict"].items() if k.startswith(prefix)
    }
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        # The first of the differences that torch lists, without its heading.
        first = str(error).split("\n\t")[1].strip()
        raise ValueError(
            f"{checkpoint} holds the weights of another model ({first}): name the model's own "
            "checkpoint, or leave the model as it was trained"
        ) from error


def check_classes(plain: Any, checkpoint: Path) -> None:
    """Refuse what is no class: the parser would call a function, even one that runs a shell."""
    if isinstance(plain, dict):
        if "class_path" in plain:
            module, _, name = str(plain["class_path"]).rpartition(".")
            try:
                found = getattr(import_module(module), name)
            except (ImportError, AttributeError, ValueError):
                found = None
            if not isinstance(found, type):
                raise ValueError(
                    f"{checkpoint} is of a model with {plain['class_path']}, which is no class "
                    "that can be found: install what defines it, or use another checkpoint"
                )
        for value in plain.values():
            check_classes(value, checkpoint)
    elif isinstance(plain, list):
        for value in plain:
            check_classes(value, checkpoint)
