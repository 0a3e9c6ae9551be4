"""Pieces of one length against a slow loop, and all that a data module does with them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from seqmdn.data import (
    SPLITS,
    GaussianLatents,
    Pieces,
    SequenceDataModule,
    Store,
    StoreWriter,
    UniformDequantise,
)
from tests.data.numbers import TEST, TRAIN, equal, make, repeated, seen, write
from tests.data.test_missing import write as write_gaps


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("store"))


def cut(store: Store, length: int, split: str) -> list[tuple[int, int]]:
    """The slow loop: stored sequence and first frame of each piece."""
    pieces = []
    for index in store.indices(split).tolist():
        first = 0
        while first + length <= store.lengths[index]:
            pieces.append((index, first))
            first += length
    return pieces


@pytest.mark.parametrize("length", [1, 2, 3, 5, 10])
def test_pieces_are_those_of_a_slow_loop(path: Path, length: int) -> None:
    store, pieces = Store(path), Pieces(path, length)
    assert set(pieces.lengths.tolist()) == {length} and pieces.frames == length * len(pieces)
    for split in SPLITS:
        expected = cut(store, length, split)
        found = pieces.indices(split).tolist()
        assert len(found) == len(expected)
        for index, (stored, first) in zip(found, expected, strict=True):
            assert pieces.stored[index] == stored
            for start, stop in ((0, None), (length - 1, length)):
                end = first + (length if stop is None else stop)
                for mine, theirs in zip(
                    pieces.read(index, start, stop),
                    store.read(stored, first + start, end),
                    strict=True,
                ):
                    np.testing.assert_array_equal(mine, theirs)
    assert pieces.left_out.tolist() == [n % length for n in store.lengths]
    assert pieces.sha256 == store.sha256 and pieces.names == store.names


def test_no_piece_reaches_into_the_next(path: Path) -> None:
    with pytest.raises(IndexError, match="within 0 and 3 of sequence 0, found 0 to 4"):
        Pieces(path, 3).read(0, 0, 4)
    with pytest.raises(IndexError, match="a sequence from 0 to"):
        Pieces(path, 3).read(len(Pieces(path, 3)))


@pytest.mark.parametrize("length", [2, 5])
def test_scoring_takes_each_piece_once(path: Path, length: int) -> None:
    module = make(path, length=length, eval_batch_size=3)
    for split in SPLITS:
        rows = [row for batch in module.batches(split) for row in seen(batch)]
        expected = cut(Store(path), length, split)
        assert rows == [(index, first, first, first + length) for index, first in expected]
    described = module.describe("test")
    pieces = sum(n // length for n in TEST)
    assert described["sequences"] == pieces and described["frames"] == pieces * length
    assert described["frames_left_out"] == sum(n % length for n in TEST)
    assert "frames_left_out" not in make(path).describe("test")
    assert module.unit == "nats/frame" and make(path, length=2, per="sequence").unit == "nats/walk"


def test_a_pass_trains_on_each_piece_once(path: Path) -> None:
    module = make(path, length=4, batch_size=5)
    number = sum(n // 4 for n in TRAIN)
    taken = []
    for batch in repeated(module.train_dataloader):
        assert batch.start is None and set(batch.lengths.tolist()) == {4}
        taken += [row[:2] for row in seen(batch)]
        if len(taken) >= number:
            break
    assert sorted(taken[:number]) == sorted(cut(Store(path), 4, "train"))
    assert taken[:number] != sorted(taken[:number])


def test_windows_stay_inside_a_piece(path: Path) -> None:
    module = make(path, length=5, window=3, burn_in=2)
    rows = [row for batch in module.train_dataloader() for row in seen(batch)]
    assert rows and all(begin // 5 == (stop - 1) // 5 for _, begin, _, stop in rows)
    assert any(begin % 5 for _, begin, _, _ in rows)


@pytest.mark.parametrize("window", [None, 3])
def test_workers_change_nothing(path: Path, window: int | None) -> None:
    options = {"length": 5, "window": window, "noise": UniformDequantise()}
    alone, shared = (make(path, workers=n, **options).train_dataloader() for n in (0, 1))
    assert all(map(equal, list(alone), list(shared)))


def test_pieces_of_one_sequence_have_noise_of_their_own(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "a.h5", ["x"], "a", "m") as writer:
        writer.append(np.zeros((40, 1)), "train")
    module = make(tmp_path / "a.h5", length=10, noise=UniformDequantise())
    (batch,) = module.batches("train")
    assert len(batch.values.unique()) > 35
    assert module.sample_frames().shape == (40, 1)


@pytest.mark.parametrize("window", [None, 2])
def test_only_a_piece_that_ends_its_sequence_is_marked(path: Path, window: int | None) -> None:
    module = make(path, length=5, mark_end=True, window=window, batch_size=3)
    marked = []
    for batch in module.train_dataloader() if window else module.batches("train"):
        whole = batch._replace(values=batch.values[..., :2])
        for row, (index, _, _, stop) in enumerate(seen(whole)):
            mark = batch.values[row, : batch.lengths[row], 2]
            ends = stop == Store(path).lengths[index]
            assert mark.tolist() == [0.0] * (len(mark) - 1) + [float(ends)]
            marked.append(ends)
    assert 0 < sum(marked) < len(marked)
    if window is None:
        assert sum(marked) == sum(n % 5 == 0 for n in TRAIN) < len(TRAIN)


def test_given_columns_and_missing_features_are_cut_along(path: Path, tmp_path: Path) -> None:
    given = make(path, length=3, given=["frame"])
    batch = next(given.batches("valid"))
    assert given.features == 1 and batch.context is not None
    firsts = [first for _, first in cut(Store(path), 3, "valid")][: len(batch.lengths)]
    expected = torch.tensor([[first, first + 1, first + 2] for first in firsts])
    assert torch.equal(batch.context[:, :, 1], expected.float())
    gaps = write_gaps(tmp_path / "gaps.h5")
    store, module = Store(gaps), make(gaps, length=2)
    batch = module.sequences("valid", module.store.indices("valid"))
    assert batch.observed is not None
    for row, (index, first) in enumerate(cut(store, 2, "valid")):
        np.testing.assert_array_equal(batch.observed[row], store.observed(index, first, first + 2))


def test_the_limit_is_that_of_the_pieces(tmp_path: Path) -> None:
    logvar = np.array([0.0, 2.0, 4.0, -1.0, 50.0])
    with StoreWriter(tmp_path / "a.h5", ["mu", "logvar"], "a", "m") as writer:
        writer.append(np.stack([0 * logvar, logvar], axis=1), "test")
    module = make(tmp_path / "a.h5", length=2, noise=GaussianLatents(), per="sequence")
    constant = np.log(2 * np.pi * np.e)
    assert module.limit("test") == pytest.approx(constant + (1.0 + 1.5) / 2)


def test_a_text_is_that_of_the_stored_sequence(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "a.h5", ["x"], "a", "m") as writer:
        for text, length in (("one", 5), ("short", 2), ("three", 6)):
            writer.append(np.zeros((length, 1)), "train", text=text)
    pieces = Pieces(tmp_path / "a.h5", 3)
    assert [pieces.text(i) for i in range(len(pieces))] == ["one", "three", "three"]


def test_what_makes_no_sense_is_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pieces of 1 frame or more, found 0"):
        Pieces(path, 0)
    with pytest.raises(ValueError, match="of 38 frames or more .* found 37 at most: give"):
        make(path, length=38)
    module = make(path, length=10)
    with pytest.raises(ValueError, match="of 10 frames or more of split 'valid', found none"):
        module.describe("valid")
    with pytest.raises(ValueError, match="whole sequences where their texts .* a length of 4"):
        SequenceDataModule(path, text=True, length=4)
