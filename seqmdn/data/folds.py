"""Cross-validation: which sequences are trained on, and which are held out, is drawn anew."""

from __future__ import annotations

__all__ = ["Fold"]

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqmdn.data.layout import split_number
from seqmdn.data.windows import FOLD

_NONE = -1  # of a sequence that is in no split


@dataclass(frozen=True)
class Fold:
    """One of the F ways to hold out a part of a store's training and validation sequences.

    These sequences are put into an order by the seed and cut into F parts, whose sizes differ by
    one at most. Part ``number`` becomes the split ``"test"``. Of the rest, as large a share as the
    store has of validation sequences, one at the least, becomes ``"valid"``, by which training
    stops; all others are trained on. The store's own test sequences are in no split: nothing of
    them is read. Over all F folds, each other sequence is held out once.

    Rows that follow each other in time, or belong together in other ways, are as close to the
    training rows as they can be: a density is then held to be better than on the test split.

    Args:
        number: The part that is held out, from 0 to F - 1.
        of: F, at least 2.
        seed: Seed of the order. The same seed gives the same parts, whatever is trained.

    Raises:
        ValueError: If there is no such part.

    Example:
        >>> stored = np.array([0, 0, 0, 0, 1, 1, 2], np.int8)
        >>> for number in range(2):
        ...     Fold(number, of=2).splits(stored).tolist()
        [2, 0, 2, 2, 0, 1, -1]
        [0, 2, 1, 0, 2, 2, -1]
    """

    number: int
    of: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.of < 2 or not 0 <= self.number < self.of or self.seed < 0:
            raise ValueError(
                f"expected 2 folds or more, the number of one of them from 0 on and a seed of 0 or "
                f"more, found fold {self.number} of {self.of}, seed {self.seed}"
            )

    def splits(self, stored: NDArray[np.int8]) -> NDArray[np.int8]:
        """Gives the split of each sequence, -1 where it is in none.

        Args:
            stored: The split of each sequence in the store (N,), as ``Store.splits``.

        Raises:
            ValueError: If there are too few sequences to hold out, to stop by and to train on.
        """
        train, valid, test = (split_number(split) for split in ("train", "valid", "test"))
        own = np.flatnonzero(stored != test)
        order = np.random.default_rng([FOLD, self.seed]).permutation(own)
        parts = np.array_split(order, self.of)
        # Beginning behind the part held out, so that folds do not all stop by the same sequences.
        rest = np.concatenate([*parts[self.number + 1 :], *parts[: self.number]])
        if not len(parts[-1]) or len(rest) < 2:
            raise ValueError(
                f"expected {self.of} folds of sequences to train on, to stop by and to hold out, "
                f"found {len(own)} sequences of training and validation: ask for other folds"
            )
        share = np.count_nonzero(stored == valid) / len(own)
        stop = min(max(1, round(share * len(rest))), len(rest) - 1)
        found = np.full(len(stored), _NONE, np.int8)
        found[parts[self.number]] = test
        found[rest[:stop]] = valid
        found[rest[stop:]] = train
        return found
