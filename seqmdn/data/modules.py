"""Batches of a store's sequences for training and for scoring."""

from __future__ import annotations

__all__ = ["SequenceDataModule"]

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from seqmdn.data.batch import Batch, collate
from seqmdn.data.layout import SPLITS
from seqmdn.data.noise import Noise
from seqmdn.data.store import Store


class SequenceDataModule(LightningDataModule):
    r"""Serves the sequences of a store, whole or in random windows, the same ones on every machine.

    **Training batches are a function of (seed, step) alone.** The passes over the training split,
    each in a random order of its own, form one endless list of windows; step s takes entries sB to
    (s + 1)B of it, so that every batch is full and a pass may end inside one. Each entry draws its
    noise from (seed, its place in the list). The number of workers changes nothing, a run resumed
    at the trainer's global step goes on where it stopped, and with R ranks, rank r takes entries r,
    r + R, ... of each batch.

    **Windows.** A pass scores every training frame once. Sequences of at most ``window`` frames are
    taken whole. Of the others, every window has ``window`` frames or, where it would reach over the
    sequence's first or last frame, those of them that there are. The last frames of all such
    windows, T + window - 1 of them a sequence, are put in one row, sequence after sequence; a pass
    takes every ``window``-th of them around the circle from a random first one. This tiles each
    sequence at a random place; only where the circle closes are fewer than ``window`` frames scored
    twice, at a place that is random, too.

    **Scoring** takes each sequence once, whole, in store order, with noise that depends on the
    split and the sequence's index only: the same for every model, seed and batch size. With R
    ranks, rank r scores sequences r, r + R, ... of the split, none of them twice.

    Args:
        path: The store.
        batch_size: Sequences or windows a training step, all ranks together.
        noise: What draws y from the stored rows, nothing by default.
        window: Frames of a training window that count; whole sequences by default.
        burn_in: Frames before a window, as far as there are any, that a model sees and is not
            scored on.
        per: ``"frame"`` reports nats a frame, ``"sequence"`` nats a sequence.
        eval_batch_size: Sequences a scoring step and rank, ``batch_size`` by default.
        workers: Processes that read ahead.
        prepare: Module that writes the store where it is missing, such as ``data_prep.digits``.
        seed: Seed of the order, the windows and the noise of training.

    Attributes:
        features: D, features of y. This and the following are there after ``setup``.
        context: X, features of the context.
        unit: ``"nats/frame"`` or ``"nats/"`` with the store's word for a sequence.
        store: The store.
        name: The data set's name.

    Raises:
        ValueError: If an argument makes no sense, the noise does not fit the store, or a split that
            is asked for is empty or smaller than the number of ranks.
    """

    features: int
    context: int
    unit: str
    store: Store
    name: str

    def __init__(
        self,
        path: str | Path,
        batch_size: int = 64,
        noise: Noise | None = None,
        window: int | None = None,
        burn_in: int = 0,
        per: Literal["frame", "sequence"] = "frame",
        eval_batch_size: int | None = None,
        workers: int = 0,
        prepare: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        least = {
            "batch_size": 1,
            "window": 1,
            "burn_in": 0,
            "eval_batch_size": 1,
            "workers": 0,
            "seed": 0,
        }
        for argument, bound in least.items():
            value = locals()[argument]
            if value is not None and value < bound:
                raise ValueError(f"expected {argument} of {bound} or more, found {value}")
        if burn_in and window is None:
            raise ValueError(
                f"expected burn_in 0 without a window, found {burn_in}: whole sequences have no "
                "frames before them"
            )
        if per not in ("frame", "sequence"):
            raise ValueError(f"expected per to be 'frame' or 'sequence', found {per!r}")
        self.path = Path(path)
        self.batch_size = batch_size
        self.noise = noise
        self.window = window
        self.burn_in = burn_in
        self.per = per
        self.eval_batch_size = eval_batch_size or batch_size
        self.workers = workers
        self.prepare = prepare
        self.seed = seed

    def prepare_data(self) -> None:
        """Writes the store with the ``prepare`` module if it is missing."""
        if self.prepare is None or self.path.exists():
            return
        if not re.fullmatch(r"\w+(\.\w+)*", self.prepare):
            raise ValueError(
                f"expected prepare to name a module like data_prep.digits, found {self.prepare!r}"
            )
        command = [sys.executable, "-m", self.prepare, "--out", str(self.path)]
        result = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        if result.returncode or not self.path.exists():
            said = result.stderr.strip().splitlines() or ["it did not say why"]
            raise RuntimeError(
                f"{self.path} is missing, and python -m {self.prepare} could not write it: "
                f"{said[-1]}"
            )

    def setup(self, stage: str | None = None) -> None:
        """Opens the store and sets the attributes that describe the data."""
        if hasattr(self, "store"):
            return
        store = Store(self.path)
        noise = self.noise
        self.features = store.features if noise is None else noise.features(store.features)
        self.context = store.context_features
        word = store.attributes.get("sequence", "sequence")
        self.unit = "nats/frame" if self.per == "frame" else f"nats/{word}"
        self.name = store.name
        self.store = store

    def train_dataloader(self) -> Iterable[Batch]:
        """Gives one pass's worth of training batches, beginning at the trainer's step.

        Where gradients of A batches are accumulated, that is batch A times its step. Without a
        trainer, the first pass over the loader begins at batch 0 and each one goes on where the one
        before it was to end.
        """
        self._indices("train")
        ranks, rank = self._ranks()
        if self.batch_size % ranks:
            raise ValueError(
                f"expected a batch_size that {ranks} ranks can share evenly, found "
                f"{self.batch_size}: batch_size counts the sequences of a step on all ranks "
                "together"
            )
        plan = _Plan(self.store, self.window, self.burn_in, self.seed)
        steps = -(-plan.entries // self.batch_size)
        passes = 0

        def batches() -> Iterator[list[_Key]]:
            nonlocal passes
            if self.trainer is None:
                first = passes * steps
            else:
                first = self.trainer.global_step * self.trainer.accumulate_grad_batches
            passes += 1
            for step in range(first, first + steps):
                yield plan.keys(step * self.batch_size, (step + 1) * self.batch_size)[rank::ranks]

        return _Loader(self._items(), batches, steps, self.workers)

    def val_dataloader(self) -> Iterable[Batch]:
        """Gives the validation split in batches."""
        return self._eval_loader("valid")

    def test_dataloader(self) -> Iterable[Batch]:
        """Gives the test split in batches."""
        return self._eval_loader("test")

    def batches(self, split: str) -> Iterator[Batch]:
        """Gives each sequence of a split once, whole, in store order, whatever the rank."""
        items = self._items()
        for keys in self._eval_keys(split, self._indices(split)):
            yield items[keys]

    def sequences(self, split: str, indices: Iterable[int]) -> Batch:
        """Gives these sequences of a split, whole, as :meth:`batches` would."""
        return self._items()[[self._score_key(split, int(index)) for index in indices]]

    def sample_frames(self, limit: int = 100_000) -> Tensor:  # (N, D)
        """Gives training frames after noise, for whatever looks at data before training.

        All of them in store order if they are no more than ``limit``, else ``limit`` frames from
        randomly chosen stretches (of ``window`` or 1,000 frames), always the same ones.
        """
        indices = self._indices("train")
        length = self.window or 1000
        pieces = [
            (index, first, min(first + length, end))
            for index, end in zip(
                indices.tolist(), self.store.lengths[indices].tolist(), strict=True
            )
            for first in range(0, end, length)
        ]
        if self.store.lengths[indices].sum() > limit:
            order = np.random.default_rng([_SAMPLE, len(pieces)]).permutation(len(pieces))
            pieces = [pieces[place] for place in order]
        items = self._items()
        frames: list[NDArray[np.float32]] = []
        missing = limit
        for index, first, stop in pieces:
            if missing <= 0:
                break
            values, _, _ = items.item(_Key(index, first, None, stop, (_SAMPLE, index, first)))
            frames.append(values[:missing])
            missing -= len(frames[-1])
        return torch.from_numpy(np.concatenate(frames))

    def limit(self, split: str) -> float | None:
        """Gives the entropy of the noise, if it has one: no model's NLL can be lower.

        In ``unit``: the mean over the split's sequences of each one's mean over frames or, with
        ``per="sequence"``, of its sum.
        """
        if self.noise is None:
            return None
        scores = []
        for index in self._indices(split).tolist():
            entropy = self.noise.entropy(self.store.read(index)[0])
            if entropy is None:
                return None
            scores.append(entropy.mean() if self.per == "frame" else entropy.sum())
        return float(np.mean(scores))

    def describe(self, split: str) -> dict[str, str | int]:
        """Says what a split's scores were measured on: name, sha256, sequences, frames."""
        indices = self._indices(split)
        return {
            "name": self.store.name,
            "sha256": self.store.sha256,
            "sequences": len(indices),
            "frames": int(self.store.lengths[indices].sum()),
        }

    def _indices(self, split: str) -> NDArray[np.int64]:
        if not hasattr(self, "store"):
            raise ValueError("expected setup() to be called before the data are asked for")
        indices = self.store.indices(split)
        if not len(indices):
            raise ValueError(
                f"{self.path}: expected sequences of split {split!r}, found none: prepare a store "
                "that has some"
            )
        return indices

    def _ranks(self) -> tuple[int, int]:
        trainer = self.trainer
        return (1, 0) if trainer is None else (trainer.world_size, trainer.global_rank)

    def _items(self) -> _Items:
        return _Items(self.store, self.noise)

    def _score_key(self, split: str, index: int) -> _Key:
        seed = (_SCORE, SPLITS.index(split), index)
        return _Key(index, 0, None, int(self.store.lengths[index]), seed)

    def _eval_keys(self, split: str, indices: NDArray[np.int64]) -> list[list[_Key]]:
        keys = [self._score_key(split, index) for index in indices.tolist()]
        size = self.eval_batch_size
        return [keys[first : first + size] for first in range(0, len(keys), size)]

    def _eval_loader(self, split: str) -> _Loader:
        indices = self._indices(split)
        ranks, rank = self._ranks()
        if len(indices) < ranks:
            raise ValueError(
                f"{self.path}: expected at least {ranks} sequences of split {split!r}, one a "
                f"rank, found {len(indices)}: use fewer devices"
            )
        keys = self._eval_keys(split, indices[rank::ranks])
        return _Loader(self._items(), lambda: iter(keys), len(keys), self.workers)


# What random numbers are for: the first word of each seed. None is 0, and all seeds of one purpose
# have the same number of words, since NumPy cannot tell [1] from [1, 0].
_ORDER, _TRAIN, _SCORE, _SAMPLE = 1, 2, 3, 4


class _Key(NamedTuple):
    """One item: frames begin to stop of a sequence, of which those from first on (or all) count."""

    sequence: int
    begin: int
    first: int | None
    stop: int
    seed: tuple[int, ...]


class _Items(Dataset[Batch]):
    """Reads the items of a list of keys as one batch."""

    def __init__(self, store: Store, noise: Noise | None) -> None:
        self.store = store
        self.noise = noise

    def item(self, key: _Key) -> tuple[NDArray[np.float32], NDArray[np.float32] | None, int | None]:
        values, context = self.store.read(key.sequence, key.begin, key.stop)
        if self.noise is not None:
            values = self.noise.draw(values, np.random.default_rng(key.seed))
        return values, context, None if key.first is None else key.first - key.begin

    def __getitem__(self, keys: list[_Key]) -> Batch:
        return collate([self.item(key) for key in keys])


class _Plan:
    """The endless list of training items, pass after pass."""

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

    def keys(self, begin: int, end: int) -> list[_Key]:
        keys = []
        for place in range(begin, end):
            number, entry = divmod(place, self.entries)
            if number != self._current:
                self._windows, self._current = self._draw(number), number
            sequence, first, stop = self._windows[entry].tolist()
            begin, seed = max(0, first - self.burn_in), (_TRAIN, self.seed, place)
            keys.append(_Key(sequence, begin, None if self._whole else first, stop, seed))
        return keys

    def _draw(self, number: int) -> NDArray[np.int64]:  # (entries, 3): sequence, first, stop
        rng = np.random.default_rng([_ORDER, self.seed, number])
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


class _Batches(Sampler[list[_Key]]):
    """What the worker processes are asked for, one list of keys a batch."""

    def __init__(self, batches: Callable[[], Iterator[list[_Key]]], length: int) -> None:
        self.batches = batches
        self.length = length

    def __iter__(self) -> Iterator[list[_Key]]:
        return self.batches()

    def __len__(self) -> int:
        return self.length


class _Loader:
    """Loads batches without being a ``DataLoader`` that a trainer would take apart.

    The samplers that Lightning puts into a ``DataLoader`` on several devices pad the split, and
    those that it puts in to overfit forget the order. That it has a state (an empty one: the
    trainer's step says it all) tells Lightning that training can go on in the middle of an epoch.
    """

    def __init__(
        self,
        items: _Items,
        batches: Callable[[], Iterator[list[_Key]]],
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


def _same(batch: Any) -> Any:  # without it, the loader would turn a Batch's parts over once more
    return batch
