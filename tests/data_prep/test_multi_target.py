"""Mulan's data sets: the last columns are the targets, and rows without all inputs are out."""

from pathlib import Path

import numpy as np
import pytest

from data_prep.arff import read_arff
from data_prep.multi_target import SETS, main, prepare
from seqmdn.data import SPLITS, SequenceDataModule, Store, file_sha256

ROWS = 30


def write(folder: Path, which: str = "slump", columns: int | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    count = sum(SETS[which]) if columns is None else columns
    values = np.arange(ROWS * count).reshape(ROWS, count)
    names = [f"@attribute column{number} numeric" for number in range(count)]
    rows = [",".join(map(str, row)) for row in values]
    (folder / f"{which}.arff").write_text("\n".join(["@relation a", *names, "@data", *rows]))
    return folder


def test_the_last_columns_are_the_targets(tmp_path: Path) -> None:
    source = write(tmp_path / "raw")
    main(["--source", str(source), "--set", "slump", "--out", str(tmp_path / "a.h5")])
    store = Store(tmp_path / "a.h5")
    assert store.names == [f"column{number}" for number in (7, 8, 9)]
    assert store.context_names == [f"column{number}" for number in range(7)]
    for row in range(ROWS):
        values, context = store.read(row)
        assert context is not None
        assert [*context[0], *values[0]] == list(range(10 * row, 10 * row + 10))
    assert [len(store.indices(split)) for split in SPLITS] == [21, 3, 6]
    assert store.attributes["command"].endswith("--set slump --seed 0")
    prepare(source, tmp_path / "b.h5", "slump")
    prepare(source / "slump.arff", tmp_path / "c.h5", "slump", seed=1)
    assert file_sha256(tmp_path / "b.h5") == store.sha256
    assert (Store(tmp_path / "c.h5").splits != store.splits).any()


def test_rows_without_an_input_are_left_out_and_without_a_target_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "raw") / "slump.arff"
    whole = path.read_text()
    path.write_text(whole.replace("\n50,", "\n?,"))
    said = prepare(path, tmp_path / "a.h5", "slump")
    assert said[0] == "1 rows without all their inputs left out"
    store = Store(tmp_path / "a.h5")
    assert len(store) == ROWS - 1 and store.attributes["left_out"] == 1
    assert store.read(5)[1][0, 0] == 60
    path.write_text(whole.replace(",59\n", ",?\n"))
    with pytest.raises(ValueError, match="row 5: expected a finite target 'column9', found nan"):
        prepare(path, tmp_path / "b.h5", "slump")


def test_another_source_is_one_line(tmp_path: Path) -> None:
    source = write(tmp_path / "raw", columns=9)
    out = ["--out", str(tmp_path / "a.h5"), "--source"]
    for words, message in (
        ([str(source), "--set", "slump"], "expected the 7 inputs and 3 targets of slump, found 9"),
        ([str(source), "--set", "wq"], "expected the data set wq at .*wq.arff, found no such file"),
    ):
        with pytest.raises(SystemExit, match=f"^data_prep.multi_target: .*{message}") as error:
            main([*out, *words])
        assert "\n" not in str(error.value) and not (tmp_path / "a.h5").exists()
    with pytest.raises(ValueError, match="expected a set of wq, .*found 'iris'"):
        prepare(source, tmp_path / "a.h5", "iris")


@pytest.mark.parametrize(
    ("which", "rows"),
    [("wq", 1060), ("rf1", 9005), ("enb", 768), ("jura", 359), ("slump", 103), ("oes97", 334)],
)
def test_the_real_sets_are_whole(data_root: Path, tmp_path: Path, which: str, rows: int) -> None:
    prepare(data_root / "multi_target", tmp_path / "a.h5", which)
    module = SequenceDataModule(tmp_path / "a.h5", batch_size=16)
    module.setup()
    store = module.store
    assert len(store) == rows and (store.context_features, store.features) == SETS[which]
    assert store.attributes["left_out"] == (120 if which == "rf1" else 0)
    assert next(iter(module.train_dataloader())).values.shape == (16, 1, SETS[which][1])
    if which == "wq":
        values = np.concatenate([store.read(row)[0] for row in range(rows)])
        assert np.unique(values).tolist() == [0, 1, 3, 5]


def test_a_real_file_that_is_cut_off_is_named(data_root: Path, tmp_path: Path) -> None:
    content = (data_root / "multi_target" / "jura.arff").read_bytes()
    path = tmp_path / "jura.arff"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="jura.arff, line .*: expected 18 numbers or question"):
        read_arff(path)
