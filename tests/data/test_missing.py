"""Missing features on their way from a store to a batch."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from seqmdn.data import Batch, GaussianLatents, Noise, Store, StoreWriter, UniformDequantise
from tests.data.numbers import make

LENGTHS = {"train": [3, 9, 5, 7, 4], "valid": [4, 2], "test": [6]}


def write(path: Path, features: int = 2, unit: float = 1.0) -> Path:
    """Numbers that say which sequence, frame and feature they are, NaN where missing."""
    names = [f"x{i}" for i in range(features)]
    with StoreWriter(path, names, "gaps", "1", missing=True) as writer:
        number = 0
        for split, lengths in LENGTHS.items():
            for length in lengths:
                values, observed = rows(number, length, features)
                writer.append(values / unit, split, observed=observed)
                number += 1
    return path


def rows(number: int, length: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    grid = np.arange(features) + 10.0 * np.arange(1, length + 1)[:, None] + 1000 * number
    observed = np.random.default_rng([number, length]).random((length, features)) < 0.6
    observed[-1] = number % 2 == 0  # the last frame of every second sequence has nothing
    return np.where(observed, grid, np.nan), observed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "gaps.h5")


def test_what_is_written_is_what_is_read(path: Path) -> None:
    with Store(path) as store:
        assert store.missing and "some of them missing" in repr(store)
        assert store.attributes["version"] == 2
        number = 0
        for lengths in LENGTHS.values():
            for length in lengths:
                values, observed = rows(number, length, 2)
                for begin, end in ((0, None), (1, length)):
                    found, _ = store.read(number, begin, end)
                    seen = store.observed(number, begin, end)
                    assert seen is not None and seen.dtype == np.bool_
                    np.testing.assert_array_equal(seen, observed[begin:end])
                    np.testing.assert_array_equal(found, np.nan_to_num(values[begin:end]))
                number += 1
        with pytest.raises(IndexError, match="within 0 and 3 of sequence 0, found 0 to 4"):
            store.observed(0, 0, 4)


def test_what_is_missing_is_not_read(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["values"][:] = np.where(file["observed"][:], file["values"][:], np.nan)
    for index in range(8):
        assert np.isfinite(Store(path).read(index)[0]).all()


def test_a_sequence_may_miss_nothing(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "a.h5", ["x"], "a", "1", missing=True) as writer:
        writer.append([[1.0], [2.0]], "train")
    seen = Store(tmp_path / "a.h5").observed(0)
    assert seen is not None and seen.all()


def test_a_store_without_missing_features_is_as_it_was(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "a.h5", ["x"], "a", "1") as writer:
        writer.append([[1.0], [2.0]], "train")
        with pytest.raises(ValueError, match="sequence 1: expected no observed.*missing=True"):
            writer.append([[1.0], [2.0]], "train", observed=np.ones((2, 1), bool))
        with pytest.raises(ValueError, match="expected finite float32 values, found nan"):
            writer.append([[1.0], [np.nan]], "train")
    with h5py.File(tmp_path / "a.h5") as file:
        assert file.attrs["version"] == 1 and "observed" not in file
    store = Store(tmp_path / "a.h5")
    assert not store.missing and store.observed(0) is None
    assert "some of them missing" not in repr(store)


@pytest.mark.parametrize(
    ("observed", "message"),
    [
        (np.ones((2, 2)), r"boolean of shape \(2, 2\), as the values are, found float64"),
        (np.ones((2, 1), bool), r"found bool of shape \(2, 1\)"),
        (np.ones((2, 2), bool), "expected finite float32 values, found nan at frame 1"),
    ],
)
def test_what_does_not_fit_is_not_written(
    tmp_path: Path, observed: np.ndarray, message: str
) -> None:
    with (
        pytest.raises(ValueError, match=message),
        StoreWriter(tmp_path / "a.h5", ["x", "y"], "a", "1", missing=True) as writer,
    ):
        writer.append([[1.0, 2.0], [3.0, np.nan]], "train", observed=observed)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_one_is_refused(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        row = int(np.flatnonzero(file["observed"][:, 0])[0])
        file["values"][row, 0] = np.nan
    with pytest.raises(ValueError, match=r"found nan at frame \d+, feature 'x0'"):
        for index in range(8):
            Store(path).read(index)
    for replaced, message in (
        (np.ones((40, 2)), "'observed' to be bool with 2 dimensions, found float64"),
        (np.ones((39, 2), bool), r"'observed' of shape \(40, 2\).*found \(39, 2\)"),
        (None, "expected a dataset 'observed'"),
    ):
        with h5py.File(path, "r+") as file:
            del file["observed"]
            if replaced is not None:
                file["observed"] = replaced
        with pytest.raises(ValueError, match=message):
            Store(path)
        with h5py.File(path, "r+") as file:
            if replaced is None:
                file["observed"] = np.ones((40, 2), bool)


def expected(batch: Batch) -> None:
    """Fails unless values and what was observed belong together, frame by frame."""
    assert batch.observed is not None and batch.observed.dtype == torch.bool
    assert batch.observed.shape == batch.values.shape
    for values, seen, length in zip(batch.values, batch.observed, batch.lengths, strict=True):
        assert seen.any(), "a window without anything says nothing of whose it is"
        number = int(values[seen][0] // 1000)
        whole, observed = rows(number, [n for one in LENGTHS.values() for n in one][number], 2)
        frame = int((values[seen][0] % 1000 + 0.5) // 10) - 1
        first = frame - int(seen.any(-1).nonzero()[0])
        stop = first + int(length)
        np.testing.assert_array_equal(seen[: int(length)], observed[first:stop])
        np.testing.assert_array_equal(values[:length], np.nan_to_num(whole[first:stop]))
        # Padding repeats the last frame, as the values do.
        assert (seen[int(length) :] == seen[int(length) - 1]).all()


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_carry_what_was_observed(path: Path, workers: int) -> None:
    module = make(path, batch_size=2, workers=workers)
    for batch in [*module.train_dataloader(), *module.val_dataloader()]:
        expected(batch)
    for split in LENGTHS:
        for batch in module.batches(split):
            expected(batch)


def test_windows_carry_what_was_observed(path: Path) -> None:
    module = make(path, batch_size=3, window=4, burn_in=2)
    checked = 0
    for batch in module.train_dataloader():
        assert batch.observed is not None
        for row in range(len(batch.lengths)):
            if batch.observed[row, : batch.lengths[row]].any():
                one = Batch(
                    batch.values[[row]], batch.lengths[[row]], observed=batch.observed[[row]]
                )
                expected(one)
                checked += 1
    assert checked > 4


def test_observations_count_what_was_seen_in_frames_that_count() -> None:
    observed = torch.tensor([[[1, 1], [1, 0], [1, 1]], [[0, 0], [1, 0], [1, 1]]]).bool()
    values, lengths = torch.zeros(2, 3, 2), torch.tensor([3, 2])
    assert Batch(values, lengths, observed=observed).observations().tolist() == [5, 1]
    starts = torch.tensor([1, 0])
    assert Batch(values, lengths, None, starts, observed).observations().tolist() == [3, 1]
    assert Batch(values, lengths, None, starts).observations().tolist() == [4, 4]


@pytest.mark.parametrize(
    ("noise", "features"), [(None, 4), (UniformDequantise(), 4), (GaussianLatents(), 2)]
)
def test_frames_before_training_are_nan_where_missing(
    tmp_path: Path, noise: Noise | None, features: int
) -> None:
    module = make(write(tmp_path / "a.h5", features=4, unit=1e3), noise=noise)
    frames = module.sample_frames()
    masks = [rows(number, length, 4)[1] for number, length in enumerate(LENGTHS["train"])]
    seen = np.concatenate(masks)
    if isinstance(noise, GaussianLatents):
        seen = seen[:, :2] & seen[:, 2:]  # of a mean without its variance nothing can be drawn
    assert frames.shape == (28, features)
    np.testing.assert_array_equal(~frames.isnan().numpy(), seen)
    assert module.limit("train") is None
