"""Weights and the description of their model in one file of safetensors, which holds no code."""

import json
from pathlib import Path
from typing import Any

from seqmdn.files import written_whole
from seqmdn.reading import parse_json

__all__ = ["ENDING", "read_weights", "save_weights"]

#: What the name of such a file ends in.
ENDING = ".safetensors"

_PREFIX = "model."  # of the model's weights among those of a checkpoint


def save_weights(path: Path, content: dict[str, Any]) -> None:
    """Write what is needed of a checkpoint to build the model again: no optimiser, no loops.

    Args:
        path: The file, written whole or not at all.
        content: Of :func:`seqmdn.checkpoints.read_checkpoint`.

    Raises:
        ImportError: If safetensors is not installed.
        ValueError: If the description is not one that JSON keeps as it is.
        OSError: If the file cannot be written.
    """
    _require()
    from safetensors.torch import save_file

    described = json.dumps(content["seqmdn"])
    if parse_json(described, str(path)) != content["seqmdn"]:
        raise ValueError(
            "expected a description of plain values in the checkpoint, found one that JSON does "
            "not keep as it is: use the checkpoint itself"
        )
    weights = {
        # Of their own memory: a file holds no views.
        name.removeprefix(_PREFIX): value.detach().cpu().contiguous().clone()
        for name, value in content["state_dict"].items()
        if name.startswith(_PREFIX)
    }
    with written_whole(path) as partial:
        save_file(weights, str(partial), metadata={"format": "pt", "seqmdn": described})


def read_weights(path: Path) -> dict[str, Any]:
    """Read what :func:`save_weights` wrote, in the form of a checkpoint.

    Raises:
        ImportError: If safetensors is not installed.
        OSError: If the file cannot be read.
        Exception: Of the library's own, if it is damaged or of another format.

    Returns:
        ``state_dict``, and under ``"seqmdn"`` the description, None where the file has none.
    """
    _require()
    from safetensors import safe_open

    with safe_open(str(path), framework="pt", device="cpu") as file:
        described = (file.metadata() or {}).get("seqmdn")
        weights = {f"{_PREFIX}{name}": file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
    return {
        "state_dict": weights,
        "seqmdn": None if described is None else parse_json(described, str(path)),
    }


def _require() -> None:
    try:
        import safetensors  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"files that end in {ENDING} need safetensors, which is not installed: "
            "pip install 'seqmdn[export]'"
        ) from error
