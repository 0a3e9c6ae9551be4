"""Words that stand for kinds, as columns of 0 and 1."""

from __future__ import annotations

__all__ = ["MOST", "Categories"]

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

MOST = 256  # categories of one column: more are names of rows rather than kinds


class Categories:
    """Gives words as columns of which one is 1, a column for each word that training has.

    Args:
        name: Of the column of words; the new ones are called ``"name=word"``.
        words: Those of the training rows.
        unseen: What another word is later: ``"refuse"`` raises, ``"zero"`` makes all columns 0.

    Attributes:
        names: Of the columns, in the order of their words.

    Raises:
        ValueError: If there are more than 256 words.

    Example:
        >>> sky = Categories("sky", ["rain", "clear", "rain"])
        >>> sky.names, sky.one_hot(["rain"], ["line 7"]).tolist()
        (['sky=clear', 'sky=rain'], [[0.0, 1.0]])
    """

    def __init__(
        self, name: str, words: Sequence[str], unseen: Literal["refuse", "zero"] = "refuse"
    ) -> None:
        self.name = name
        self.unseen = unseen
        self.words = sorted(set(words))
        if len(self.words) > MOST:
            raise ValueError(
                f"column {name!r}: expected at most {MOST} categories in training, found "
                f"{len(self.words)}: leave it out, or make it a column of numbers"
            )
        self.names = [f"{name}={word}" for word in self.words]

    def one_hot(
        self, words: Sequence[str], where: Sequence[str]
    ) -> NDArray[np.float64]:  # (N, words)
        """Gives the columns of some words.

        Args:
            words: N of them.
            where: What an error calls the row of each.

        Raises:
            ValueError: If a word is not of training, unless unseen ones are zero.
        """
        places = {word: place for place, word in enumerate(self.words)}
        found = np.zeros((len(words), len(self.words)))
        for row, word in enumerate(words):
            if word in places:
                found[row, places[word]] = 1
            elif self.unseen == "refuse":
                raise ValueError(
                    f"{where[row]}: expected a category of column {self.name!r} that training has "
                    f"({', '.join(self.words)[:200]}), found {word!r}: leave the row out, or let "
                    "unseen ones be all zeros"
                )
        return found

    def count_unseen(self, words: Sequence[str]) -> int:
        """Counts the words that training does not have."""
        known = set(self.words)
        return sum(word not in known for word in words)
