"""Sequences that stand in one row of a picture, with the row's name and colour."""

from __future__ import annotations

__all__ = ["Array", "Row", "kind_of"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_KINDS = ("image", "strokes", "series", "audio")


@dataclass(frozen=True)
class Row:
    """The sequences of one row.

    Attributes:
        name: What stands beside the row; may be empty.
        colour: The colour of its lines.
        sequences: The frames of each, (T, D) without padding.
        titles: What stands above each; empty for none.
        starts: The number of first frames of each that were given to the model; empty for none.

    Raises:
        ValueError: If there are titles or starts, but not one a sequence.
    """

    name: str
    colour: str
    sequences: tuple[Array, ...]
    titles: tuple[str, ...] = ()
    starts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for what, found in (("titles", self.titles), ("starts", self.starts)):
            if found and len(found) != len(self.sequences):
                raise ValueError(
                    f"{self.name}: expected {len(self.sequences)} {what}, one a sequence; "
                    f"found {len(found)}"
                )

    @classmethod
    def of(
        cls,
        name: str,
        colour: str,
        values: npt.ArrayLike,
        lengths: npt.ArrayLike | None = None,
        *,
        titles: Sequence[str] | None = None,
        starts: npt.ArrayLike | None = None,
    ) -> Self:
        """Make a row of padded sequences.

        Args:
            name: What stands beside the row.
            colour: The colour of its lines.
            values: The sequences, (N, T, D).
            lengths: The frames of each that count, (N,); None if all T do.
            titles: What stands above each, N words.
            starts: The first frames of each that were given to the model, (N,).

        Raises:
            ValueError: If there is no sequence, or the lengths, titles or starts do not fit.
        """
        frames = np.asarray(values, dtype=np.float64)
        if frames.ndim != 3 or not len(frames):
            raise ValueError(f"{name}: expected sequences (N, T, D), N >= 1; found {frames.shape}")
        count, time, _ = frames.shape
        ends = np.full(count, time) if lengths is None else np.asarray(lengths)
        if ends.shape != (count,) or ends.min() < 0 or ends.max() > time:
            raise ValueError(
                f"{name}: expected {count} lengths between 0 and {time}; found {ends.tolist()}"
            )
        sequences = tuple(each[:end] for each, end in zip(frames, ends, strict=True))
        given = () if starts is None else tuple(np.asarray(starts).ravel().tolist())
        return cls(name, colour, sequences, tuple(titles or ()), given)

    def part(self, start: int, stop: int, name: str | None = None) -> Row:
        """Take some of the sequences, under another name if one is given."""
        return Row(
            self.name if name is None else name,
            self.colour,
            self.sequences[start:stop],
            self.titles[start:stop],
            self.starts[start:stop],
        )


def kind_of(attributes: Mapping[str, Any]) -> str:
    """Say how the data want to be seen.

    Raises:
        ValueError: If nothing here can draw them.
    """
    kind = str(attributes.get("kind", "series"))
    if kind not in _KINDS:
        raise ValueError(f"expected a kind among {', '.join(_KINDS)}; found {kind!r}")
    return kind
