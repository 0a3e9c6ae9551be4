"""Rows at many places of one array, read in blocks that stay in memory."""

from __future__ import annotations

__all__ = ["Blocks"]

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROWS = 2**14  # of a block


class Blocks:
    """Takes rows of an array that is read by stretches, each stretch once.

    Args:
        read: Gives the rows of a stretch, (stretch, columns).
        rows: Number of rows of the array.
        keep: Whether blocks stay in memory, all of them in the end. Otherwise each row is read when
            it is asked for, in the order in which they lie in the file.

    Example:
        >>> numbers = np.arange(12).reshape(6, 2)
        >>> Blocks(lambda rows: numbers[rows], rows=6, keep=True).take(np.array([4, 0])).tolist()
        [[8, 9], [0, 1]]
    """

    def __init__(self, read: Callable[[slice], NDArray[Any]], rows: int, keep: bool) -> None:
        self._read = read
        self._rows = rows
        self._keep = keep
        self._kept: dict[int, NDArray[Any]] = {}

    def take(self, rows: NDArray[np.int64]) -> NDArray[Any]:  # (N,) -> (N, columns)
        """Gives these rows, in this order."""
        size = _ROWS if self._keep else 1
        numbers, place = np.unique(rows // size, return_inverse=True)
        blocks = [self._block(int(number), size) for number in numbers]
        if len(blocks) == 1:
            return blocks[0][rows - size * numbers[0]]
        found = np.empty((len(rows), *blocks[0].shape[1:]), blocks[0].dtype)
        for index, block in enumerate(blocks):
            own = place == index
            found[own] = block[rows[own] - size * numbers[index]]
        return found

    def _block(self, number: int, size: int) -> NDArray[Any]:
        if number in self._kept:
            return self._kept[number]
        block = self._read(slice(size * number, min(size * (number + 1), self._rows)))
        if self._keep:
            self._kept[number] = block
        return block
