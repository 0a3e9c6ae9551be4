"""Which points of a task a model is given, and of which it is asked the density."""

from __future__ import annotations

__all__ = ["GivenPoints"]

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqmdn.data.layout import split_number
from seqmdn.data.windows import AGAIN, GIVEN, SCORE, Key


@dataclass(frozen=True)
class GivenPoints:
    r"""Takes some points of each sequence as given, at random, and asks for others.

    A sequence is then a set: its frames are points of a function, or pixels of an image, their
    context says where, and their order means nothing. How many are given is drawn evenly from
    ``least`` to ``most``, then which; they come first, as frames that a model sees and is not
    scored on (``Batch.start``), and of the others, in random order, the first ``asked`` are scored.

    What is drawn for scoring depends on the split and the sequence's index alone: the same for
    every model, seed and batch size. In training it is new in every pass.

    Args:
        least: Fewest points that are given, 0 or more.
        most: Most points that are given; at least one of a sequence's is always asked for.
        asked: Most points that are asked for, all that are left by default.

    Raises:
        ValueError: If there are no such numbers.

    Example:
        >>> order, given = GivenPoints(1, 3, asked=2).draw(8, np.random.default_rng(0))
        >>> order.tolist(), given
        ([2, 4, 3, 6, 5], 3)
    """

    least: int = 3
    most: int = 46
    asked: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.least <= self.most or (self.asked is not None and self.asked < 1):
            raise ValueError(
                "expected 0 <= least <= most and asked of 1 or more, found least "
                f"{self.least}, most {self.most}, asked {self.asked}"
            )

    def draw(self, points: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], int]:
        """Gives the points that are taken, in their new order, and how many of them are given.

        Args:
            points: How many a sequence has.
            rng: Where chance comes from.

        Raises:
            ValueError: If there are not ``least`` points and one more.
        """
        if points <= self.least:
            raise ValueError(
                f"expected sequences of {self.least + 1} points or more, to give {self.least} and "
                f"ask for others, found one of {points}: set least lower"
            )
        given = int(rng.integers(self.least, min(self.most, points - 1), endpoint=True))
        order = rng.permutation(points)
        return order if self.asked is None else order[: given + self.asked], given

    def scored(self, split: str, index: int, points: int) -> tuple[NDArray[np.int64], int]:
        """Gives what :meth:`draw` does for the scoring of a sequence.

        Args:
            split: That it is in.
            index: Its place in the store.
            points: How many it has.
        """
        return self.of(Key(index, 0, None, points, (SCORE, split_number(split), index)))

    def of(self, key: Key) -> tuple[NDArray[np.int64], int]:
        """Gives what :meth:`draw` does for an item: a function of its seed alone.

        Other draws of the noise of a sequence are of the same points.
        """
        seed = (SCORE, *key.seed[1:3]) if key.seed[0] == AGAIN else key.seed
        return self.draw(key.stop - key.begin, np.random.default_rng([GIVEN, *seed]))
