"""What the preparations of pen strokes share: repeated points, splits, and the store's own form."""

from __future__ import annotations

__all__ = ["PenSequence", "drop_repeats", "named", "write_strokes"]

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqmdn.data import StoreWriter

Points = NDArray[np.float64]

_SHOWN = 20  # names of what was left out that a command prints


class PenSequence(NamedTuple):
    """One sequence of a store: its frames (T, 3), its split, and its text if the store has any."""

    frames: Points
    split: str
    text: str | None = None


def write_strokes(
    out: Path,
    sequences: Sequence[PenSequence],
    *,
    name: str,
    unit: str,
    sequence: str,
    y_axis: str,
    source: Sequence[Mapping[str, str]],
    licence: str,
    command: str,
    left_out: Sequence[str],
    resolution: float | None = None,
    text_is: str | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> list[str]:
    """Writes the store, and says what was left out.

    Args:
        out: The file.
        sequences: All of them, in the store's order.
        name: Of the store.
        unit: Of the offsets.
        sequence: The word for one sequence, such as "drawing".
        y_axis: "up" or "down", where larger y lie.
        source: Of the store, each entry with file and sha256.
        licence: As the data's owner states it.
        command: That writes this store.
        left_out: What was left out, each with the reason; the attribute ``left_out`` counts them.
        resolution: The distance of the grid that the points lie on; None if there is none.
        text_is: "transcription" or "name", what the texts are. Of transcriptions, the attribute
            ``alphabet`` holds the characters of those for training, sorted, in one string.
        attributes: Further ones of the store.

    Raises:
        ValueError: If there are no sequences.
    """
    more = dict(attributes or {})
    if resolution is not None:
        more = {"resolution": float(resolution), **more}
    if text_is is not None:
        more["text_is"] = text_is
    if text_is == "transcription":
        more["alphabet"] = "".join(
            sorted(
                {sign for each in sequences if each.split == "train" for sign in each.text or ""}
            )
        )
    with StoreWriter(
        out,
        features=["dx", "dy", "eos"],
        name=name,
        unit=unit,
        step="pen point",
        source=source,
        licence=licence,
        command=command,
        attributes={
            "kind": "strokes",
            "sequence": sequence,
            "y_axis": y_axis,
            **more,
            "left_out": len(left_out),
        },
    ) as writer:
        for each in sequences:
            writer.append(each.frames, each.split, text=each.text)
    return [named(f"{len(left_out)} {sequence}s left out", left_out)]


def named(what: str, names: Sequence[str]) -> str:
    """Gives a line of what was left out and below it the names, of many the first ones.

    Example:
        >>> print(named("2 drawings left out", ["a: no points", "b: too long"]))
        2 drawings left out
          a: no points
          b: too long
    """
    rest = len(names) - _SHOWN
    lines = [what, *names[:_SHOWN], *([f"and {rest} more"] if rest > 0 else [])]
    return "\n  ".join(lines)


def drop_repeats(strokes: Sequence[Points]) -> tuple[list[Points], int]:
    """Leaves away each point at the very place of the one before it in its stroke.

    It says when and not where, and its offset (0, 0) would be a value of its own probability
    rather than one of a density.

    Args:
        strokes: The points (P, 2) of each.

    Returns:
        The strokes, and the number of points left away.

    Example:
        >>> kept, dropped = drop_repeats([np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]])])
        >>> kept[0].tolist(), dropped
        ([[0.0, 0.0], [1.0, 0.0]], 1)
    """
    kept = []
    for stroke in strokes:
        moved = np.ones(len(stroke), bool)
        moved[1:] = np.diff(stroke, axis=0).any(axis=1)
        kept.append(stroke[moved])
    return kept, sum(map(len, strokes)) - sum(map(len, kept))
