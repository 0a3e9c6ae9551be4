"""Which frames the training windows cover."""

import tracemalloc
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from seqmdn.data.windows import SAMPLE, stretches
from tests.data.numbers import TRAIN, counts, make, repeated, seen, write


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("store"))


def test_every_pass_is_a_permutation_and_every_batch_is_full(path: Path) -> None:
    module = make(path)
    loader = module.train_dataloader()
    rows = [row for _ in range(14) for batch in loader for row in seen(batch)]
    assert len(rows) == 14 * 2 * 4  # 16 passes of 7 sequences
    orders = [tuple(row[0] for row in rows[i : i + 7]) for i in range(0, len(rows), 7)]
    assert all(sorted(order) == module.store.indices("train").tolist() for order in orders)
    assert len(set(orders)) > 12


@pytest.mark.parametrize("window", [1, 3, 10, 36, 37, 100])
def test_a_pass_over_windows_scores_every_frame_once(path: Path, window: int) -> None:
    module = make(path, window=window, batch_size=1)
    for passes in range(3):
        rows = [row for batch in module.train_dataloader() for row in seen(batch)]
        times = np.concatenate(list(counts(module.store, rows).values()))
        assert times.min() == 1 and times.max() <= 2
        assert (times == 2).sum() < window, passes


@pytest.mark.parametrize("window", [3, 10])
def test_every_frame_is_equally_likely_and_tiles_lie_anywhere(path: Path, window: int) -> None:
    module = make(path, window=window, batch_size=1)
    loader, passes = module.train_dataloader(), 400
    rows = [row for _ in range(passes) for batch in loader for row in seen(batch)]
    times = np.concatenate(list(counts(module.store, rows).values())) / passes
    # Only where the circle closes does a frame count twice, which is equally likely everywhere.
    assert times.min() >= 1 and times.max() < 1.15 and times.std() < 0.03
    longest = int(np.argmax(module.store.lengths))
    assert {row[3] for row in rows if row[0] == longest} == set(range(1, max(TRAIN) + 1))


@pytest.mark.parametrize("burn_in", [0, 2, 50])
def test_burn_in_is_what_lies_before_a_window(path: Path, burn_in: int) -> None:
    module = make(path, window=5, burn_in=burn_in)
    rows = []
    for batch in islice(repeated(module.train_dataloader), 40):
        assert batch.start is not None and batch.context is not None
        rows += seen(batch)
        for row, (_, begin, _, stop) in enumerate(seen(batch)):
            frames = torch.arange(begin, stop)
            assert torch.equal(batch.values[row, : stop - begin, 1], frames.float())
            assert torch.equal(batch.context[row, : stop - begin, 0], -frames.float())
    for _, begin, first, stop in rows:
        assert begin == max(0, first - burn_in) and 1 <= stop - first <= 5
    assert any(first == 0 for _, _, first, _ in rows)


def test_short_sequences_are_taken_whole(path: Path) -> None:
    module = make(path, window=10)
    rows = [row for _ in range(20) for batch in module.train_dataloader() for row in seen(batch)]
    for sequence, _, first, stop in rows:
        length = int(module.store.lengths[sequence])
        if length <= 10:
            assert (first, stop) == (0, length)


def test_batches_larger_than_the_split_are_full(path: Path) -> None:
    batches = list(make(path, batch_size=20).train_dataloader())
    assert len(batches) == 1 and len(batches[0].lengths) == 20


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("length", [1, 3, 4, 100])
def test_stretches_are_those_of_a_list(length: int, shuffled: bool) -> None:
    lengths = np.array([4, 2, 9, 3, 3])
    expected = [
        (row, first, min(first + length, end))
        for row, end in enumerate(lengths.tolist())
        for first in range(0, end, length)
    ]
    if shuffled:
        order = np.random.default_rng([SAMPLE, len(expected)]).permutation(len(expected))
        expected = [expected[place] for place in order]
    found = list(stretches(lengths, length, shuffled))
    assert found == expected
    assert all(type(number) is int for piece in found for number in piece)


def test_a_few_stretches_of_a_long_store_take_little_memory() -> None:
    lengths = np.full(20_000, 288)
    tracemalloc.start()
    pieces = list(islice(stretches(lengths, 40, shuffled=True), 500))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(pieces) == 500 and peak < 4e6  # a list of all of them takes 16 MB
