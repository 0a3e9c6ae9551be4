"""Checkpoints: written whole, read without executing anything in them."""

import pickle
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins import TorchCheckpointIO

from seqmdn.files import written_whole

__all__ = ["FORMAT", "AtomicCheckpointIO", "read_checkpoint"]

#: Version of what a checkpoint says under its key ``"seqmdn"``.
FORMAT = 1


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints under a temporary name and renames them: none is ever seen half."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        with written_whole(path) as partial:
            torch.save(checkpoint, partial)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint with ``weights_only=True``.

    Args:
        path: The file.

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
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise ValueError(
            f"{path} is damaged or no checkpoint of seqmdn ({reason[0]}): use another one"
        ) from error
    described = content.get("seqmdn") if isinstance(content, dict) else None
    found = described.get("format") if isinstance(described, dict) else None
    if found != FORMAT:
        raise ValueError(
            f"{path} is no checkpoint of this version of seqmdn: expected format {FORMAT}, found "
            f"{'none' if found is None else found}; use another one"
        )
    return content
