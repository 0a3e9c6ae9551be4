"""Batches of a store's sequences for training and for scoring."""

from __future__ import annotations

__all__ = ["SequenceDataModule"]

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray
from torch import Tensor, from_numpy

from seqmdn.data.arguments import check_arguments, check_sets
from seqmdn.data.batch import Batch
from seqmdn.data.buckets import Buckets
from seqmdn.data.columns import Columns
from seqmdn.data.folds import Fold
from seqmdn.data.layout import SPLITS
from seqmdn.data.limits import stated_limit
from seqmdn.data.loader import Items, Loader
from seqmdn.data.noise import Noise, UniformDequantise
from seqmdn.data.opening import ImageKind, open_store
from seqmdn.data.pieces import Pieces
from seqmdn.data.points import GivenPoints
from seqmdn.data.preparation import prepare_store
from seqmdn.data.sampling import sample_frames
from seqmdn.data.scans import Scanned
from seqmdn.data.store import Store
from seqmdn.data.windows import AGAIN, SCORE, Key, WindowPlan


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
        prepare: Module that writes the store where it is missing, such as ``data_prep.digits``, and
            its options, if any, as on a command line.
        given: Names of columns of the stored values that a model is given as context of their own
            frame instead of learning them (:class:`Columns`): the NLL is then that of the others,
            given these.
        seed: Seed of the order, the windows and the noise of training.
        mark_end: Whether a last column says of each frame if it is its sequence's last
            (:class:`Columns`): the density is then of whole sequences, their lengths included.
        text: Whether batches carry the text of each sequence, which a model may look at.
        length: Frames of the pieces that each stored sequence is cut into (:class:`Pieces`), for
            training and for scoring: each is a sequence of its own, and a model's state begins anew
            in it. What is left behind the last whole piece, and sequences shorter than a piece, are
            left out. Whole sequences by default.
        scan: How images become frames (:class:`Scan`): by ``"row"``, by ``"pixel"``, or by square
            blocks of so many pixels' side; or ``"place"``, pixels beside their places
            (:class:`Placed`). As they are stored by default.
        fold: Draws training and validation sequences anew, for cross-validation (:class:`Fold`):
            the split ``"test"`` is then a part of these, and the store's own is left alone.
        points: Makes each sequence a set of points, some of which are given and others asked for
            (:class:`GivenPoints`); the frames that count are then these.
        buckets: Batches whose sequences or windows are drawn together and shared out by length, so
            that a training batch is padded less (:class:`Buckets`). 1, the default, leaves it.

    Attributes:
        features: D, features of y. This and the following are there after ``setup``.
        context: X, features of the context, given columns included.
        unit: ``"nats/frame"`` or ``"nats/"`` with the store's word for a sequence.
        names: What the columns of :meth:`whole` are called.
        store: The store.
        name: The data set's name.

    Raises:
        ValueError: If an argument makes no sense, the noise or the given columns do not fit the
            store, or a split that is asked for is empty or smaller than the number of ranks.
    """

    features: int
    context: int
    unit: str
    names: list[str]
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
        given: Sequence[str] = (),
        mark_end: bool = False,
        text: bool = False,
        length: int | None = None,
        scan: ImageKind | None = None,
        fold: Fold | None = None,
        points: GivenPoints | None = None,
        buckets: int = 1,
    ) -> None:
        super().__init__()
        check_arguments(
            per,
            window,
            burn_in,
            length,
            text,
            batch_size,
            eval_batch_size,
            workers,
            seed,
            scan,
            buckets,
        )
        if points is not None or scan == "place":
            check_sets(window, mark_end)
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
        self.given = given
        self.mark_end = mark_end
        self.text = text
        self.length = length
        self.scan = scan
        self.fold = fold
        self.points = points
        self.buckets = buckets

    def prepare_data(self) -> None:
        """Writes the store with the ``prepare`` module if it is missing."""
        if self.prepare is not None and not self.path.exists():
            prepare_store(self.path, self.prepare)

    def setup(self, stage: str | None = None) -> None:
        """Opens the store and sets the attributes that describe the data."""
        if hasattr(self, "store"):
            return
        store = open_store(self.path, self.scan, self.length)
        if self.fold is not None:
            stored = store.stored_splits if isinstance(store, Pieces) else store.splits
            store.assign(self.fold.splits(stored))
        noise = self.noise
        if self.text and store.text(0) is None:
            raise ValueError(
                f"{self.path}: expected a store with a text for each sequence, found none: prepare "
                "one that has them, or set text to false"
            )
        columns = Columns(store, self.given, self.mark_end)
        learned = len(columns.learned)
        self.features = learned if noise is None else noise.features(learned)
        if columns.given and self.features != learned:
            raise ValueError(
                f"{self.path}: expected noise that keeps the columns where some are given, found "
                f"{noise}, which makes {self.features} of {learned}: give none"
            )
        self.features += self.mark_end
        self.context = store.context_features + len(columns.given)
        self.columns = columns
        names = store.stored_names if isinstance(store, Scanned) else store.names
        self.names = names if noise is None else noise.names(names)
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
        cut = self._cut()
        steps = -(-cut.plan.entries // self.batch_size)
        passes = 0

        def batches() -> Iterator[list[Key]]:
            nonlocal passes
            if self.trainer is None:
                first = passes * steps
            else:
                first = self.trainer.global_step * self.trainer.accumulate_grad_batches
            passes += 1
            for step in range(first, first + steps):
                yield cut.batch(step)[rank::ranks]

        return Loader(self._items(), batches, steps, self.workers)

    def training_keys(self, batch: int) -> list[Key]:
        """Says what this process's part of a training batch is made of, counted from 0 on."""
        ranks, rank = self._ranks()
        return self._cut().batch(batch)[rank::ranks]

    def val_dataloader(self) -> Iterable[Batch]:
        """Gives the validation split in batches."""
        return self._eval_loader("valid")

    def test_dataloader(self) -> Iterable[Batch]:
        """Gives the test split in batches."""
        return self._eval_loader("test")

    def batches(
        self, split: str, draw: int = 0, dealt: tuple[int, int] = (1, 0)
    ) -> Iterator[Batch]:
        """Gives each sequence of a split once, whole, in store order, whatever the rank.

        ``draw`` is the number of a draw of the noise; all but the first are drawn by themselves.
        Batches can be dealt out to R processes in turn, of which each names R and its own place.
        """
        items = self._items()
        count, place = dealt
        for keys in self._eval_keys(split, self._indices(split), draw)[place::count]:
            yield items[keys]

    def sequences(
        self, split: str, indices: Iterable[int], points: GivenPoints | None = None
    ) -> Batch:
        """Gives these sequences of a split, whole, as :meth:`batches` would.

        ``points`` takes the place of the module's own rule of what is given and asked for.
        """
        keys = [self._score_key(split, int(index)) for index in indices]
        return self._items(points)[keys]

    def whole(self, batch: Batch) -> Batch:
        """Gives a batch of :meth:`sequences`, or one drawn like it, in the store's columns.

        Images that were scanned are put back into rows, with NaN in the place of a pixel that is
        not among the points of a task.
        """
        batch = self.columns.join(batch)
        return self.store.restore(batch) if isinstance(self.store, Scanned) else batch

    def stored(self, drawn: Batch) -> Batch:
        """Gives a batch drawn in the store's columns as a store would hold it: without noise.

        Levels outside of those that the store says it has become the nearest of them.
        """
        if self.noise is None:
            return drawn
        values = self.noise.undo(drawn.values.cpu().numpy())
        if isinstance(self.noise, UniformDequantise) and "levels" in self.store.attributes:
            values = values.clip(0, int(self.store.attributes["levels"]) - 1)
        return drawn._replace(values=from_numpy(values))

    def sample_frames(self, limit: int | None = None) -> Tensor:  # (N, D)
        """Gives training frames after noise, for whatever looks at data before training.

        What is missing is NaN: no number stands for what nobody has seen.

        All of them in store order if they are no more than ``limit``, else ``limit`` frames from
        randomly chosen stretches (of ``window`` or 1,000 frames), always the same ones. The limit
        is 100,000 frames or, where they are wide, as many as hold 4 million values.
        """
        return self.sample(limit)[0]

    def sample(self, limit: int | None = None) -> tuple[Tensor, Tensor | None]:  # (N, D), (N, X)
        """Gives training frames as :meth:`sample_frames` does, and the context of each."""
        items = Items(self.store, self.noise, self.columns, self.text)  # points are frames alike
        return sample_frames(items, self._indices("train"), self.window or 1000, limit)

    def limit(self, split: str) -> float | None:
        """Gives the entropy of the noise, if it has one: no model's NLL can be lower.

        In ``unit``: the mean over the split's sequences of each one's mean over frames or, with
        ``per="sequence"``, of its sum. None where features are missing, or frames are given, whose
        noise no model is scored on.

        Without noise, it is what the store says of the density that its frames were drawn from
        (:func:`seqmdn.data.limits.stated_limit`); a model is lower by chance alone.
        """
        if self.store.missing:
            return None
        if self.noise is None:
            other = self.columns.given or self.mark_end or self.fold is not None
            return None if other else stated_limit(self.store, split, self.points, self.per)
        if self.points is not None:
            return None
        scores = []
        for index in self._indices(split).tolist():
            values, _ = self.columns.split(*self.store.read(index))
            entropy = self.noise.entropy(values)
            if entropy is None:
                return None
            scores.append(entropy.mean() if self.per == "frame" else entropy.sum())
        return float(np.mean(scores))

    def describe(self, split: str) -> dict[str, str | int]:
        """Says what a split's scores were measured on: name, sha256, sequences, frames.

        With ``length``, sequences are pieces, and the frames of the split that are in none of them
        are counted, too (``frames_left_out``). With ``points``, frames are those that are asked
        for, and those that are given are counted, too (``frames_given``).
        """
        indices, store = self._indices(split), self.store
        described: dict[str, str | int] = {
            "name": store.name,
            "sha256": store.sha256,
            "sequences": len(indices),
            "frames": int(store.lengths[indices].sum()),
        }
        if isinstance(store, Pieces):
            of_split = store.stored_splits == SPLITS.index(split)
            described["frames_left_out"] = int(store.left_out[of_split].sum())
        if self.points is not None:
            drawn = [self.points.of(self._score_key(split, int(index))) for index in indices]
            described["frames"] = sum(len(order) - given for order, given in drawn)
            described["frames_given"] = sum(given for _, given in drawn)
        return described

    def _indices(self, split: str) -> NDArray[np.int64]:
        if not hasattr(self, "store"):
            raise ValueError("expected setup() to be called before the data are asked for")
        indices = self.store.indices(split)
        if not len(indices):
            long, remedy = "", "prepare a store that has some"
            if self.length is not None:
                long, remedy = f" of {self.length} frames or more", f"{remedy}, or set length lower"
            raise ValueError(
                f"{self.path}: expected sequences{long} of split {split!r}, found none: {remedy}"
            )
        return indices

    def _ranks(self) -> tuple[int, int]:
        trainer = self.trainer
        return (1, 0) if trainer is None else (trainer.world_size, trainer.global_rank)

    def _cut(self) -> Buckets:
        plan = WindowPlan(self.store, self.window, self.burn_in, self.seed)
        return Buckets(plan, self.batch_size, self.buckets, self.seed)

    def _items(self, points: GivenPoints | None = None) -> Items:
        return Items(self.store, self.noise, self.columns, self.text, points or self.points)

    def _score_key(self, split: str, index: int, draw: int = 0) -> Key:
        seed: tuple[int, ...] = (SCORE, SPLITS.index(split), index)
        if draw:
            seed = (AGAIN, *seed[1:], draw)
        return Key(index, 0, None, int(self.store.lengths[index]), seed)

    def _eval_keys(self, split: str, indices: NDArray[np.int64], draw: int = 0) -> list[list[Key]]:
        keys = [self._score_key(split, index, draw) for index in indices.tolist()]
        size = self.eval_batch_size
        return [keys[first : first + size] for first in range(0, len(keys), size)]

    def _eval_loader(self, split: str) -> Loader:
        indices = self._indices(split)
        ranks, rank = self._ranks()
        if len(indices) < ranks:
            raise ValueError(
                f"{self.path}: expected at least {ranks} sequences of split {split!r}, one a "
                f"rank, found {len(indices)}: use fewer devices"
            )
        keys = self._eval_keys(split, indices[rank::ranks])
        return Loader(self._items(), lambda: iter(keys), len(keys), self.workers)
