"""Drawings of the game: both forms that its owner ships, and the way from one to the other."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_prep.quickdraw import ARCHIVE, main, prepare, simplified
from seqmdn.data import SPLITS, Store, file_sha256, simplify


def strokes(number: int) -> list[list[list[float]]]:
    """Two curves and a dot, as x, y and t, on a screen of some size."""
    rng = np.random.default_rng(number)
    found = []
    for length in (30, 12, 1):
        walk = 40 + rng.normal(0, 9, (length, 2)).cumsum(0)
        found.append([*walk.T.round(3).tolist(), list(range(length))])
    return found


def line(number: int, word: str = "cat", **changes: Any) -> str:
    content = {"word": word, "countrycode": "CH", "timestamp": "2017-03-13 22:12:44.57173 UTC"}
    content |= {"recognized": number % 4 != 0, "key_id": f"6{number:015}"}
    return json.dumps({**content, "drawing": strokes(number), **changes})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of two categories."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for word, numbers in (("cat", range(40)), ("hot dog", range(40, 60))):
        lines = [line(number, word) for number in numbers]
        (folder / f"{word}.ndjson").write_text("\n".join(lines) + "\n")
    return folder


def points_of(store: Store, index: int) -> list[np.ndarray]:
    values, _ = store.read(index)
    points = values[:, :2].cumsum(0)
    return np.split(points - points.min(axis=0), np.flatnonzero(values[:, 2])[:-1] + 1)


def test_raw_drawings_get_the_owners_simplified_form(source: Path, tmp_path: Path) -> None:
    prepare(source, tmp_path / "a.h5")
    store = Store(tmp_path / "a.h5")
    assert len(store) == 60 and store.unit == "canvas unit"
    for index in range(60):
        found = np.concatenate(points_of(store, index))
        assert (found == np.rint(found)).all()
        # Thinning may take a side's furthest point, by the tolerance and the spacing at most.
        assert 250 <= found.max() <= 255, "the longer side is 255"
    recorded = [np.array(each[:2]).T for each in strokes(7)]
    for kept, raw in zip(points_of(store, 7), recorded, strict=True):
        corner = np.concatenate(recorded).min(axis=0)
        scale = 255 / np.ptp(np.concatenate(recorded), axis=0).max()
        scaled = (raw - corner) * scale
        np.testing.assert_array_equal(kept[[0, -1]], np.rint(scaled[[0, -1]]))
        assert len(kept) <= len(raw) * 2
        # Every recorded point is near the line: the tolerance, 1 unit of spacing and of rounding.
        ways = [np.linspace(a, b, 200) for a, b in zip(kept, kept[1:], strict=False)]
        way = np.concatenate([*ways, kept])
        assert np.hypot(*(scaled[:, None] - way[None]).T).min(axis=0).max() < 4


def test_a_line_of_many_points_becomes_two(tmp_path: Path) -> None:
    x = np.linspace(3, 900, 400)
    noise = 0.5 * np.sin(np.arange(400))
    (kept,) = simplified([np.stack([x, noise], axis=1)])
    assert kept.tolist() == [[0, 0], [255, 0]]
    dot, *_ = simplified([np.array([[4.0, 4.0]]), np.array([[4.0, 4.0], [4.0, 4.0]])])
    assert dot.tolist() == [[0, 0]]


def test_points_are_one_unit_apart_before_they_are_thinned() -> None:
    walk = np.random.default_rng(0).normal(0, 9, (40, 2)).cumsum(0)
    scaled = (walk - walk.min(axis=0)) * 255 / np.ptp(walk, axis=0).max()
    lengths = np.hypot(*np.diff(scaled, axis=0).T)
    even, left = [scaled[0]], 1.0  # left: of the way to the next point
    for start, end, length in zip(scaled, scaled[1:], lengths, strict=False):
        gone = left
        while gone < length:
            even.append(start + (end - start) * gone / length)
            gone += 1.0
        left = gone - length
    expected = np.rint(simplify(np.array([*even, scaled[-1]]), 2.0))
    (found,) = simplified([walk])
    np.testing.assert_array_equal(found, expected)
    assert not np.array_equal(found, np.rint(simplify(scaled, 2.0)))


def test_recorded_points_in_whole_pixels(source: Path, tmp_path: Path) -> None:
    said = prepare(source, tmp_path / "a.h5", raw=True)
    store = Store(tmp_path / "a.h5")
    assert store.unit == "pixel" and store.attributes["command"].count("--raw") == 1
    recorded = [np.rint(np.array(each[:2]).T) for each in strokes(3)]
    corner = np.concatenate(recorded).min(axis=0)
    for kept, raw in zip(points_of(store, 3), recorded, strict=True):
        moved = np.append(True, np.diff(raw, axis=0).any(axis=1))
        np.testing.assert_array_equal(kept, raw[moved] - corner)
    assert store.attributes["repeated_points"] == 60 * 43 - store.frames
    assert said[0].startswith(f"{60 * 43 - store.frames} points repeated")


def test_the_simplified_form_is_taken_as_it_is(tmp_path: Path) -> None:
    drawing = [[[0, 255, 255], [9, 9, 100]], [[75, 75], [69, 69]]]
    path = tmp_path / "cat.ndjson"
    path.write_text("\n".join(line(number, drawing=drawing) for number in range(9)))
    prepare(path, tmp_path / "a.h5")
    values, _ = Store(tmp_path / "a.h5").read(0)
    assert values.tolist() == [[0, 0, 0], [255, 0, 0], [0, 91, 1], [-180, -31, 1]]
    with pytest.raises(ValueError, match="cat.ndjson, line 1: expected a raw drawing.*--raw away"):
        prepare(path, tmp_path / "b.h5", raw=True)


def test_the_archive_gives_what_the_folder_gives(source: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / ARCHIVE, "w") as archive:
        for path in sorted(source.iterdir()):
            archive.write(path, path.name)
    for name, place in (("a", source), ("b", tmp_path), ("c", tmp_path / ARCHIVE)):
        prepare(place, tmp_path / f"{name}.h5")
    folder, packed = Store(tmp_path / "a.h5"), Store(tmp_path / "b.h5")
    assert (tmp_path / "b.h5").read_bytes() == (tmp_path / "c.h5").read_bytes()
    assert [folder.text(i) for i in range(60)] == ["cat"] * 40 + ["hot dog"] * 20
    for index in range(60):
        np.testing.assert_array_equal(folder.read(index)[0], packed.read(index)[0])
    assert packed.attributes["source"] == [
        {"file": ARCHIVE, "sha256": file_sha256(tmp_path / ARCHIVE)}
    ]
    assert [each["file"] for each in folder.attributes["source"]] == [
        "cat.ndjson",
        "hot dog.ndjson",
    ]
    expected = {"kind": "strokes", "sequence": "drawing", "y_axis": "down", "resolution": 1.0}
    expected |= {"text_is": "name", "categories": 2, "left_out": 0}
    assert {key: folder.attributes[key] for key in expected} == expected


def test_a_drawing_keeps_its_split(source: Path, tmp_path: Path) -> None:
    # Whatever else is read; the seed decides.
    prepare(source, tmp_path / "a.h5")
    prepare(source / "hot dog.ndjson", tmp_path / "b.h5")
    prepare(source, tmp_path / "c.h5", seed=1)
    stores = [Store(tmp_path / f"{name}.h5") for name in "abc"]
    assert stores[0].splits[40:].tolist() == stores[1].splits.tolist()
    assert stores[0].splits.tolist() != stores[2].splits.tolist()
    counts = [len(stores[0].indices(split)) for split in SPLITS]
    assert 40 <= counts[0] <= 56 and min(counts) >= 1


def test_what_is_left_out_is_named(source: Path, tmp_path: Path) -> None:
    one = line(70, drawing=[[[5], [5], [0]]])
    still = line(71, drawing=[[[5, 5], [5, 5], [0, 1]]])
    with (source / "cat.ndjson").open("a") as file:
        file.write(f"{one}\n{still}\n")
    said = prepare(source, tmp_path / "a.h5", raw=True)
    assert said[1].split("\n") == [
        "2 drawings left out",
        "  cat/6000000000000070: fewer than 2 points",
        "  cat/6000000000000071: fewer than 2 points",
    ]
    said = prepare(source, tmp_path / "a.h5", raw=True, longest=42)
    assert "/6000000000000000: 43, more than 42 points" in said[1]
    store = Store(tmp_path / "a.h5")
    assert store.attributes["left_out"] == 62 - len(store) and store.lengths.max() <= 42


def test_options_choose_drawings(source: Path, tmp_path: Path) -> None:
    main(["--source", str(source), "--out", str(tmp_path / "a.h5"), "--recognised"])
    assert len(Store(tmp_path / "a.h5")) == 45
    options = ["--most", "5", "--recognised", "--raw"]
    main(["--source", str(source), "--out", str(tmp_path / "b.h5"), *options])
    store = Store(tmp_path / "b.h5")
    assert [store.text(index) for index in range(len(store))] == ["cat"] * 5 + ["hot dog"] * 5
    assert "--raw --recognised --longest 500 --most 5" in store.attributes["command"]


GOOD = strokes(1)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "{",
        "[]",
        "3",
        "[" * 100_000,
        line(1)[:-20],
        line(1, drawing=[]),
        line(1, drawing="[[[1,2],[3,4]]]"),
        line(1, drawing=[[[1, 2], [3]]]),
        line(1, drawing=[[[], []]]),
        line(1, drawing=[[[1, 2]]]),
        line(1, drawing=[*GOOD, GOOD[0][:2]]),
        line(1, drawing=[[[1, 2], [3, "x"], [0, 1]]]),
        line(1, drawing=[[[1, 2], [3, float("nan")], [0, 1]]]),
        line(1, drawing=[[[1, 2], [3, float("inf")], [0, 1]]]),
        line(1, drawing=[[[1, 2], [3, 256]]]),
        line(1, drawing=[[[1, 2], [3, 4.5]]]),
        line(1, drawing=[[[1, 2], [3, -1]]]),
        line(1, word=3),
        line(1, recognized="yes"),
        line(1).replace("key_id", "key"),
    ],
)
def test_a_line_that_is_no_drawing_is_named(source: Path, tmp_path: Path, wrong: str) -> None:
    path = source / "hot dog.ndjson"
    path.write_text(f"{line(0)}\n{wrong}\n{line(2)}\n")
    with pytest.raises(
        SystemExit, match=r"^data_prep.quickdraw: .*hot dog.ndjson, line 2: expected a drawing"
    ) as error:
        main(["--source", str(source), "--out", str(tmp_path / "a.h5")])
    assert "\n" not in str(error.value) and not (tmp_path / "a.h5").exists()


def test_another_source_is_one_line(tmp_path: Path) -> None:
    for name in ("", "none", "a.txt"):
        (tmp_path / "a.txt").write_text("x")
        with pytest.raises(
            (FileNotFoundError, ValueError), match="take those of|whole zip archive"
        ):
            prepare(tmp_path / name, tmp_path / "a.h5")
    (tmp_path / ARCHIVE).write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match="expected a whole zip archive"):
        prepare(tmp_path, tmp_path / "a.h5")


def test_real_drawings_are_all_there(data_root: Path, tmp_path: Path) -> None:
    prepare(data_root / "quickdraw", tmp_path / "a.h5", most=8)
    store = Store(tmp_path / "a.h5")
    assert len(store) == 39 * 8 and store.attributes["categories"] == 39
    for index in range(len(store)):
        points = np.concatenate(points_of(store, index))
        assert 250 <= points.max() <= 255
    assert 35 < store.lengths.mean() < 55, "as many as the owner's own simplified drawings have"
