"""Rows that are a sequence each: read at once, they are what they are one by one."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from seqmdn.data import (
    Batch,
    GaussianLatents,
    Pieces,
    SequenceDataModule,
    Store,
    StoreWriter,
    UniformDequantise,
)
from seqmdn.data import loader as loading
from seqmdn.data import store as storing
from seqmdn.data.batch import collate
from tests.data.numbers import equal, make


@pytest.fixture(params=["whole", "missing", "long"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """40 rows, or frames of longer sequences; some of the values of some are missing."""
    rng, missing = np.random.default_rng(0), request.param == "missing"
    lengths = rng.integers(1, 6, 40) if request.param == "long" else np.ones(40, int)
    out = tmp_path / "rows.h5"
    with StoreWriter(out, ["a", "b"], "rows", "m", ["x", "y", "z"], missing=missing) as writer:
        for number, length in enumerate(lengths):
            values = rng.integers(0, 9, (length, 2))
            split = "train" if number < 25 else "valid" if number < 30 else "test"
            seen = rng.random((length, 2)) < 0.7 if missing else None
            context = rng.standard_normal((length, 3))
            writer.append(values, split, context=context, observed=seen)
    return out


def noting(taken: list[object], plain: Callable[..., Batch]) -> Callable[..., Batch]:
    def read(self: loading.Items, keys: list) -> Batch:
        taken.append(keys)
        return plain(self, keys)

    return read


def one_by_one(self: loading.Items, keys: list) -> Batch:
    seen = [mask for key in keys if (mask := self.observed(key)) is not None]
    return collate([self.item(key) for key in keys], seen or None)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"noise": UniformDequantise()},
        {"noise": GaussianLatents()},
        {"window": 1},
        {"window": 1, "noise": UniformDequantise()},
        {"given": ["b"]},
        {"mark_end": True},
        {"length": 1},
    ],
    ids=str,
)
def test_batches_are_those_of_rows_read_one_by_one(
    path: Path, options: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(path) as store:
        rows = bool((store.lengths == 1).all()) or not {"window", "length"}.isdisjoint(options)
        if store.missing and ("given" in options or "mark_end" in options):
            pytest.skip("not offered where features may be missing")
    for limit in (storing._KEPT, 0):
        monkeypatch.setattr(storing, "_KEPT", limit)
        taken: list[object] = []
        plain = loading.Items._frames
        monkeypatch.setattr(loading.Items, "_frames", noting(taken, plain))
        module, other = make(path, **options), make(path, **options)
        found = [*module.train_dataloader(), *module.batches("test")]
        sample = module.sample(limit=11)
        monkeypatch.setattr(loading.Items, "_frames", one_by_one)
        expected = [*other.train_dataloader(), *other.batches("test")]
        assert len(found) == len(expected)
        assert all(equal(one, two) for one, two in zip(found, expected, strict=True))
        for one, two in zip(sample, other.sample(limit=11), strict=True):
            assert torch.equal(one.nan_to_num(-1), two.nan_to_num(-1))
        assert taken or not rows, "nothing was read at once"
        monkeypatch.setattr(loading.Items, "_frames", plain)


def test_a_sample_has_the_context_of_each_frame(path: Path) -> None:
    module = make(path)
    for limit in (None, 7):
        values, context = module.sample(limit)
        assert torch.equal(values.nan_to_num(-1), module.sample_frames(limit).nan_to_num(-1))
        batch = next(iter(make(path, batch_size=25).train_dataloader()))
        present = batch.present()
        rows = torch.cat((batch.values, batch.context), dim=-1)[present]
        if batch.observed is not None:
            rows[:, :2] = rows[:, :2].where(batch.observed[present], torch.nan)
        known = {tuple(row) for row in rows.nan_to_num(-1).tolist()}
        found = torch.cat((values, context), dim=-1).nan_to_num(-1).tolist()
        assert {tuple(row) for row in found} <= known
        assert len(found) == (limit or len(rows))


def test_a_frame_that_is_not_there_is_refused(path: Path) -> None:
    with Store(path) as store:
        for sequence, time in ((40, 0), (-1, 0), (0, 9), (0, -1)):
            with pytest.raises(IndexError, match="expected"):
                store.gather(np.array([0, sequence]), np.array([0, time]))


def test_numbers_that_are_none_are_refused(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["context"][3, 1] = np.nan
    with Store(path) as store, pytest.raises(ValueError, match="nan at frame 3, feature 'y'"):
        store.gather(np.array([0]), np.array([0]))


def test_nothing_of_a_closed_store_is_kept_or_sent_along(path: Path) -> None:
    store = Store(path)
    store.gather(np.array([0]), np.array([0]))
    assert store._blocks and not store.__getstate__()["_blocks"]
    store.close()
    assert not store._blocks
    first = store.gather(np.array([2]), np.array([0]))[0]
    np.testing.assert_array_equal(first, store.read(2, 0, 1)[0])


def test_pieces_are_found_where_they_lie(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "a.h5", ["x"], "a", "m") as writer:
        writer.append(np.arange(5.0)[:, None], "train")
        writer.append(10 + np.arange(3.0)[:, None], "train")
    with Pieces(tmp_path / "a.h5", 2) as pieces:
        values, context, observed = pieces.gather(np.array([2, 0]), np.array([1, 0]))
        assert values.tolist() == [[11.0], [0.0]] and context is None and observed is None


def test_weights_of_a_batch_are_checked() -> None:
    items = [(np.zeros((1, 2)), None, None), (np.ones((3, 2)), None, None)]
    batch = collate(items, weights=[0.5, 2.0])
    assert batch.weights.tolist() == [0.5, 2.0]
    assert batch.part(1, 2).weights.tolist() == [2.0]
    assert collate(items).weights is None
    with pytest.raises(ValueError, match=r"a weight for each of 2 sequences, found shape \(1,\)"):
        collate(items, weights=[1.0])
    for wrong in ([-1.0, 1.0], [0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]):
        with pytest.raises(ValueError, match="finite weights of 0 or more, one above 0"):
            collate(items, weights=wrong)


def test_a_module_serves_rows_of_one_frame(path: Path) -> None:
    module = SequenceDataModule(path, batch_size=9)
    module.setup()
    assert (module.features, module.context) == (2, 3)
    assert module.describe("test")["sequences"] == 10
