"""A data set whose frames say who they are, and what a batch says it holds."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch

from seqmdn.data import (
    Batch,
    SequenceDataModule,
    Store,
    StoreWriter,
)

TRAIN = [23, 4, 10, 37, 5, 10, 11]
VALID, TEST = [6, 2, 9, 4, 3], [8, 3, 2]

Seen = list[tuple[int, int, int, int]]


def write(folder: Path) -> Path:
    """Sequences whose frames say who they are: value (sequence, frame), context (-frame)."""
    path = folder / "numbers.h5"
    splits = ["train"] * len(TRAIN) + ["valid"] * len(VALID) + ["test"] * len(TEST)
    order = np.random.default_rng(0).permutation(len(splits))
    lengths = np.array(TRAIN + VALID + TEST)[order]
    with StoreWriter(
        path, ["sequence", "frame"], "numbers", "1", ["c"], attributes={"sequence": "walk"}
    ) as writer:
        for number, (place, length) in enumerate(zip(order, lengths, strict=True)):
            frames = np.arange(length)
            values = np.stack([np.full(length, number), frames], axis=1)
            writer.append(values, splits[place], context=-frames[:, None])
    return path


def make(path: Path, **options: object) -> SequenceDataModule:
    arguments: dict = {"batch_size": 4, **options}
    module = SequenceDataModule(path, **arguments)
    module.setup()
    return module


def seen(batch: Batch) -> Seen:
    """What each row is of: sequence, first frame read, first frame that counts, end."""
    rows = []
    starts = torch.zeros_like(batch.lengths) if batch.start is None else batch.start
    for values, length, start in zip(batch.values, batch.lengths, starts, strict=True):
        sequence, begin = (int(number) for number in values[0].floor())
        rows.append((sequence, begin, begin + int(start), begin + int(length)))
    return rows


def equal(first: Batch, second: Batch) -> bool:
    return all(
        (one is None and two is None) or (one is not None and torch.equal(one, two))
        for one, two in zip(first, second, strict=True)
    )


def counts(store: Store, rows: Seen) -> dict[int, np.ndarray]:
    """How often each training frame counted."""
    times = {int(i): np.zeros(store.lengths[i], int) for i in store.indices("train")}
    for sequence, _, first, stop in rows:
        times[sequence][first:stop] += 1
    return times


def repeated(make_loader: Callable[[], Iterable[Batch]]) -> Iterable[Batch]:
    loader = make_loader()
    while True:
        yield from loader
