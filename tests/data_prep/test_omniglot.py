"""The stroke store: pixels, pen lifts and writers of small archives, and those of the real ones."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep.omniglot import ARCHIVES, main, prepare
from seqmdn.data import SPLITS, SequenceDataModule, Store, UniformDequantise, file_sha256
from tests.data_prep.archives import PIXEL, WRITERS, Files, member, pack, pen, write


@pytest.fixture
def files() -> Files:
    """Two archives as the owner packs them; Greek is in both."""
    found: Files = {}
    for archive, alphabets in zip(
        ARCHIVES, (("Latin", "Greek"), ("Greek", "Tagalog")), strict=True
    ):
        stem = archive[:-4]
        content = {f"{stem}/": "", f"{stem}/.DS_Store": "x", f"__MACOSX/{stem}/._01.txt": "x"}
        for alphabet in alphabets:
            for character in (1, 2):
                for writer in range(1, WRITERS + 1):
                    text = write(pen(alphabet, character, writer), PIXEL[alphabet])
                    content[member(archive, alphabet, character, writer)] = text
        found[archive] = content
    return found


def by_name(store: Store) -> dict[str | None, int]:
    return {store.text(index): index for index in range(len(store))}


@pytest.fixture(scope="module")
def real(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    out = tmp_path_factory.mktemp("omniglot") / "omniglot.h5"
    prepare(data_root / "omniglot", out)
    return Store(out)


def test_frames_are_offsets_in_whole_pixels(files: Files, tmp_path: Path) -> None:
    said = prepare(pack(tmp_path / "raw", files), tmp_path / "a.h5")
    assert said[0] == "40 drawings were in both archives, and are taken once"
    store = Store(tmp_path / "a.h5")
    names = by_name(store)
    assert len(store) == len(names) == 120 and store.names == ["dx", "dy", "eos"]
    for alphabet, character, writer in (("Latin", 1, 3), ("Greek", 2, 20), ("Tagalog", 2, 7)):
        values, context = store.read(names[f"{alphabet}/character{character:02}/{writer:02}"])
        strokes = [np.array(stroke) for stroke in pen(alphabet, character, writer)]
        points = np.concatenate(strokes)
        assert context is None and values.dtype == np.float32
        np.testing.assert_array_equal(values[:, :2].cumsum(0), points - points[0])
        np.testing.assert_array_equal(np.flatnonzero(values[:, 2]), [4, 7, 8])
    pixels = dict(
        zip(
            store.attributes["alphabets"].split(", "),
            store.attributes["alphabet_pixel"],
            strict=True,
        )
    )
    assert pixels == pytest.approx(PIXEL, rel=1e-5)


def test_the_store_says_what_it_is(files: Files, tmp_path: Path) -> None:
    source = pack(tmp_path / "raw", files)
    prepare(source, tmp_path / "a.h5", seed=4)
    attributes = Store(tmp_path / "a.h5").attributes
    expected = {"kind": "strokes", "sequence": "drawing", "unit": "pixel", "y_axis": "up"}
    expected |= {"text_is": "name"}
    expected |= {"resolution": 1.0, "doubles": 40, "repeated_points": 0, "left_out": 0, "seed": 4}
    assert {key: attributes[key] for key in expected} == expected
    assert attributes["source"] == [
        {"file": name, "sha256": file_sha256(source / name)} for name in ARCHIVES
    ]
    assert attributes["command"].endswith("--source $SEQMDN_DATA/omniglot --seed 4")
    assert attributes["licence"].startswith("MIT")
    assert str(tmp_path).encode() not in (tmp_path / "a.h5").read_bytes()


def test_writers_of_the_test_write_nothing_else(files: Files, tmp_path: Path) -> None:
    source = pack(tmp_path / "raw", files)
    numbers = {}
    for seed in (0, 1):
        prepare(source, tmp_path / f"{seed}.h5", seed=seed)
        store = Store(tmp_path / f"{seed}.h5")
        of = {
            split: {str(store.text(i)).split("/")[-1] for i in store.indices(split).tolist()}
            for split in SPLITS
        }
        assert [len(of[split]) for split in SPLITS] == [14, 2, 4]
        assert len(set.union(*of.values())) == WRITERS, "no writer is in two splits"
        numbers[seed] = of
    assert numbers[0] != numbers[1]


def test_repeated_points_are_dropped_and_counted(files: Files, tmp_path: Path) -> None:
    # A repetition within a stroke goes; a stroke that begins where another ended stays.
    strokes = [[(0, 0), (0, 0), (1, 0), (1, 0), (1, 0), (0, 0)], [(0, 0), (0, 2)], [(3, 3), (3, 3)]]
    files[ARCHIVES[0]][member(ARCHIVES[0], "Latin", 1, 1)] = write(strokes, 1.0)
    said = prepare(pack(tmp_path / "raw", files), tmp_path / "a.h5")
    store = Store(tmp_path / "a.h5")
    values, _ = store.read(by_name(store)["Latin/character01/01"])
    expected = [[0, 0, 0], [1, 0, 0], [-1, 0, 1], [0, 0, 0], [0, 2, 1], [3, 1, 1]]
    np.testing.assert_array_equal(values, expected)
    assert not np.signbit(values[values == 0]).any()
    assert said[1].startswith("4 points") and store.attributes["repeated_points"] == 4


@pytest.mark.parametrize(
    ("strokes", "why"),
    [
        ([[(5, 5)]], "fewer than 2 points"),
        ([[(5, 5), (5, 5)]], "fewer than 2 points"),
        ([[(0, 0), (400, 0)]], "more than a canvas outside"),
        ([[(0, 0)], [(0, -400)]], "more than a canvas outside"),
    ],
)
def test_what_is_no_drawing_is_left_out_and_named(
    files: Files,
    tmp_path: Path,
    strokes: list[list[tuple[int, int]]],
    why: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files[ARCHIVES[1]][member(ARCHIVES[1], "Tagalog", 2, 9)] = write(strokes, PIXEL["Tagalog"])
    source = pack(tmp_path / "raw", files)
    main(["--source", str(source), "--out", str(tmp_path / "a.h5")])
    said = capsys.readouterr().out
    assert "1 drawings left out\n  Tagalog/character02/09: " in said and why in said
    store = Store(tmp_path / "a.h5")
    assert len(store) == 119 and store.attributes["left_out"] == 1
    assert "Tagalog/character02/09" not in by_name(store)


GOOD = write(pen("Latin", 1, 5), 1.0)
WHERE = member(ARCHIVES[0], "Latin", 1, 5)


def lines(number: int, line: str) -> str:
    """A drawing of which one line is another one."""
    found = GOOD.split("\n")
    found[number - 1] = line
    return "\n".join(found)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lines(3, "1.0;2.0;3"), "line 3: expected finite numbers x,y,t, .*found '1.0;2.0;3'"),
        (lines(3, "1.0,2.0"), "line 3: .*found '1.0,2.0'"),
        (lines(4, "1.0,nan,17"), "line 4: .*found '1.0,nan,17'"),
        (lines(4, "inf,2.0,17"), "line 4: .*found 'inf,2.0,17'"),
        (lines(1, "1.0,2.0,17"), "line 1: expected START, found '1.0,2.0,17'"),
        (lines(2, "BREAK"), "line 2: .*or BREAK after some, found 'BREAK'"),
        (lines(3, ""), "line 3: .*found ''"),
        ("START\n1.0,2.0,0\n", "line 3: expected BREAK .*cut off"),
        ("START\n", "line 2: expected BREAK .*cut off"),
        ("", "line 1: expected START"),
        ("START\n\xff\n", "line 2: .*found"),
        (lines(3, "4.3,-39.27,17"), r"^.*Latin/character01/\d+: .*grid of"),
    ],
)
def test_a_file_that_is_none_is_named_with_its_line(
    files: Files, tmp_path: Path, content: str, message: str
) -> None:
    files[ARCHIVES[0]][WHERE] = content
    source = pack(tmp_path / "raw", files)
    with pytest.raises(SystemExit, match=message) as error:
        main(["--source", str(source), "--out", str(tmp_path / "a.h5")])
    said = str(error.value)
    assert said.startswith("data_prep.omniglot: ") and "\n" not in said
    assert WHERE in said or "grid" in said
    assert not (tmp_path / "a.h5").exists()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s: (s / ARCHIVES[1]).unlink(), "small2.zip, found no such file: take"),
        (lambda s: (s / ARCHIVES[0]).write_bytes(b"PK\x03\x04"), "expected a whole zip archive"),
        (lambda s: pack(s, {ARCHIVES[0]: {"readme.md": ""}}), "0683_01.txt, found none"),
        (lambda s: pack(s, {ARCHIVES[0]: {"a/b.txt": ""}}), "found .*a/b.txt: download"),
        (
            lambda s: pack(s, {ARCHIVES[0]: {member(ARCHIVES[0], "Greek", 1, 1): GOOD}}),
            "small2/Greek/.*: expected the drawing of .*small1/Greek.*found another one",
        ),
    ],
)
def test_another_source_is_one_line(
    files: Files, tmp_path: Path, edit: Callable[[Path], object], message: str
) -> None:
    source = pack(tmp_path / "raw", files)
    edit(source)
    with pytest.raises(SystemExit, match=f"^data_prep.omniglot: .*{message}") as error:
        main(["--source", str(source), "--out", str(tmp_path / "a.h5")])
    assert "\n" not in str(error.value) and not (tmp_path / "a.h5").exists()


def test_the_command_finds_the_folder(
    files: Files,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = pack(tmp_path / "omniglot", files)
    monkeypatch.setenv("SEQMDN_DATA", str(tmp_path))
    main(["--out", str(tmp_path / "a.h5")])
    assert "84/12/24 sequences" in capsys.readouterr().out
    monkeypatch.delenv("SEQMDN_DATA")
    with pytest.raises(SystemExit, match="--source FOLDER .*found neither"):
        main(["--out", str(tmp_path / "b.h5")])
    main(["--source", str(source), "--out", str(tmp_path / "b.h5")])
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_real_drawings_are_all_there(real: Store) -> None:
    assert [len(real.indices(split)) for split in SPLITS] == [3388, 484, 968]
    assert real.frames == 722_053 - 5_547
    kept = {key: real.attributes[key] for key in ("doubles", "repeated_points", "left_out")}
    assert kept == {"doubles": 1000, "repeated_points": 5547, "left_out": 0}
    values = np.concatenate([real.read(index)[0] for index in real.indices("test")])
    assert (values == np.rint(values)).all() and set(np.unique(values[:, 2])) == {0, 1}
    assert np.abs(values[:, :2]).max() < 150
    ends = [real.read(index)[0][-1, 2] for index in real.indices("valid").tolist()]
    assert ends == [1] * len(ends)


def test_a_model_learns_offsets_and_is_given_the_ends(real: Store) -> None:
    module = SequenceDataModule(
        real.path, noise=UniformDequantise(centred=True), given=["eos"], per="sequence"
    )
    module.setup()
    assert (module.features, module.context, module.unit) == (2, 1, "nats/drawing")
    batch = module.sequences("test", real.indices("test")[:3])
    whole = module.whole(batch)
    for row, index in enumerate(real.indices("test")[:3].tolist()):
        stored, _ = real.read(index)
        np.testing.assert_array_equal(whole.values[row, : len(stored)].round(), stored)
