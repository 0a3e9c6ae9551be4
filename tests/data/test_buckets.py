"""Batches of sequences of like length hold the same items, with less padding."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from seqmdn.data import Batch, SequenceDataModule, StoreWriter
from seqmdn.data.buckets import Buckets
from seqmdn.data.windows import WindowPlan
from tests.data.numbers import equal, make, repeated, seen, write


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def ragged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 sequences of 1 to 100 frames."""
    path = tmp_path_factory.mktemp("ragged") / "ragged.h5"
    lengths = np.random.default_rng(0).integers(1, 101, 300)
    with StoreWriter(path, ["x"], "ragged", "1") as writer:
        for number, length in enumerate(lengths):
            writer.append(np.full((length, 1), number), "train")
    return path


def padding(module: SequenceDataModule, batches: int) -> float:
    """The share of frames that are padding."""
    made = list(islice(repeated(module.train_dataloader), batches))
    whole = sum(batch.values.shape[0] * batch.values.shape[1] for batch in made)
    return 1 - sum(int(batch.lengths.sum()) for batch in made) / whole


def test_a_block_of_batches_holds_the_items_it_would(path: Path) -> None:
    plain, cut = make(path, window=7), make(path, window=7, buckets=3)
    before = [seen(b) for b in islice(repeated(plain.train_dataloader), 30)]
    after = [seen(b) for b in islice(repeated(cut.train_dataloader), 30)]
    assert before != after and all(len(batch) == 4 for batch in after)
    for block in range(0, 30, 3):
        told = [
            sorted(row for batch in x[block : block + 3] for row in batch) for x in (before, after)
        ]
        assert told[0] == told[1], block


def test_lengths_of_a_batch_are_neighbours(ragged: Path) -> None:
    module = make(ragged, batch_size=10, buckets=5)
    batches = list(islice(repeated(module.train_dataloader), 10))
    for block in (batches[:5], batches[5:]):
        spans = [(int(batch.lengths.min()), int(batch.lengths.max())) for batch in block]
        ordered = sorted(spans)
        assert all(one[1] <= two[0] for one, two in zip(ordered, ordered[1:], strict=False))
        assert spans != ordered, "short batches do not always come first"


def test_padding_shrinks(ragged: Path) -> None:
    shares = [padding(make(ragged, batch_size=10, buckets=n), 30) for n in (1, 5, 30)]
    assert shares[0] > 0.4 and shares[1] < 0.2 and shares[2] < 0.05


def test_one_bucket_is_the_list(path: Path) -> None:
    module = make(path)
    plan = WindowPlan(module.store, None, 0, 0)
    cut = Buckets(plan, 4, 1, 0)
    assert [cut.batch(n) for n in range(5)] == [plan.keys(4 * n, 4 * n + 4) for n in range(5)]


def test_any_batch_can_be_asked_for_first(path: Path) -> None:
    """A run that goes on, and each of several ranks, begin in the middle."""
    whole = list(islice(repeated(make(path, buckets=3).train_dataloader), 12))
    module = make(path, buckets=3)
    module.trainer = SimpleNamespace(
        global_step=7, accumulate_grad_batches=1, world_size=2, global_rank=1
    )
    found = next(iter(module.train_dataloader()))
    assert seen(found) == seen(whole[7])[1::2]


def test_workers_change_nothing(path: Path) -> None:
    def batches(workers: int) -> list[Batch]:
        return list(make(path, buckets=2, workers=workers).train_dataloader())

    assert all(equal(a, b) for a, b in zip(batches(0), batches(2), strict=True))


def test_seeds_order_batches_in_other_ways(ragged: Path) -> None:
    module = make(ragged)
    orders = set()
    for seed in range(3):
        cut = Buckets(WindowPlan(module.store, None, 0, 0), 10, 6, seed)
        orders.add(tuple(cut.batch(n)[0].sequence for n in range(6)))
    assert len(orders) == 3
