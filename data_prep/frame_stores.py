"""A store of frames: pictures of an environment, with what led to each of them."""

from __future__ import annotations

__all__ = ["frame_names", "frame_writer"]

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqmdn.data import StoreWriter
from seqmdn.environments import ACTIONS
from seqmdn.environments.car_racing import HIGH, LOW
from seqmdn.environments.frames import CHANNELS, SIZE

_CHANNELS = ("red", "green", "blue")


def frame_names() -> list[str]:
    """Gives the names of a frame's values, by row, column and channel."""
    return [
        f"{channel} {row} {column}"
        for row in range(SIZE)
        for column in range(SIZE)
        for channel in _CHANNELS
    ]


def frame_writer(
    out: Path, outcomes: Sequence[str] = (), attributes: Mapping[str, Any] | None = None, **of: Any
) -> StoreWriter:
    """Begins a store of frames of 64x64 pixels, one sequence an episode.

    Its context is the action that led to each frame (zeros for the first), and what came of it.

    Args:
        out: The file to write.
        outcomes: Names of more columns of the context, such as the reward.
        attributes: More of them.
        of: What else ``StoreWriter`` is told.
    """
    return StoreWriter(
        out,
        features=frame_names(),
        context=[*(f"previous {action}" for action in ACTIONS), *outcomes],
        unit="pixel level",
        step="environment step",
        attributes={
            "kind": "frames",
            "sequence": "episode",
            "height": SIZE,
            "width": SIZE,
            "channels": CHANNELS,
            "levels": 256,
            "action_low": LOW,
            "action_high": HIGH,
            **(attributes or {}),
        },
        **of,
    )
