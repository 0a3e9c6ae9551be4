"""Pen digits: eight points each, and a test of other people."""

from pathlib import Path

import numpy as np
import pytest

from data_prep.pendigits import TEST, TRAINING, main, prepare
from seqmdn.data import SPLITS, Store, file_sha256


def points(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 101, (8, 2))


def line(number: int, label: str | None = None) -> str:
    words = [f"{value:3d}" for value in points(number).ravel()]
    return ",".join([*words, f" {number % 10}" if label is None else label])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / TRAINING).write_text("\n".join(line(number) for number in range(20)) + "\n")
    (folder / TEST).write_text(f"{line(50, '0000000010')}\n{line(51)}\n")
    return folder


def test_points_labels_and_splits(source: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        main(["--source", str(source), "--out", str(tmp_path / f"{name}.h5"), "--seed", "3"])
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    store = Store(tmp_path / "a.h5")
    assert [len(store.indices(split)) for split in SPLITS] == [18, 2, 2]
    for index, number in enumerate([*range(20), 50, 51]):
        values, _ = store.read(index)
        np.testing.assert_array_equal(values[:, :2].cumsum(0), points(number) - points(number)[0])
        assert values[:, 2].tolist() == [0] * 7 + [1]
    assert [store.text(index) for index in (0, 7, 19, 20, 21)] == ["0", "7", "9", "8", "1"]
    assert store.indices("test").tolist() == [20, 21]
    expected = {"kind": "strokes", "y_axis": "up", "text_is": "name", "resolution": 1.0, "seed": 3}
    assert {key: store.attributes[key] for key in expected} == expected
    assert store.attributes["source"] == [
        {"file": name, "sha256": file_sha256(source / name)} for name in (TRAINING, TEST)
    ]


def test_the_seed_draws_the_validation(source: Path, tmp_path: Path) -> None:
    drawn = []
    for seed in (0, 1):
        prepare(source, tmp_path / "a.h5", seed)
        drawn.append(Store(tmp_path / "a.h5").indices("valid").tolist())
    assert drawn[0] != drawn[1]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("1,2,3", "line 2: expected 16 whole numbers .*found '1,2,3'"),
        (line(1, "12"), "line 2: expected 16"),
        (line(1, "0000000000"), "line 2: expected 16"),
        (line(1, "0100000100"), "line 2: expected 16"),
        (line(1).replace(",", ";"), "line 2: expected 16"),
        ("101" + line(1)[3:], "line 2: expected 16 whole numbers from 0 to 100"),
        (" -1" + line(1)[3:], "line 2: expected 16"),
        ("nan" + line(1)[3:], "line 2: expected 16"),
        ("", "line 2: expected 16 .*found ''"),
        (None, "expected a digit a line, found an empty file"),
    ],
)
def test_a_line_that_is_no_digit_is_named(
    source: Path, tmp_path: Path, wrong: str | None, message: str
) -> None:
    (source / TEST).write_text("" if wrong is None else f"{line(0)}\n{wrong}\n")
    with pytest.raises(SystemExit, match=f"^data_prep.pendigits: .*{TEST}.*{message}") as error:
        main(["--source", str(source), "--out", str(tmp_path / "a.h5")])
    assert "\n" not in str(error.value) and not (tmp_path / "a.h5").exists()


def test_a_file_that_lacks_is_named(source: Path, tmp_path: Path) -> None:
    (source / TEST).unlink()
    with pytest.raises(FileNotFoundError, match="pendigits.tes, found no such file: take it from"):
        prepare(source, tmp_path / "a.h5")


def test_real_digits_are_all_there(data_root: Path, tmp_path: Path) -> None:
    prepare(data_root / "pendigits", tmp_path / "a.h5")
    store = Store(tmp_path / "a.h5")
    assert [len(store.indices(split)) for split in SPLITS] == [6745, 749, 3498]
    assert set(store.lengths.tolist()) == {8}
    texts = [store.text(index) for index in store.indices("test").tolist()]
    assert set(texts) == set("0123456789")
