"""Checkpoints: written whole, read without executing anything in them."""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins import TorchCheckpointIO
from torch import Tensor
from torch.nn import Module
from torch.nn.modules.module import register_module_parameter_registration_hook

from seqmdn.files import written_whole
from seqmdn.models import DensityModel
from seqmdn.reading import read_tensors
from seqmdn.weight_files import ENDING, read_weights

__all__ = [
    "FORMAT",
    "LAST",
    "PREVIOUS",
    "AtomicCheckpointIO",
    "KeptCheckpoint",
    "check_classes",
    "has_checkpoint",
    "load_weights",
    "no_classes",
    "no_larger_than",
    "read_checkpoint",
    "read_newest",
]

#: Version of what a checkpoint says under its key ``"seqmdn"``.
FORMAT = 1

#: The newest checkpoint of a run, and what was the newest before it.
LAST, PREVIOUS = "last.ckpt", "previous.ckpt"

# What is needed to build a model again, and how each must be.
_KEYS: dict[str, Callable[[Any], bool]] = {
    "model": lambda value: isinstance(value, dict),
    "data": lambda value: isinstance(value, dict) and isinstance(value.get("init_args"), dict),
    "features": lambda value: type(value) is int and value > 0,
    "context": lambda value: type(value) is int and value >= 0,
    "dataset": lambda value: isinstance(value, dict) and isinstance(value.get("sha256"), str),
}


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints under a temporary name and renames them: none is ever seen half.

    The last one becomes the previous one when there is a newer one, so that two are kept.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        path = Path(path)
        with written_whole(path) as partial:
            _save(checkpoint, partial)
            if path.name == LAST and path.exists():
                path.replace(path.with_name(PREVIOUS))

    def load_checkpoint(self, path: str | Path, *_: Any, **__: Any) -> dict[str, Any]:
        # Between processes, Lightning hands on weights alone.
        content: dict[str, Any] = read_tensors(path)
        return content


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


def has_checkpoint(folder: Path) -> bool:
    """Whether there is a checkpoint in a folder that a run can go on from."""
    return any((folder / name).exists() for name in (LAST, PREVIOUS))


def read_newest(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Read the newest whole checkpoint that a run can go on from.

    Where the last one is damaged, or is not there since a computer stopped while it got its name,
    that is the previous one; of the former, a warning tells.

    Returns:
        The file, and what it holds (:func:`read_checkpoint`).

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If none of them is whole and of this program and format.
    """
    last, previous = folder / LAST, folder / PREVIOUS
    if not previous.exists():
        return last, read_checkpoint(last)
    try:
        return last, read_checkpoint(last)
    except FileNotFoundError:
        return previous, read_checkpoint(previous)
    except ValueError as error:
        try:
            content = read_checkpoint(previous)
        except ValueError:
            raise error from None
        warnings.warn(
            f"{last} is damaged: going on from the one before it, {previous}, of step "
            f"{content['seqmdn']['steps']}",
            stacklevel=2,
        )
        return previous, content


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
    again = "use another one"
    try:
        content = read_weights(path) if path.suffix == ENDING else read_tensors(path)
    except (OSError, ImportError):
        raise
    except Exception as error:  # the libraries' own, of many kinds
        raise ValueError(f"{path} is damaged or no checkpoint of seqmdn: {again}") from error
    described = content.get("seqmdn") if isinstance(content, dict) else None
    found = described.get("format") if isinstance(described, dict) else None
    if not isinstance(described, dict) or found != FORMAT:
        raise ValueError(
            f"{path} is no checkpoint of this version of seqmdn: expected format {FORMAT}, found "
            f"{'none' if found is None else str(found)[:40]}; {again}"
        )
    if lacking := [key for key, right in _KEYS.items() if not right(described.get(key))]:
        raise ValueError(
            f"{path} says too little of its model: expected {', '.join(_KEYS)}, found no "
            f"{lacking[0]} that is right; {again}"
        )
    weights = content.get("state_dict")
    if not isinstance(weights, dict) or not all(isinstance(name, str) for name in weights):
        raise ValueError(f"{path} has no weights: expected a state_dict by names; {again}")
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


@contextmanager
def no_larger_than(weights: dict[str, Any]) -> Iterator[None]:
    """Refuse to make a model of far more parameters than these weights have: before they are drawn.

    A description of a few words may ask for more than any memory holds.
    """
    most = 2**20 + 4 * sum(each.numel() for each in weights.values() if isinstance(each, Tensor))
    count = 0

    def add(module: Module, name: str, parameter: Tensor | None) -> None:
        nonlocal count
        count += 0 if parameter is None else parameter.numel()
        if count > most:
            raise ValueError(f"a model of {count} parameters or more, for weights of {most // 4}")

    handle = register_module_parameter_registration_hook(add)
    try:
        yield
    finally:
        handle.remove()


def check_classes(plain: Any, checkpoint: Path) -> None:
    """Refuse what is no class: the parser would call a function, even one that runs a shell."""
    for path in no_classes(plain):
        raise ValueError(
            f"{checkpoint} is of a model with {path}, which is no class that can be found: install "
            "what defines it, or use another checkpoint"
        )


def no_classes(plain: Any) -> Iterator[str]:
    """Give the class paths in nested content that name no class, or one of Python's own.

    Nothing of the standard library is a part of a model, and importing some of its modules does
    more than define things: they are not even looked for.
    """
    if isinstance(plain, dict):
        if "class_path" in plain:
            path = str(plain["class_path"])
            module, _, name = path.rpartition(".")
            found = None
            if module.partition(".")[0] not in sys.stdlib_module_names:
                with suppress(ImportError, AttributeError, ValueError):
                    found = getattr(import_module(module), name)
            if not isinstance(found, type):
                yield path
        for value in plain.values():
            yield from no_classes(value)
    elif isinstance(plain, list | tuple):
        for value in plain:
            yield from no_classes(value)


def _save(checkpoint: dict[str, Any], path: Path) -> None:
    try:
        with path.open("wb") as file:
            torch.save(checkpoint, file)
    except (OSError, RuntimeError) as error:
        # torch's writer knows that it failed, and not that the disk is full.
        cause = error if isinstance(error, OSError) else error.__context__
        if isinstance(cause, OSError):
            raise OSError(cause.errno, cause.strerror, str(path)) from error
        raise
