"""What a model learns and what it is given, and the way back."""

from pathlib import Path

import numpy as np
import pytest
import torch
from jsonargparse import ArgumentParser

from seqmdn.data import Batch, GaussianLatents, SequenceDataModule, Store, UniformDequantise
from seqmdn.data.columns import Columns
from tests.small import write_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(write_store(tmp_path / "walks.h5", features=4, context=True))


def batch_of(store: Store, columns: Columns, index: int) -> Batch:
    values, context = columns.split(*store.read(index))
    assert context is not None
    return Batch(
        torch.from_numpy(values)[None], torch.tensor([len(values)]), torch.from_numpy(context)[None]
    )


def test_given_columns_stand_behind_the_context(store: Store) -> None:
    stored, known = store.read(3)
    assert known is not None
    values, context = Columns(store, ["x2", "x0"]).split(stored, known)
    np.testing.assert_array_equal(values, stored[:, [1, 3]])
    np.testing.assert_array_equal(context, np.concatenate([known, stored[:, [2, 0]]], axis=1))
    values, context = Columns(store, ["x2"]).split(stored, None)
    np.testing.assert_array_equal(context, stored[:, [2]])


@pytest.mark.parametrize("given", [[], ["x0"], ["x3", "x1"], ["x1", "x2", "x3"]])
def test_joined_is_what_was_split(store: Store, given: list[str]) -> None:
    columns = Columns(store, given)
    stored, known = store.read(5)
    whole = columns.join(batch_of(store, columns, 5))
    np.testing.assert_array_equal(whole.values[0], stored)
    assert whole.context is not None
    np.testing.assert_array_equal(whole.context[0], known)


def test_a_store_without_context_gets_it_back(tmp_path: Path) -> None:
    store = Store(write_store(tmp_path / "walks.h5"))
    columns = Columns(store, ["x0"])
    whole = columns.join(batch_of(store, columns, 0))
    assert whole.context is None
    np.testing.assert_array_equal(whole.values[0], store.read(0)[0])
    with pytest.raises(ValueError, match="1 given columns in its context, found none"):
        columns.join(Batch(torch.zeros(1, 2, 1), torch.tensor([2])))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["x1", "end"], r"of \['x0', .*'x3'\], each once, found \['x1', 'end'\]"),
        (["x1", "x1"], r"each once, found \['x1', 'x1'\]"),
        (["x0", "x1", "x2", "x3"], "left to learn, found all of them"),
    ],
)
def test_names_that_make_no_sense_are_refused(store: Store, given: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Columns(store, given)


def test_missing_features_are_not_given(tmp_path: Path) -> None:
    store = Store(write_store(tmp_path / "walks.h5", missing=True))
    with pytest.raises(ValueError, match=r"where features may be missing, found \['x0'\]"):
        Columns(store, ["x0"])
    assert Columns(store).given == []


@pytest.mark.parametrize("given", [[], ["x3", "x1"]])
def test_the_mark_of_the_end_is_added_last_and_taken_away_again(
    store: Store, given: list[str]
) -> None:
    columns = Columns(store, given, mark_end=True)
    stored, known = store.read(5)
    values, _ = columns.split(stored, known)
    for ends in (True, False):
        marked = columns.with_end(values, ends)
        assert marked.dtype == np.float32
        np.testing.assert_array_equal(marked[:, :-1], values)
        np.testing.assert_array_equal(marked[:, -1], [0.0] * (len(values) - 1) + [float(ends)])
    batch = batch_of(store, columns, 5)
    batch = batch._replace(values=torch.from_numpy(columns.with_end(values, True))[None])
    whole = columns.join(batch)
    np.testing.assert_array_equal(whole.values[0], stored)
    assert whole.context is not None
    np.testing.assert_array_equal(whole.context[0], known)


def test_no_end_is_marked_where_features_may_be_missing(tmp_path: Path) -> None:
    store = Store(write_store(tmp_path / "walks.h5", missing=True))
    with pytest.raises(ValueError, match="no mark of the end where features may be missing: set"):
        Columns(store, mark_end=True)


def test_a_module_learns_the_rest_under_noise(store: Store) -> None:
    module = SequenceDataModule(store.path, noise=UniformDequantise(), given=["x1"], batch_size=7)
    module.setup()
    assert (module.features, module.context) == (3, 2)
    (batch,) = [batch for batch in module.batches("valid")]
    for row, index in enumerate(store.indices("valid").tolist()):
        stored, known = store.read(index)
        end = len(stored)
        np.testing.assert_array_equal(batch.values[row, :end].floor(), stored[:, [0, 2, 3]])
        assert batch.context is not None and known is not None
        np.testing.assert_array_equal(batch.context[row, :end, 0], known[:, 0])
        np.testing.assert_array_equal(batch.context[row, :end, 1], stored[:, 1])  # no noise
    assert module.sample_frames().shape[1] == 3
    whole = module.whole(batch)
    assert whole.values.shape[2] == 4
    assert torch.equal(whole.values[..., 1], batch.context[..., 1])


def test_a_configuration_names_them(store: Store) -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(SequenceDataModule, "data")
    config = {
        "class_path": "seqmdn.data.SequenceDataModule",
        "init_args": {"path": str(store.path), "given": ["x3"]},
    }
    module = parser.instantiate(parser.parse_object({"data": config})).data
    module.setup()
    assert module.features == 3


def test_noise_that_makes_other_columns_is_refused(tmp_path: Path) -> None:
    path = write_store(tmp_path / "noisy.h5", features=2, noisy=True)
    module = SequenceDataModule(path, noise=GaussianLatents(), given=["x0", "logvar0"])
    with pytest.raises(ValueError, match="makes 1 of 2: give none"):
        module.setup()
