"""The robot arm's files: cut anew, or as the owner cut them without what the test holds, too."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from data_prep.sarcos import INPUTS, TARGETS, main, prepare
from seqmdn.data import SPLITS, SequenceDataModule, Store, file_sha256

COLUMNS = len(INPUTS) + len(TARGETS)


def rows(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, COLUMNS))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    test = rows(20, 0)
    scipy.io.savemat(folder / "sarcos_inv_test.mat", {"sarcos_inv_test": test})
    training = np.concatenate([rows(25, 1), test[:5], rows(25, 2)])
    scipy.io.savemat(folder / "sarcos_inv.mat", {"sarcos_inv": training})
    return folder


def read(store: Store) -> np.ndarray:
    both = [store.read(index) for index in range(len(store))]
    return np.concatenate([np.concatenate([context, values], 1) for values, context in both])


def test_the_test_file_is_cut_anew(source: Path, tmp_path: Path) -> None:
    main(["--source", str(source), "--out", str(tmp_path / "a.h5")])
    store = Store(tmp_path / "a.h5")
    np.testing.assert_array_equal(read(store), rows(20, 0).astype(np.float32))
    assert [len(store.indices(split)) for split in SPLITS] == [14, 2, 4]
    assert store.names == TARGETS and store.context_names == INPUTS and store.name == "sarcos"
    assert [entry["file"] for entry in store.attributes["source"]] == ["sarcos_inv_test.mat"]
    prepare(source, tmp_path / "b.h5")
    prepare(source, tmp_path / "c.h5", seed=1)
    assert file_sha256(tmp_path / "b.h5") == store.sha256
    assert (Store(tmp_path / "c.h5").splits != store.splits).any()


def test_the_owners_cut_is_kept_without_what_the_test_holds(source: Path, tmp_path: Path) -> None:
    said = prepare(source, tmp_path / "a.h5", "full")
    assert said[0] == "5 rows for training that the test holds, too, left out"
    store = Store(tmp_path / "a.h5")
    expected = np.concatenate([rows(25, 1), rows(25, 2), rows(20, 0)])
    np.testing.assert_array_equal(read(store), expected.astype(np.float32))
    assert [len(store.indices(split)) for split in SPLITS] == [45, 5, 20]
    assert store.indices("test").tolist() == list(range(50, 70)) and store.name == "sarcos_full"
    assert len(store.attributes["source"]) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"sarcos_inv": rows(9, 0)}, "expected a matrix 'sarcos_inv_test', found sarcos_inv"),
        ({"sarcos_inv_test": rows(9, 0)[:, 1:]}, r"28 finite numbers, found .* \(9, 27\)"),
        ({"sarcos_inv_test": np.full((9, COLUMNS), np.nan)}, "28 finite numbers"),
        ({"sarcos_inv_test": 1j * rows(9, 0)}, "of real numbers, found another kind"),
        (None, "sarcos_inv_test.mat, found no such file: take it from"),
    ],
)
def test_another_file_is_one_line(
    source: Path, tmp_path: Path, content: dict | None, message: str
) -> None:
    path = source / "sarcos_inv_test.mat"
    path.unlink()
    if content is not None:
        scipy.io.savemat(path, content)
    with pytest.raises(SystemExit, match=f"^data_prep.sarcos: .*{message}") as error:
        main(["--source", str(source), "--out", str(tmp_path / "a.h5")])
    assert "\n" not in str(error.value) and not (tmp_path / "a.h5").exists()
    with pytest.raises(ValueError, match="expected a set of test, full, found 'train'"):
        prepare(source, tmp_path / "a.h5", "train")


def test_the_real_file_is_what_scipy_reads(data_root: Path, tmp_path: Path) -> None:
    prepare(data_root / "sarcos", tmp_path / "a.h5")
    module = SequenceDataModule(tmp_path / "a.h5", batch_size=100)
    module.setup()
    assert [module.describe(split)["sequences"] for split in SPLITS] == [3114, 445, 890]
    found = scipy.io.loadmat(data_root / "sarcos" / "sarcos_inv_test.mat")["sarcos_inv_test"]
    batch = next(module.batches("train"))
    places = module.store.indices("train")[:100]
    np.testing.assert_array_equal(batch.values[:, 0], found[places, 21:].astype(np.float32))
    np.testing.assert_array_equal(batch.context[:, 0], found[places, :21].astype(np.float32))
