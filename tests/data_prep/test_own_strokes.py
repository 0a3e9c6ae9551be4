"""One's own files: units, grids, splits, and files that are wrong."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_prep.own_strokes import main, prepare
from seqmdn.data import SPLITS, Store


def drawing(number: int) -> dict[str, Any]:
    rng = np.random.default_rng(number)
    walks = [rng.choice([1, 2, 3], (length, 2)).cumsum(0).tolist() for length in (9, 4)]
    return {"strokes": walks, "text": f"word {number}"}


def fill(folder: Path, count: int = 20, first: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        (folder / f"{number:02}.json").write_text(json.dumps(drawing(number)))
    return folder


def test_a_folder_becomes_a_store(tmp_path: Path) -> None:
    source = fill(tmp_path / "mine", 17)
    (source / "many.json").write_text(json.dumps([drawing(50), drawing(51)]))
    (source / "zz.csv").write_text("stroke,x,y\n1,0,0\n1,4,-3\n2,8,8\n")
    (source / "zz.txt").write_text("tick\n")
    (source / "notes.md").write_text("not read")
    options = ["--unit", "mm", "--seed", "2"]
    for name in ("a", "b"):
        main(["--source", str(source), "--out", str(tmp_path / f"{name}.h5"), *options])
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    store = Store(tmp_path / "a.h5")
    assert [len(store.indices(split)) for split in SPLITS] == [16, 2, 2]
    assert (store.name, store.unit) == ("mine", "mm")
    assert [store.text(index) for index in (3, 17, 18, 19)] == [
        "word 3",
        "word 50",
        "word 51",
        "tick",
    ]
    values, _ = store.read(3)
    points = np.concatenate([np.array(stroke) for stroke in drawing(3)["strokes"]])
    np.testing.assert_array_equal(values[:, :2].cumsum(0), points - points[0])
    assert np.flatnonzero(values[:, 2]).tolist() == [8, 12]
    assert store.read(19)[0].tolist() == [[0, 0, 0], [4, -3, 1], [4, 11, 1]]
    expected = {"kind": "strokes", "sequence": "drawing", "y_axis": "down", "resolution": 1.0}
    expected |= {"text_is": "transcription", "left_out": 0, "seed": 2}
    assert {key: store.attributes[key] for key in expected} == expected
    assert set(store.attributes["alphabet"]) <= set("word tick0123456789")
    assert str(tmp_path).encode() not in (tmp_path / "a.h5").read_bytes()
    before = store.attributes["source"]
    (source / "zz.txt").write_text("tock\n")
    prepare(source, tmp_path / "c.h5")
    assert Store(tmp_path / "c.h5").attributes["source"] != before, "the text is a source, too"


def test_folders_name_the_splits(tmp_path: Path) -> None:
    for first, (split, count) in enumerate((("train", 3), ("valid", 1), ("test", 2))):
        fill(tmp_path / "mine" / split / "anna", count, 10 * first)
    prepare(tmp_path / "mine", tmp_path / "a.h5")
    store = Store(tmp_path / "a.h5")
    texts = {split: [store.text(i) for i in store.indices(split).tolist()] for split in SPLITS}
    assert texts == {
        "train": ["word 0", "word 1", "word 2"],
        "valid": ["word 10"],
        "test": ["word 20", "word 21"],
    }
    fill(tmp_path / "mine", 1)
    with pytest.raises(
        ValueError, match="files in the folders train, valid, test, .*found 00.json"
    ):
        prepare(tmp_path / "mine", tmp_path / "a.h5")


def test_options_say_what_the_files_do_not(tmp_path: Path) -> None:
    source = fill(tmp_path / "mine")
    for path in source.iterdir():
        content = json.loads(path.read_text())
        halves = [[[0.5 * x, 0.5 * y] for x, y in stroke] for stroke in content["strokes"]]
        path.write_text(json.dumps({"strokes": halves}))
    place = ["--source", str(source), "--out", str(tmp_path / "a.h5")]
    main([*place, "--y-axis", "up", "--split", "50,25,25"])
    store = Store(tmp_path / "a.h5")
    assert [len(store.indices(split)) for split in SPLITS] == [10, 5, 5]
    assert store.attributes["y_axis"] == "up" and store.text(0) is None
    assert not {"resolution", "text_is", "alphabet"} & set(store.attributes)
    main([*place, "--resolution", "0.5"])
    assert Store(tmp_path / "a.h5").attributes["resolution"] == 0.5
    with pytest.raises(
        SystemExit, match=r"00.json: expected points on a grid of 0.3, found an off"
    ):
        main([*place, "--resolution", "0.3"])
    main([*place, "--tolerance", "0.8"])
    thinned = Store(tmp_path / "a.h5")
    assert thinned.frames < store.frames and "--tolerance 0.8" in thinned.attributes["command"]


def test_repeated_points_are_dropped_and_dots_left_out(tmp_path: Path) -> None:
    source = fill(tmp_path / "mine")
    (source / "03.json").write_text(json.dumps({"strokes": [[[1, 1], [1, 1]]], "text": "."}))
    (source / "04.json").write_text(
        json.dumps({"strokes": [[[1, 1], [1, 1], [2, 2]]], "text": "-"})
    )
    said = prepare(source, tmp_path / "a.h5")
    assert said == [
        "2 points repeated the one before them, and are left away",
        "1 drawings left out\n  03.json: fewer than 2 points",
    ]
    store = Store(tmp_path / "a.h5")
    assert len(store) == 19 and store.attributes["repeated_points"] == 2
    assert store.attributes["left_out"] == 1


def test_a_wrong_file_ends_it_unless_skipped(tmp_path: Path) -> None:
    source = fill(tmp_path / "mine")
    (source / "07.json").write_text('{"strokes": [[[1, 2], [3]]]}')
    place = ["--source", str(source), "--out", str(tmp_path / "a.h5")]
    with pytest.raises(
        SystemExit, match=r"^data_prep.own_strokes: .*07.json, drawing 1, stroke 1.*with --skip"
    ) as error:
        main(place)
    assert "\n" not in str(error.value) and not (tmp_path / "a.h5").exists()
    main([*place, "--skip"])
    store = Store(tmp_path / "a.h5")
    assert len(store) == 19 and store.attributes["left_out"] == 1


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "pen strokes, .json or .csv, in .*found no file that can be used"),
        (["a.json"], "drawings for each of train, valid, test, found 1 in all, none for valid"),
        (["a.json", "b.csv"], "text of all drawings or of none, found one of a.json and none of b"),
    ],
)
def test_a_folder_that_makes_no_store(tmp_path: Path, names: list[str], message: str) -> None:
    (tmp_path / "mine").mkdir()
    for name in names:
        csv = "stroke,x,y\n1,0,0\n1,4,-3\n"
        content = csv if name.endswith("csv") else json.dumps(drawing(1))
        (tmp_path / "mine" / name).write_text(content)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        prepare(tmp_path / "mine", tmp_path / "a.h5")
    assert not (tmp_path / "a.h5").exists()


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--split", "80,10", "three shares that sum to 100"),
        ("--split", "80,30,-10", "three shares that sum to 100"),
        ("--split", "80,10,20", "three shares that sum to 100"),
        ("--split", "a,b,c", "three shares that sum to 100"),
        ("--resolution", "0", "a number above 0, found '0'"),
        ("--resolution", "nan", "a number above 0, found 'nan'"),
        ("--y-axis", "left", "invalid choice"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    option: str, value: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([option, value])
    assert message in capsys.readouterr().err
