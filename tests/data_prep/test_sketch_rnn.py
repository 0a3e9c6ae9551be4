"""Drawings as sketch-rnn's authors split them, rows as they are."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_prep.object_arrays import read_object_arrays
from data_prep.sketch_rnn import main, prepare
from seqmdn.data import SPLITS, Store, file_sha256
from tests.data_prep.test_object_arrays import boxed


def drawing(number: int) -> np.ndarray:
    rng = np.random.default_rng(number)
    rows = rng.integers(-20, 20, (2 + number % 5, 3)).astype(np.int16)
    rows[:, 2] = rng.integers(0, 2, len(rows))
    return rows


def archive(path: Path, **changes: list[Any]) -> Path:
    content = {"train": range(20), "valid": range(20, 25), "test": range(25, 31)}
    lists = {split: [drawing(number) for number in numbers] for split, numbers in content.items()}
    np.savez_compressed(path, **{key: boxed(each) for key, each in {**lists, **changes}.items()})
    return path


def test_rows_are_taken_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = archive(tmp_path / "omniglot.npz", test=[drawing(3), drawing(40)])
    for name, source in (("a", tmp_path), ("b", path)):
        out = str(tmp_path / f"{name}.h5")
        main(["--source", str(source), "--set", "omniglot", "--out", out])
    said = capsys.readouterr().out
    assert "1 drawings of validation and test are equal to one for training" in said
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    store = Store(tmp_path / "a.h5")
    assert [len(store.indices(split)) for split in SPLITS] == [20, 5, 2]
    for index, number in enumerate([*range(25), 3, 40]):
        np.testing.assert_array_equal(store.read(index)[0], drawing(number))
    expected = {"kind": "strokes", "sequence": "drawing", "y_axis": "down", "resolution": 1.0}
    expected |= {"left_out": 0, "seen_in_training": 1, "step": "pen point"}
    assert {key: store.attributes[key] for key in expected} == expected
    assert "text_is" not in store.attributes and store.attributes["licence"].startswith("MIT")
    assert store.attributes["source"] == [{"file": "omniglot.npz", "sha256": file_sha256(path)}]


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (np.array([[1.0, 2, 1]]), "fewer than 2 points"),
        (np.array([[1.0, 2, 0], [np.nan, 2, 1]]), "numbers that are not finite"),
        (np.array([[1.0, 2, 0], [np.inf, 2, 1]]), "numbers that are not finite"),
        (np.array([[1.0, 2, 0], [1, 2, 0.5]]), "an eos other than 0 and 1"),
        (np.array([[1.0, 2], [1, 2]]), r"found the shape \(2, 2\)"),
        (np.zeros((0, 3)), "fewer than 2 points"),
    ],
)
def test_what_is_no_drawing_is_left_out_and_named(
    tmp_path: Path, rows: np.ndarray, why: str
) -> None:
    path = archive(tmp_path / "kanji.rdp100.npz", valid=[drawing(20), rows, drawing(21)])
    said = prepare(path, tmp_path / "a.h5")
    assert re.fullmatch(f"1 drawings left out\n  valid 1: .*{why}", said[1])
    store = Store(tmp_path / "a.h5")
    assert len(store) == 28 and store.attributes["left_out"] == 1
    assert "resolution" not in store.attributes


def test_another_source_is_one_line(tmp_path: Path) -> None:
    archive(tmp_path / "whole.npz")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:-100])
    np.savez(tmp_path / "other.npz", train=np.zeros(3))
    for name, message in (
        ("", "kanji.rdp100.npz, found no such file: take it from"),
        ("cut.npz", "expected a whole zip archive"),
        ("other.npz", "found no valid among train.npy"),
    ):
        with pytest.raises(SystemExit, match=f"^data_prep.sketch_rnn: .*{message}") as error:
            main(["--source", str(tmp_path / name), "--out", str(tmp_path / "a.h5")])
        assert "\n" not in str(error.value) and not (tmp_path / "a.h5").exists()
    with pytest.raises(ValueError, match="a set of kanji.rdp100, omniglot, found 'cat'"):
        prepare(tmp_path / "whole.npz", tmp_path / "a.h5", which="cat")


@pytest.mark.parametrize(
    ("which", "counts", "frames"),
    [("kanji.rdp100", [10358, 600, 500], 429_634), ("omniglot", [30000, 1000, 1000], 996_293)],
)
def test_real_drawings_are_all_there(
    data_root: Path, tmp_path: Path, which: str, counts: list[int], frames: int
) -> None:
    prepare(data_root / "sketch_rnn", tmp_path / "a.h5", which)
    store = Store(tmp_path / "a.h5")
    assert [len(store.indices(split)) for split in SPLITS] == counts and store.frames == frames
    raw = read_object_arrays(data_root / "sketch_rnn" / f"{which}.npz", ("test",))["test"]
    for index, rows in zip(store.indices("test")[:50].tolist(), raw, strict=False):
        np.testing.assert_array_equal(store.read(index)[0], rows.astype(np.float32))
