"""Training batches of sequences of like length, which are padded less."""

from __future__ import annotations

__all__ = ["Buckets"]

import numpy as np

from seqmdn.data.windows import BUCKETS, Key, WindowPlan


class Buckets:
    """Cuts the endless list of training items into batches.

    As many items as ``buckets`` batches hold are taken from the list together, sorted by their
    number of frames, cut into batches, and these are put into a random order. What a pass scores is
    what it would without: the same items, up to ``buckets`` batches earlier or later. A batch is a
    function of its number and the plan alone.

    Args:
        plan: The list.
        batch_size: Items of a batch.
        buckets: Batches that are cut together; 1 leaves the list's order.
        seed: Seed of the batches' order.
    """

    def __init__(self, plan: WindowPlan, batch_size: int, buckets: int, seed: int) -> None:
        self.plan = plan
        self.batch_size = batch_size
        self.buckets = buckets
        self.seed = seed
        self._current = -1
        self._batches: list[list[Key]] = []

    def batch(self, number: int) -> list[Key]:
        """Gives the items of a batch."""
        block, place = divmod(number, self.buckets)
        if block != self._current:
            self._batches, self._current = self._cut(block), block
        return self._batches[place]

    def _cut(self, block: int) -> list[list[Key]]:
        size = self.buckets * self.batch_size
        keys = self.plan.keys(block * size, (block + 1) * size)
        order = range(self.buckets)
        if self.buckets > 1:
            keys.sort(key=lambda key: key.stop - key.begin)
            rng = np.random.default_rng([BUCKETS, self.seed, block])
            order = rng.permutation(self.buckets).tolist()
        return [keys[i * self.batch_size : (i + 1) * self.batch_size] for i in order]
