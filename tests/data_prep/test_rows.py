"""Tables for regression: one row a sequence, targets as values, inputs as context."""

import doctest
from pathlib import Path

import numpy as np
import pytest

import data_prep.rows
from data_prep.rows import RowTable, split_rows, split_times, write_rows
from seqmdn.data import SPLITS, SequenceDataModule, Store

OF = {"name": "a", "unit": "one"}


def table(rows: int = 20, **changes: object) -> RowTable:
    values = np.random.default_rng(0).normal(size=(rows, 5))
    splits = split_rows(rows, seed=0)
    made = RowTable(values[:, :2], values[:, 2:], ["y", "z"], ["a", "b", "c"], splits)
    return made._replace(**changes)


def test_targets_are_values_and_inputs_context(tmp_path: Path) -> None:
    made = table()
    said = write_rows(tmp_path / "a.h5", made, attributes={"seed": 0}, **OF)
    assert said == ["14 train, 2 valid, 4 test rows"]
    module = SequenceDataModule(tmp_path / "a.h5", batch_size=4, per="sequence")
    module.setup()
    assert (module.features, module.context, module.unit) == (2, 3, "nats/row")
    for split in SPLITS:
        rows = np.flatnonzero(np.asarray(made.splits) == split)
        batches = list(module.batches(split))
        values = np.concatenate([batch.values for batch in batches])
        context = np.concatenate([batch.context for batch in batches])
        np.testing.assert_array_equal(values[:, 0], made.targets[rows].astype(np.float32))
        np.testing.assert_array_equal(context[:, 0], made.inputs[rows].astype(np.float32))
    assert next(iter(module.train_dataloader())).values.shape == (4, 1, 2)
    store = module.store
    assert store.names == ["y", "z"] and store.context_names == ["a", "b", "c"]
    expected = {"sequence": "row", "step": "row", "seed": 0, "left_out_inputs": ""}
    assert {key: store.attributes[key] for key in expected} == expected


def test_an_input_that_never_varies_in_training_is_left_out(tmp_path: Path) -> None:
    made = table()
    training = np.asarray(made.splits) == "train"
    inputs = made.inputs.copy()
    inputs[training, 1] = 1e8 + 0.1 * np.arange(14)  # all the same as float32
    said = write_rows(tmp_path / "a.h5", made._replace(inputs=inputs), **OF)
    assert said[1:] == ["left out as constant in training: b"]
    store = Store(tmp_path / "a.h5")
    assert store.context_names == ["a", "c"] and store.attributes["left_out_inputs"] == "b"
    np.testing.assert_array_equal(store.read(3)[1], inputs[3:4, [0, 2]].astype(np.float32))


def test_missing_targets_are_missing_only_where_that_is_asked_for(tmp_path: Path) -> None:
    targets = table().targets.copy()
    targets[3, 1] = np.nan
    made = table(targets=targets)
    with pytest.raises(ValueError, match="row 3: expected a finite target 'z', found nan"):
        write_rows(tmp_path / "a.h5", made, **OF)
    said = write_rows(tmp_path / "a.h5", made, missing=True, **OF)
    assert said[-1] == "1 of 40 targets are missing"
    store = Store(tmp_path / "a.h5")
    observed = [store.observed(row) for row in range(20)]
    np.testing.assert_array_equal(np.concatenate(observed), ~np.isnan(targets))


def test_what_cannot_be_learned_is_refused(tmp_path: Path) -> None:
    made = table()
    constant = made.targets.copy()
    constant[np.asarray(made.splits) == "train", 0] = 2.5
    nothing = np.where([True, False], np.nan, made.targets)
    infinite = np.where(np.arange(20)[:, None] == 5, np.inf, made.inputs)
    for changes, missing, message in (
        ({"targets": constant}, False, "'y': expected values that vary .*2.5 in each of 14 rows"),
        ({"targets": nothing}, True, "target 'y': expected values that vary.*none at all"),
        ({"inputs": infinite}, False, r"row 5: expected a finite input 'a', found inf \(3 such"),
        ({"inputs": 0 * made.inputs}, False, "expected an input that varies, found a, b, c"),
        ({"splits": ["train"] * 19 + ["test"]}, False, "found 19/0/1: give more rows"),
    ):
        with pytest.raises(ValueError, match=message):
            write_rows(tmp_path / "a.h5", made._replace(**changes), missing=missing, **OF)
    assert list(tmp_path.iterdir()) == []


def test_rows_are_split_by_the_seed() -> None:
    splits = split_rows(1000, 3, (60, 15, 25))
    assert [splits.count(split) for split in SPLITS] == [600, 150, 250]
    assert splits == split_rows(1000, 3, (60, 15, 25)) != split_rows(1000, 4, (60, 15, 25))
    # No part is a stretch of the file.
    assert all(split in splits[:100] and split in splits[-100:] for split in SPLITS)


def test_a_time_is_never_on_both_sides_of_a_cut() -> None:
    times = np.repeat(np.arange(10.0), 3)
    splits = np.asarray(split_times(times, (50, 20, 30)))
    parts = [set(times[splits == split]) for split in SPLITS]
    assert parts == [{0, 1, 2, 3, 4}, {5, 6}, {7, 8, 9}]
    for shares in ((46, 25, 29), (11, 3, 86), (70, 10, 20)):
        parts = [set(times[np.asarray(split_times(times, shares)) == split]) for split in SPLITS]
        assert sum(map(len, parts)) == 10 and set.union(*parts) == set(range(10))
    with pytest.raises(ValueError, match="in the order of time"):
        split_times(times[::-1])


def test_examples() -> None:
    found = doctest.testmod(data_prep.rows)
    assert found.attempted and not found.failed
