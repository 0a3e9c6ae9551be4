"""A store whose sequences are cut into pieces of one length."""

from __future__ import annotations

__all__ = ["Pieces"]

import os

import numpy as np
from numpy.typing import NDArray

from seqmdn.data.store import Store


class Pieces(Store):
    r"""Reads each stored sequence as successive pieces of exactly ``length`` frames.

    Sequence i of :math:`T_i` frames becomes :math:`\lfloor T_i / L \rfloor` sequences of L frames,
    in their order and of its split: a model's state begins anew in each. The
    :math:`T_i \bmod L` frames behind its last whole piece are in none, so that a sequence shorter
    than a piece is left out. Nothing is copied: all that a :class:`Store` does is done by piece.

    Args:
        path: The file.
        length: L, frames of a piece.

    Attributes:
        stored: (pieces,) int64, the stored sequence that each piece is of.
        left_out: (stored sequences,) int64, frames of each stored sequence that are in no piece.
        stored_splits: (stored sequences,) int8, their splits.

    Raises:
        ValueError: If the length is below 1 or above that of every sequence.

    Example:
        >>> import tempfile
        >>> from seqmdn.data import StoreWriter
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with StoreWriter(f"{folder}/a.h5", ["x"], name="a", unit="m") as writer:
        ...         writer.append([[0.0], [1.0], [2.0], [3.0], [4.0]], "train")
        ...     with Pieces(f"{folder}/a.h5", 2) as pieces:
        ...         pieces.read(1)[0].tolist(), pieces.left_out.tolist()
        ([[2.0], [3.0]], [1])
    """

    def __init__(self, path: str | os.PathLike[str], length: int) -> None:
        if length < 1:
            raise ValueError(f"expected pieces of 1 frame or more, found {length}")
        super().__init__(path)
        counts = self.lengths // length
        if not counts.any():
            raise ValueError(
                f"{self.path}: expected sequences of {length} frames or more to cut pieces from, "
                f"found {int(self.lengths.max())} at most: give a shorter length"
            )
        self.left_out = self.lengths - length * counts
        self.stored = np.repeat(np.arange(len(counts)), counts)
        number = np.arange(len(self.stored)) - np.repeat(np.cumsum(counts) - counts, counts)
        # The last piece of a sequence ends it only if it leaves nothing behind.
        self._ending = (number == counts[self.stored] - 1) & (self.left_out[self.stored] == 0)
        self._first = self._first[self.stored] + length * number
        self.assign(self.splits)
        self.lengths = np.full(len(self.stored), length)

    def assign(self, splits: NDArray[np.int8]) -> None:
        """Takes other splits; pieces of one stored sequence stay together."""
        self.stored_splits = splits
        self.splits = splits[self.stored]

    def ends(self, index: int, stop: int) -> bool:
        return super().ends(index, stop) and bool(self._ending[index])

    def text(self, index: int) -> str | None:
        """Gives the text of the stored sequence that a piece is of, of which it says a part."""
        self._length(index)
        return self._text(int(self.stored[index]))
