"""Folds part what may be trained on, and leave the test split alone."""

import json
from pathlib import Path

import numpy as np
import pytest

from seqmdn.configuration import fit_parser
from seqmdn.data import Fold, Pieces, SequenceDataModule, StoreWriter
from tests.data.numbers import make, write

STORED = np.array([0] * 17 + [1] * 6 + [2] * 5, np.int8)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("store"))


@pytest.mark.parametrize("of", [2, 3, 5, 22])
def test_folds_part_training_and_validation_rows_and_leave_the_test_split(of: int) -> None:
    stored = np.random.default_rng(0).permutation(STORED)
    folds = [Fold(number, of).splits(stored) for number in range(of)]
    held = np.stack([fold == 2 for fold in folds])  # (F, N)
    np.testing.assert_array_equal(held.sum(0), stored != 2)
    assert np.ptp(held.sum(1)) <= 1
    for fold in folds:
        np.testing.assert_array_equal(fold == -1, stored == 2)
        rest = np.isin(fold, [0, 1]).sum()
        assert (fold == 1).sum() == max(1, round(6 / 23 * rest)) and (fold == 0).any()


def test_a_seed_decides_and_nothing_else_does() -> None:
    one, again, other = (Fold(1, 4, seed).splits(STORED) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    stops = [np.flatnonzero(Fold(number, 4).splits(STORED) == 1).tolist() for number in range(4)]
    assert len({tuple(each) for each in stops}) == 4


@pytest.mark.parametrize(("number", "of", "seed"), [(0, 1, 0), (3, 3, 0), (-1, 3, 0), (0, 2, -1)])
def test_a_fold_that_is_none_is_refused(number: int, of: int, seed: int) -> None:
    with pytest.raises(ValueError, match=f"found fold {number} of {of}, seed {seed}"):
        Fold(number, of, seed)


@pytest.mark.parametrize(("count", "of"), [(2, 2), (4, 5)])
def test_too_few_sequences_are_refused(count: int, of: int) -> None:
    with pytest.raises(ValueError, match=f"found {count} sequences of training and validation"):
        Fold(0, of).splits(np.array([0] * count + [2] * 9, np.int8))


def test_a_module_serves_the_parts_of_a_fold(path: Path) -> None:
    whole = make(path)
    parts = [make(path, fold=Fold(number, 3)) for number in range(3)]
    held = [part.store.indices("test").tolist() for part in parts]
    own = {*whole.store.indices("train").tolist(), *whole.store.indices("valid").tolist()}
    assert sorted(sum(held, [])) == sorted(own)
    for part, kept in zip(parts, held, strict=True):
        served = [b.values[:, 0, 0] for b in part.batches("test")]
        first = [part.store.read(index)[0][0, 0] for index in kept]
        np.testing.assert_array_equal(np.concatenate(served), first)
        trained = part.store.indices("train").tolist()
        assert not {*trained, *part.store.indices("valid").tolist()} & {*kept}
        assert part.describe("test")["sequences"] == len(kept)


def test_pieces_of_a_sequence_are_in_one_part(path: Path) -> None:
    store = make(path, length=2, fold=Fold(0, 3)).store
    assert isinstance(store, Pieces)
    for sequence in np.unique(store.stored):
        assert len(set(store.splits[store.stored == sequence].tolist())) == 1
    fold = Fold(0, 3).splits(Pieces(path, 2).stored_splits)
    np.testing.assert_array_equal(store.splits, fold[store.stored])


def test_what_a_store_says_of_its_own_splits_is_no_limit_of_a_fold(tmp_path: Path) -> None:
    known = {f"limit_{split}": 1.0 for split in ("train", "valid", "test")}
    with StoreWriter(tmp_path / "rows.h5", ["y"], "rows", "m", attributes=known) as writer:
        for number in range(9):
            writer.append([[float(number)]], ["train", "valid", "test"][number % 3])
    assert make(tmp_path / "rows.h5").limit("test") == 1.0
    assert make(tmp_path / "rows.h5", fold=Fold(0, 2)).limit("test") is None


def test_a_fold_is_an_option_and_is_kept_in_configurations(path: Path) -> None:
    words = [
        "--data",
        json.dumps(
            {
                "class_path": "seqmdn.data.SequenceDataModule",
                "init_args": {"path": str(path)},
            }
        ),
        "--model=seqmdn.models.SequenceModel",
        "--data.fold",
        '{"number": 1, "of": 4}',
    ]
    parser = fit_parser()
    config = parser.parse_args(words)
    data: SequenceDataModule = parser.instantiate(config).data
    assert data.fold == Fold(1, 4, 0)
    plain = json.loads(parser.dump(config, format="json"))
    assert plain["data"]["init_args"]["fold"] == {"number": 1, "of": 4, "seed": 0}
