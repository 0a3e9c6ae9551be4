"""Lines of a whiteboard in their owner's layout: lists, transcriptions, strokes."""

from pathlib import Path

import numpy as np
import pytest

from data_prep.iam_ondb import main, prepare
from seqmdn.data import SPLITS, Store, file_sha256
from tests.data_prep.test_whiteboard import session

LISTS = {
    "trainset.txt": ["a01-000u", "a01-000x"],
    "testset_v.txt": ["b02-045z"],
    "testset_t.txt": ["c03-003"],
    "testset_f.txt": ["d04-111w"],
}
TEXTS = ["A move to stop", 'Mr. Gaitskell: "no"', "from (nominating)"]

Line = list[list[tuple[int, int]]]


def pen(form: str, number: int) -> Line:
    rng = np.random.default_rng([*form.encode(), number])
    x, y = rng.integers(500, 6000, 2)
    walks = [rng.integers(-90, 91, (length, 2)).cumsum(0) for length in (6, 1, 4)]
    return [[(int(x + a), int(y + b)) for a, b in walk] for walk in walks]


def place(source: Path, form: str, number: int) -> Path:
    return source / "lineStrokes" / form[:3] / form[:7] / f"{form}-{number:02}.xml"


def words(source: Path, form: str) -> Path:
    return source / "ascii" / form[:3] / form[:7] / f"{form}.txt"


def write_tree(folder: Path) -> Path:
    """A small tree in the owner's layout."""
    for name, forms in LISTS.items():
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("".join(f"  {form}\n" for form in forms) + "\n")
        for form in forms:
            for number in range(1, 4):
                path = place(folder, form, number)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(session(pen(form, number)))
            path = words(folder, form)
            path.parent.mkdir(parents=True, exist_ok=True)
            corrected = "\n".join(f"{text} {form}" for text in TEXTS)
            path.write_text(f"OCR:\n\nA MOVE\n\nMR\n\nCSR:\n\n{corrected}\n\n")
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "raw")


def test_lines_lists_and_transcriptions(source: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        main(["--source", str(source), "--out", str(tmp_path / f"{name}.h5")])
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    store = Store(tmp_path / "a.h5")
    assert [len(store.indices(split)) for split in SPLITS] == [6, 3, 3]
    forms = [*LISTS["trainset.txt"], *LISTS["testset_v.txt"], *LISTS["testset_f.txt"]]
    for index in range(12):
        form, number = forms[index // 3], index % 3
        assert store.text(index) == f"{TEXTS[number]} {form}"
        values, _ = store.read(index)
        points = np.concatenate(pen(form, number + 1))
        assert len(values) == len(points) - 1, "the first point is no frame"
        np.testing.assert_array_equal(values[:, :2], np.diff(points, axis=0))
        np.testing.assert_array_equal(np.flatnonzero(values[:, 2]), [4, 5, 9])
    expected = {"kind": "strokes", "sequence": "line", "y_axis": "down", "step": "pen point"}
    expected |= {"text_is": "transcription", "resolution": 1.0, "left_out": 0, "largest": 2000.0}
    assert {key: store.attributes[key] for key in expected} == expected
    training = "".join(str(store.text(index)) for index in range(6))
    assert store.attributes["alphabet"] == "".join(sorted(set(training)))
    assert "w" not in store.attributes["alphabet"] and '"' in store.attributes["alphabet"]
    assert store.attributes["source"][0] == {
        "file": "trainset.txt",
        "sha256": file_sha256(source / "trainset.txt"),
    }


def test_lists_are_options(source: Path, tmp_path: Path) -> None:
    out = ["--source", str(source), "--out", str(tmp_path / "a.h5")]
    graves = "--train trainset.txt testset_t.txt testset_f.txt --valid testset_v.txt --test"
    main([*out, *graves.split()])
    store = Store(tmp_path / "a.h5")
    assert [len(store.indices(split)) for split in SPLITS] == [12, 3, 0]
    assert graves in store.attributes["command"]


def test_what_is_left_out_is_named(source: Path, tmp_path: Path) -> None:
    far: Line = [[(0, 0), (5, 5)], [(10, 400), (11, 401)]]
    place(source, "a01-000u", 1).write_text(session(far))
    place(source, "a01-000u", 2).write_text(session([[(0, 0)], [(3, 3)]]))
    place(source, "a01-000u", 3).write_text(session([[(0, 0)]]))
    turned = place(source, "a01-000x", 1)
    turned.write_text(turned.read_text().replace("top_left", "bottom_right"))
    words(source, "a01-000x").write_text("CSR:\n\nfirst\n\nthird\n")
    extra = place(source, "b02-045z", 9)
    extra.write_text(session(pen("b02-045z", 9)))
    words(source, "d04-111w").write_text("OCR:\n\nA MOVE\n")
    (source / "testset_t.txt").write_text("e05-001z\n")
    said = prepare(source, tmp_path / "a.h5", test=["testset_f.txt", "testset_t.txt"], largest=390)[
        0
    ].split("\n")
    assert said == [
        "10 lines left out",
        "  a01-000u-01: an offset of 395 units",
        "  a01-000u-02: fewer than 3 points",
        "  a01-000u-03: fewer than 3 points",
        "  a01-000x-01: a sensor at the corner bottom_right",
        "  a01-000x-02: no transcription",
        "  b02-045z-09: no transcription",
        "  d04-111w-01: no transcription",
        "  d04-111w-02: no transcription",
        "  d04-111w-03: no transcription",
        "  e05-001z: no lines in lineStrokes/e05/e05-001",
    ]
    store = Store(tmp_path / "a.h5")
    assert len(store) == 4 and store.attributes["left_out"] == 10
    assert store.text(0) == "third"


def test_points_off_a_grid_have_no_resolution(source: Path, tmp_path: Path) -> None:
    path = place(source, "a01-000u", 1)
    path.write_text(session([[(0.5, 1), (2, 1), (3, 3)]]))
    prepare(source, tmp_path / "a.h5")
    assert "resolution" not in Store(tmp_path / "a.h5").attributes


def test_another_source_is_one_line(source: Path, tmp_path: Path) -> None:
    def refused(message: str) -> None:
        with pytest.raises(SystemExit, match=f"^data_prep.iam_ondb: .*{message}") as error:
            main(["--source", str(source), "--out", str(tmp_path / "a.h5")])
        assert "\n" not in str(error.value) and not (tmp_path / "a.h5").exists()

    path = place(source, "a01-000x", 2)
    whole = path.read_text()
    path.write_text(whole[:-60])
    refused(r"a01-000x-02.xml, line \d+: expected XML")
    path.write_text('<!DOCTYPE a [<!ENTITY b "b">]>' + whole)
    refused("a01-000x-02.xml, line 1: expected no document type")
    path.write_text(whole)
    for content, message in (
        ("a01-000u\n\na01-000u\n", "trainset.txt, line 3: .*once, found 'a01-000u'"),
        ("d04-111w\n", "testset_f.txt, line 1: .*found 'd04-111w'"),
        ("../../etc\n", "trainset.txt, line 1: expected a form"),
        ("z09-999z\n", "found none that can be used|for training"),
    ):
        (source / "trainset.txt").write_text(content)
        if "z09" in content:
            (source / "testset_v.txt").write_text("")
            (source / "testset_f.txt").write_text("")
        refused(message)
    (source / "trainset.txt").write_text("")
    refused("expected forms in the lists, found none")
    (source / "trainset.txt").unlink()
    refused("trainset.txt, found no such file: register")
