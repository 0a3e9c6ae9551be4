"""Writing a store: what is written is what is documented, whole or not at all."""

import hashlib
import json
import multiprocessing
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqmdn.data import Store, StoreWriter, file_sha256
from tests.data.walk import SOURCE, one_line, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "walk.h5")


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(2, 60), min_size=1, max_size=8), st.sampled_from([1, 7, 3750, 3751]))
def test_any_lengths_over_any_chunks(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], features: int
) -> None:
    path = tmp_path_factory.mktemp("any") / "any.h5"
    names = [f"feature {feature}" for feature in range(features)]
    with StoreWriter(path, names, "any", "none") as writer:
        for index, length in enumerate(lengths):
            writer.append(np.full((length, features), index), "train")
    with Store(path) as store:
        assert store.lengths.tolist() == lengths and store.names == names
        for index, length in enumerate(lengths):
            expected = np.full((length, features), index, np.float32)
            np.testing.assert_array_equal(store.read(index)[0], expected)


def test_attributes_say_where_the_data_come_from(path: Path) -> None:
    attributes = Store(path).attributes
    np.testing.assert_array_equal(attributes.pop("mean"), [0.5, 1.5])
    assert attributes == {
        "format": "seqmdn",
        "version": 1,
        "name": "walk",
        "unit": "metre",
        "features": ["x", "y"],
        "context": ["wind"],
        "step": "frame",
        "sample_rate": 100.0,
        "source": SOURCE,
        "licence": "CC0",
        "command": "python -m walk",
        "kind": "series",
        "height": 3,
        "closed": True,
    }


def test_the_layout_is_the_documented_one(path: Path) -> None:
    with h5py.File(path) as file:
        assert sorted(file) == ["context", "offsets", "split", "text", "values"]
        for name, features in (("values", 2), ("context", 1)):
            dataset = file[name]
            assert dataset.dtype == np.float32 and dataset.shape == (17, features)
            assert dataset.compression == "gzip" and dataset.shuffle and dataset.chunks is not None
        assert file["offsets"].dtype == np.int64 and file["offsets"][:].tolist() == [
            0,
            5,
            7,
            14,
            17,
        ]
        assert file["split"].dtype == np.int8
        assert h5py.check_string_dtype(file["text"].dtype).encoding == "utf-8"
        assert json.loads(file.attrs["source"]) == SOURCE


def test_context_and_text_are_optional(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "a.h5", ["x"], name="a", unit="m") as writer:
        writer.append([[1], [2]], "test")
    store = Store(tmp_path / "a.h5")
    assert store.read(0)[1] is None and store.text(0) is None
    assert store.context_features == 0 and store.context_names == []
    assert store.indices("train").tolist() == []


def test_the_same_data_give_the_same_file(path: Path, tmp_path: Path) -> None:
    again = write(tmp_path / "elsewhere" / "other.h5")
    assert again.read_bytes() == path.read_bytes()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert Store(path).sha256 == Store(again).sha256 == file_sha256(path) == digest


@pytest.mark.parametrize("features", [12_288, 20_000])
def test_frames_of_pixels_have_names_too(tmp_path: Path, features: int) -> None:
    names = [f"red {number}" for number in range(features)]
    values = np.arange(3 * features).reshape(3, features) % 256
    for path in (tmp_path / "a.h5", tmp_path / "b.h5"):
        with StoreWriter(path, names, "pixels", "pixel level", ["c"]) as writer:
            writer.append(values, "train", context=[[0], [1], [2]])
    with Store(tmp_path / "a.h5") as store:
        assert store.names == names
        np.testing.assert_array_equal(store.read(0, 1)[0], values[1:])
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["values"].chunks == (1, features)


@pytest.mark.parametrize(("features", "version"), [(3750, 0), (3751, 2)])
def test_only_files_of_many_names_are_of_a_newer_kind(
    tmp_path: Path, features: int, version: int
) -> None:
    with StoreWriter(tmp_path / "a.h5", list(map(str, range(features))), "a", "m") as writer:
        writer.append(np.zeros((2, features)), "train")
    with h5py.File(tmp_path / "a.h5") as file:
        assert file.id.get_create_plist().get_version()[0] == version


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"values": [[0, 1], [np.nan, 2]]}, "sequence 1: expected finite.*nan at frame 1.*'x'"),
        ({"values": [[0, 1], [3, 4], [2, np.inf]]}, "sequence 1: .*inf at frame 2, feature 'y'"),
        ({"values": [[0, 1], [1e300, 2]]}, "sequence 1: expected finite float32.*inf at frame 1"),
        ({"values": np.empty((0, 2))}, "sequence 1: expected at least 1 frame, found none"),
        ({"values": [[0], [1]]}, r"shape \(frames, 2\) for x, y, found int64 of shape \(2, 1\)"),
        ({"values": [0, 1]}, r"found int64 of shape \(2,\)"),
        ({"values": [["a", "b"]] * 2}, r"expected numbers .*found <U1"),
        ({"values": [[1j, 1]] * 2}, r"expected numbers .*found complex128"),
        ({"context": [[0]]}, "a row for each of 2 frames, found 1"),
        ({"context": [[0], [np.nan]]}, "context of sequence 1: .*nan at frame 1, feature 'wind'"),
        ({"context": [[0, 1], [1, 2]]}, r"context of sequence 1: .*\(frames, 1\) for wind"),
        ({"context": None}, r"expected a context \['wind'\], found none"),
        ({"text": None}, "expected a text as in the sequences before it, found None"),
        ({"split": "dev"}, "expected a split of train, valid, test, found 'dev'"),
        ({"split": 0}, "expected a split of train, valid, test, found 0"),
    ],
)
def test_the_writer_refuses(tmp_path: Path, call: dict, message: str) -> None:
    good = {"values": [[0, 1], [2, 3]], "split": "train", "context": [[0], [1]], "text": "a"}
    with (
        pytest.raises(ValueError, match=message) as error,
        StoreWriter(tmp_path / "a.h5", ["x", "y"], "a", "m", context=["wind"]) as writer,
    ):
        writer.append(**good)
        writer.append(**{**good, **call})
    one_line(error)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": []}, "features to be 1 names or more, found 0"),
        ({"features": ["x", "x"]}, "twice"),
        ({"features": ["x", ""]}, "empty"),
        ({"context": ["w", "w"]}, "context to be names"),
        ({"name": ""}, "a name and a unit"),
        ({"unit": ""}, "a name and a unit"),
        ({"attributes": {"unit": "foot"}}, "attribute 'unit': expected another name"),
        ({"attributes": {"features": 3}}, "attribute 'features': expected another name"),
        ({"attributes": {"a": None}}, "attribute 'a': expected a string, a number or an array"),
        ({"attributes": {"a": {"b": 1}}}, "attribute 'a': expected a string"),
        ({"attributes": {"a": ["b", "c"]}}, "attribute 'a': expected a string"),
        ({"attributes": {"a": np.zeros(10_000)}}, "at most 60000 bytes, found 80000"),
        ({"source": [{"file": "a"}]}, "source.*'file' and 'sha256'"),
    ],
)
def test_the_writer_refuses_to_begin(tmp_path: Path, options: dict, message: str) -> None:
    arguments: dict = {"features": ["x"], "name": "a", "unit": "m", **options}
    with pytest.raises(ValueError, match=message) as error:
        StoreWriter(tmp_path / "a.h5", **arguments)
    one_line(error)
    assert list(tmp_path.iterdir()) == []


def test_no_sequences_are_no_store(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="at least one sequence, found none"),
        StoreWriter(tmp_path / "a.h5", ["x"], "a", "m"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_only_the_with_block_writes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside its with block"):
        StoreWriter(tmp_path / "a.h5", ["x"], "a", "m").append([[0], [1]], "train")


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, ZeroDivisionError])
@pytest.mark.parametrize("existing", [True, False])
def test_what_interrupts_the_writer_leaves_what_was_there(
    tmp_path: Path, interrupt: type[BaseException], existing: bool
) -> None:
    path = tmp_path / "walk.h5"
    before = write(path).read_bytes() if existing else None
    with pytest.raises(interrupt), StoreWriter(path, ["x"], "a", "m") as writer:
        writer.append(np.ones((100_000, 1)), "train")
        assert (path.read_bytes() if path.exists() else None) == before
        hidden = [found for found in tmp_path.iterdir() if found != path]
        assert len(hidden) == 1 and hidden[0].name.startswith(".")
        raise interrupt
    assert list(tmp_path.iterdir()) == ([path] if existing else [])
    assert (path.read_bytes() if path.exists() else None) == before


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_failure_at_the_end_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    where = "seqmdn.data.writer.os.fsync" if moment == "fsync" else "pathlib.Path.replace"
    monkeypatch.setattr(where, fail)
    with pytest.raises(OSError, match="no space left"):
        write(tmp_path / "walk.h5")
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def _write_and_hang(path: Path, ready: object) -> None:
    with StoreWriter(path, ["x"], "a", "m") as writer:
        writer.append(np.ones((100_000, 1)), "train")
        ready.set()
        multiprocessing.Event().wait()


def test_a_killed_writer_leaves_no_half_file(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    process = context.Process(target=_write_and_hang, args=(tmp_path / "a.h5", ready))
    process.start()
    assert ready.wait(30)
    process.kill()
    process.join()
    assert [found.name[0] for found in tmp_path.iterdir()] == ["."]
    with pytest.raises(FileNotFoundError):
        Store(tmp_path / "a.h5")


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with StoreWriter(path, ["x"], "first", "m") as first:
        first.append([[0], [1]], "train")
        with StoreWriter(path, ["x"], "second", "m") as second:
            second.append([[2], [3]], "train")
        assert Store(path).name == "second"
    assert Store(path).name == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_attributes_can_be_added_until_the_end(tmp_path: Path) -> None:
    writer = StoreWriter(tmp_path / "a.h5", ["x"], "a", "m", attributes={"kept": 1})
    with pytest.raises(ValueError, match="add_attributes expected .* inside the writer's with"):
        writer.add_attributes({"left": 1})
    with writer:
        writer.append([[0], [1]], "train")
        writer.add_attributes({"left": 3, "rates": [8000, 16000]})
        for name in ("kept", "left", "unit", "features"):
            with pytest.raises(ValueError, match=f"attribute '{name}': expected another name"):
                writer.add_attributes({name: 2})
    attributes = Store(tmp_path / "a.h5").attributes
    assert attributes["left"] == 3 and attributes["rates"].tolist() == [8000, 16000]
