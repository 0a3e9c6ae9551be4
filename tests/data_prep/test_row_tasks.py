"""Tasks of rows: of one split each, in time order where there is one, nothing over a hole."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from data_prep import multi_target
from data_prep.row_tasks import ROWS, STRETCHES, main, prepare, windows
from data_prep.sarcos import INPUTS, TARGETS
from seqmdn.data import SPLITS, Store, file_sha256


def write_arff(folder: Path, which: str, rows: int, hole: slice = slice(0)) -> Path:
    """Every number of a row is its own, and its first input says which row it is."""
    columns = sum(multi_target.SETS[which])
    values = np.arange(rows)[:, None] + np.arange(columns) / 1000
    words = [[f"{value:.3f}" for value in row] for row in values.tolist()]
    for row in words[hole]:
        row[1] = "?"
    head = ["@relation a", *(f"@attribute c{number} numeric" for number in range(columns))]
    folder.mkdir(parents=True, exist_ok=True)
    lines = [*head, "@data", *(",".join(row) for row in words)]
    (folder / f"{which}.arff").write_text("\n".join(lines))
    return folder


def tasks(path: Path) -> dict[str, list[list[int]]]:
    """Give the rows of each task by split, and check that what is in them is of these rows."""
    found: dict[str, list[list[int]]] = {split: [] for split in SPLITS}
    with Store(path) as store:
        for split, own in found.items():
            for index in store.indices(split).tolist():
                values, context = store.read(index)
                assert context is not None
                rows = context[:, 0].round().astype(int)
                both = np.concatenate([context, values], axis=1)
                expected = rows[:, None] + np.arange(both.shape[1]) / 1000
                np.testing.assert_allclose(both, expected, atol=2e-4)
                own.append(rows.tolist())
    return found


def rows_of(found: dict[str, list[list[int]]]) -> list[set[int]]:
    return [{row for task in found[split] for row in task} for split in SPLITS]


def test_rows_in_no_order_are_drawn_from_their_split(tmp_path: Path) -> None:
    write_arff(tmp_path / "raw" / "multi_target", "wq", 700)
    out = ["--out", str(tmp_path / "a.h5")]
    main(["--source", str(tmp_path / "raw"), "--set", "wq", *out])
    found = tasks(tmp_path / "a.h5")
    assert [len(found[split]) for split in SPLITS] == [200 * 7, 20, 20 * 2]
    assert all(len(set(task)) == ROWS for own in found.values() for task in own)
    train, valid, test = rows_of(found)
    assert [len(train), len(valid), len(test)] == [490, 70, 140] and len(
        train | valid | test
    ) == 700
    first, second = found["test"][:2]
    assert not set(first) & set(second), "of one pass"
    assert np.abs(np.diff(first)).mean() > 50
    multi_target.prepare(tmp_path / "raw" / "multi_target", tmp_path / "rows.h5", "wq")
    with Store(tmp_path / "rows.h5") as rows:
        assert test == set(rows.indices("test").tolist()), "the split of the regression"
    command = str(Store(tmp_path / "a.h5").attributes["command"])
    assert command.endswith("--set wq --seed 0")
    prepare(tmp_path / "raw" / "multi_target", tmp_path / "b.h5", "wq")
    prepare(tmp_path / "raw", tmp_path / "c.h5", "wq", seed=1)
    assert file_sha256(tmp_path / "b.h5") == file_sha256(tmp_path / "a.h5")
    assert rows_of(tasks(tmp_path / "c.h5"))[2] != test


def test_rows_of_time_keep_together_and_to_their_stretch(tmp_path: Path) -> None:
    write_arff(tmp_path, "rf1", 3000, hole=slice(1000, 1020))
    said = prepare(tmp_path, tmp_path / "a.h5", "rf1")
    assert said[0] == "20 rows that lack something left out"
    found = tasks(tmp_path / "a.h5")
    length = STRETCHES["rf1"]
    assert length is not None
    for split, own in found.items():
        for task in own:
            assert np.diff(task).tolist() == [1] * (ROWS - 1)
            assert task[-1] < 1000 or task[0] >= 1020
            begin = task[0] - (1020 if task[0] >= 1020 else 0)
            assert begin // length == (begin + ROWS - 1) // length, "over a cut"
            assert begin % length % (8 if split == "train" else ROWS) == 0
    parts = rows_of(found)
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    test = found["test"]
    assert len({row for task in test for row in task}) == ROWS * len(test)
    assert len(found["train"]) > 4 * len(test)
    assert windows(np.arange(ROWS - 1), 8) == []


def test_the_robot_arm_has_stretches_of_its_movements(tmp_path: Path) -> None:
    columns = len(INPUTS) + len(TARGETS)
    values = np.arange(1500)[:, None] + np.arange(columns) / 1000
    folder = tmp_path / "sarcos"
    folder.mkdir()
    scipy.io.savemat(folder / "sarcos_inv_test.mat", {"sarcos_inv_test": values})
    prepare(tmp_path, tmp_path / "a.h5", "sarcos")
    store = Store(tmp_path / "a.h5")
    assert (store.names, store.context_names) == (TARGETS, INPUTS)
    assert np.diff(tasks(tmp_path / "a.h5")["test"][0]).tolist() == [1] * (ROWS - 1)


def test_what_makes_no_tasks_is_one_line(tmp_path: Path) -> None:
    write_arff(tmp_path, "wq", 300)
    with pytest.raises(SystemExit, match="^data_prep.row_tasks: .*found 600/0/0 tasks of 300 rows"):
        main(["--source", str(tmp_path), "--set", "wq", "--out", str(tmp_path / "a.h5")])
    with pytest.raises(ValueError, match="found 0/0/0 tasks of 50 rows"):
        prepare(write_arff(tmp_path, "rf1", 50), tmp_path / "a.h5", "rf1")
    with pytest.raises(ValueError, match="expected a set of wq, sarcos, rf1, found 'enb'"):
        prepare(tmp_path, tmp_path / "a.h5", "enb")
    with pytest.raises(FileNotFoundError, match="movements of a robot arm"):
        prepare(tmp_path, tmp_path / "a.h5", "sarcos")
    assert not (tmp_path / "a.h5").exists()


@pytest.mark.parametrize(
    ("which", "counts", "left_out"),
    [("wq", [2200, 20, 60], 0), ("sarcos", [212, 8, 14], 0), ("rf1", [604, 16, 27], 120)],
)
def test_the_real_sets(
    data_root: Path, tmp_path: Path, which: str, counts: list[int], left_out: int
) -> None:
    prepare(data_root, tmp_path / "a.h5", which)
    store = Store(tmp_path / "a.h5")
    assert [len(store.indices(split)) for split in SPLITS] == counts
    assert store.attributes["left_out"] == left_out and set(store.lengths.tolist()) == {ROWS}
