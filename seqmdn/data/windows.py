"""Which frames a training step takes: an endless list of windows, a function of the seed alone."""

from __future__ import annotations

__all__ = [
    "AGAIN",
    "BUCKETS",
    "FOLD",
    "GIVEN",
    "SAMPLE",
    "SCORE",
    "Key",
    "WindowPlan",
    "stretches",
]

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqmdn.data.store import Store

# What random numbers are for: the first word of each seed. None is 0, and all seeds of one purpose
# have the same number of words, since NumPy cannot tell [1] from [1, 0].
ORDER, TRAIN, SCORE, SAMPLE, AGAIN, FOLD, GIVEN, BUCKETS = 1, 2, 3, 4, 5, 6, 7, 8


class Key(NamedTuple):
    """One item: frames begin to stop of a sequence, of which those from first on (or all) count."""

    sequence: int
    begin: int
    first: int | None
    stop: int
    seed: tuple[int, ...]


class WindowPlan:
    """The endless list of training items, pass after pass.

    How windows tile the sequences is told at :class:`seqmdn.data.SequenceDataModule`.

    Args:
        store: The store, of which the training split is taken.
        window: Frames of a window that count; whole sequences where None.
        burn_in: Frames before a window that are seen and do not count.
        seed: Seed of the order and the places.
    """

    def __init__(self, store: Store, window: int | None, burn_in: int, seed: int) -> None:
        self.burn_in = burn_in
        self.seed = seed
        self._indices = store.indices("train")
        lengths = store.lengths[self._indices]
        self._whole = window is None
        self._window = int(lengths.max()) if window is None else window
        short = lengths <= self._window
        self._short, self._long = np.flatnonzero(short), np.flatnonzero(~short)
        self._lengths = lengths
        self._ends = np.cumsum(lengths[self._long] + self._window - 1)
        circle = int(self._ends[-1]) if len(self._long) else 0
        self.entries = len(self._short) + -(-circle // self._window)
        self._current = -1
        self._windows = np.empty((0, 3), np.int64)

    def keys(self, begin: int, end: int) -> list[Key]:
        """Gives the entries ``begin`` to ``end`` of the list."""
        keys = []
        for place in range(begin, end):
            number, entry = divmod(place, self.entries)
            if number != self._current:
                self._windows, self._current = self._draw(number), number
            sequence, first, stop = self._windows[entry].tolist()
            seen, seed = max(0, first - self.burn_in), (TRAIN, self.seed, place)
            keys.append(Key(sequence, seen, None if self._whole else first, stop, seed))
        return keys

    def _draw(self, number: int) -> NDArray[np.int64]:  # (entries, 3): sequence, first, stop
        rng = np.random.default_rng([ORDER, self.seed, number])
        whole = np.stack([self._short, 0 * self._short, self._lengths[self._short]], axis=1)
        windows = [whole]
        if len(self._long):
            circle = self._ends[-1]
            taken = self.entries - len(self._short)
            places = (rng.integers(circle) + self._window * np.arange(taken)) % circle
            row = np.searchsorted(self._ends, places, side="right")
            lengths = self._lengths[self._long[row]]
            # A sequence's first window ends after its first frame, its last one begins at its last.
            stops = places - (self._ends[row] - lengths - self._window + 1) + 1
            first = np.maximum(0, stops - self._window)
            windows.append(np.stack([self._long[row], first, np.minimum(stops, lengths)], axis=1))
        drawn = rng.permutation(np.concatenate(windows))
        drawn[:, 0] = self._indices[drawn[:, 0]]
        return drawn


def stretches(
    lengths: NDArray[np.int64], length: int, shuffled: bool
) -> Iterator[tuple[int, int, int]]:
    """Yields the stretches of ``length`` frames, or what is left, that sequences are made of.

    One after the other, so that a few of the millions in a long store take no more memory than
    their order does.

    Args:
        lengths: (N,) frames of each sequence.
        length: Frames of a stretch.
        shuffled: In a random order, always the same one, instead of that of the sequences.

    Example:
        >>> list(stretches(np.array([2, 5]), 3, shuffled=False))
        [(0, 0, 2), (1, 0, 3), (1, 3, 5)]
    """
    ends = np.cumsum(-(-lengths // length))
    total = int(ends[-1])
    order = np.random.default_rng([SAMPLE, total]).permutation(total) if shuffled else range(total)
    for number in order:
        row = int(np.searchsorted(ends, number, side="right"))
        first = length * (int(number) - (int(ends[row - 1]) if row else 0))
        yield row, first, min(first + length, int(lengths[row]))
