"""Rows from memory are those of the file, and are read once."""

import numpy as np
import pytest

from seqmdn.data import blocks
from seqmdn.data.blocks import Blocks

NUMBERS = np.arange(60.0).reshape(30, 2)


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_rows_are_those_asked_for_in_their_order(
    monkeypatch: pytest.MonkeyPatch, size: int, keep: bool
) -> None:
    monkeypatch.setattr(blocks, "_ROWS", size)
    read: list[slice] = []

    def reader(rows: slice) -> np.ndarray:
        assert 0 <= rows.start < rows.stop <= len(NUMBERS)
        read.append(rows)
        return NUMBERS[rows]

    found = Blocks(reader, len(NUMBERS), keep)
    wanted = np.array([29, 3, 3, 0, 17])
    for _ in range(2):
        np.testing.assert_array_equal(found.take(wanted), NUMBERS[wanted])
    starts = [rows.start for rows in read]
    if keep:
        assert len(set(starts)) == len(starts), "a block was read again"
    else:
        assert starts == [0, 3, 17, 29] * 2, "in the order of the file, each row once"


def test_what_was_taken_is_nobody_elses() -> None:
    found = Blocks(lambda rows: NUMBERS[rows], len(NUMBERS), keep=True)
    found.take(np.array([1, 2]))[:] = -1
    np.testing.assert_array_equal(found.take(np.array([1])), NUMBERS[[1]])
