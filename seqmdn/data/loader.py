"""Reading of planned items as batches, in this process or in others."""

from __future__ import annotations

__all__ = ["Items", "Loader"]

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from seqmdn.data.batch import Batch, collate
from seqmdn.data.columns import Columns
from seqmdn.data.noise import Noise
from seqmdn.data.points import GivenPoints
from seqmdn.data.store import Store
from seqmdn.data.windows import Key


class Items(Dataset[Batch]):
    """Reads the items of a list of keys as one batch.

    Args:
        store: The store.
        noise: What draws y from the stored rows, nothing where None.
        columns: Which columns are learned, given and added.
        text: Whether a batch carries the texts of its sequences.
        points: Which frames are given and which are asked for; all, as they stand, where None.
    """

    def __init__(
        self,
        store: Store,
        noise: Noise | None,
        columns: Columns,
        text: bool = False,
        points: GivenPoints | None = None,
    ) -> None:
        self.store = store
        self.noise = noise
        self.columns = columns
        self.text = text
        self.points = points

    def item(self, key: Key) -> tuple[NDArray[np.float32], NDArray[np.float32] | None, int | None]:
        """Gives values, context, and the first frame that counts if not all do."""
        stored = self.store.read(key.sequence, key.begin, key.stop)
        values, context = self.columns.split(*stored)
        if self.noise is not None:
            values = self.noise.draw(values, np.random.default_rng(key.seed))
        if self.columns.mark_end:
            values = self.columns.with_end(values, self.store.ends(key.sequence, key.stop))
        if self.points is not None:
            order, given = self.points.of(key)
            return values[order], None if context is None else context[order], given
        return values, context, None if key.first is None else key.first - key.begin

    def observed(self, key: Key) -> NDArray[np.bool_] | None:
        """Says which of the values were observed, None in a store that misses none."""
        stored = self.store.observed(key.sequence, key.begin, key.stop)
        seen = stored if stored is None or self.noise is None else self.noise.observed(stored)
        return seen if seen is None or self.points is None else seen[self.points.of(key)[0]]

    def __getitem__(self, keys: list[Key]) -> Batch:
        # Asked one by one, frames that are a sequence each take longer to read than to learn from.
        single = all(key.stop - key.begin == 1 for key in keys)
        if keys and single and not self.text and self.points is None:
            return self._frames(keys)
        observed = [mask for key in keys if (mask := self.observed(key)) is not None]
        texts = [self.store.text(key.sequence) or "" for key in keys] if self.text else None
        return collate([self.item(key) for key in keys], observed or None, texts)

    def _frames(self, keys: list[Key]) -> Batch:
        """Gives what :func:`collate` makes of items of one frame each."""
        sequences = np.array([key.sequence for key in keys])
        values, context, observed = self.store.gather(sequences, np.array([k.begin for k in keys]))
        values, context = self.columns.split(values, context)
        if self.noise is not None:
            rows = zip(values, keys, strict=True)
            drawn = [self.noise.draw(y[None], np.random.default_rng(k.seed)) for y, k in rows]
            values = np.concatenate(drawn)
            observed = None if observed is None else self.noise.observed(observed)
        if self.columns.mark_end:
            ends = [self.store.ends(key.sequence, key.stop) for key in keys]
            rows_of = zip(values, ends, strict=True)
            values = np.concatenate([self.columns.with_end(y[None], end) for y, end in rows_of])
        whole = all(key.first is None for key in keys)
        return Batch(
            values=_one_frame(values.astype(np.float32, copy=False)),
            lengths=torch.ones(len(keys), dtype=torch.int64),
            context=None if context is None else _one_frame(context),
            start=None if whole else torch.zeros(len(keys), dtype=torch.int64),
            observed=None if observed is None else _one_frame(observed),
        )


def _one_frame(rows: NDArray[Any]) -> Tensor:  # (B, columns) -> (B, 1, columns)
    return torch.from_numpy(np.ascontiguousarray(rows)).unsqueeze(1)


class Loader:
    """Loads batches without being a ``DataLoader`` that a trainer would take apart.

    The samplers that Lightning puts into a ``DataLoader`` on several devices pad the split, and
    those that it puts in to overfit forget the order. That it has a state (an empty one: the
    trainer's step says it all) tells Lightning that training can go on in the middle of an epoch.
    """

    def __init__(
        self,
        items: Items,
        batches: Callable[[], Iterator[list[Key]]],
        length: int,
        workers: int,
    ) -> None:
        self._length = length
        self._loader = DataLoader(
            items,
            batch_size=None,
            sampler=_Batches(batches, length),
            num_workers=workers,
            collate_fn=_same,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=workers > 0,
        )

    def __iter__(self) -> Iterator[Batch]:
        # A generator starts with its first batch; only by then has the trainer restored its step.
        yield from self._loader

    def __len__(self) -> int:
        return self._length

    @property
    def _iterator(self) -> Any:
        # Under this name Lightning looks, at the end, for workers to stop. Those that wait for the
        # garbage collector instead do not hear of it, and each of them holds it up for seconds.
        return self._loader._iterator

    @_iterator.setter
    def _iterator(self, iterator: Any) -> None:
        self._loader._iterator = iterator

    def state_dict(self) -> dict[str, int]:
        return {}

    def load_state_dict(self, state: dict[str, int]) -> None:
        pass


class _Batches(Sampler[list[Key]]):
    """What the worker processes are asked for, one list of keys a batch."""

    def __init__(self, batches: Callable[[], Iterator[list[Key]]], length: int) -> None:
        self.batches = batches
        self.length = length

    def __iter__(self) -> Iterator[list[Key]]:
        return self.batches()

    def __len__(self) -> int:
        return self.length


def _same(batch: Any) -> Any:  # without it, the loader would turn a Batch's parts over once more
    return batch
