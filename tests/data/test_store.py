"""The store: what is written is what is read, and nothing else passes for a store."""

import hashlib
import json
import multiprocessing
import pickle
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqmdn.data import SPLITS, Store, StoreWriter, file_sha256

LENGTHS = [5, 2, 7, 3]
SOURCE = [{"file": "raw.csv", "sha256": "0" * 64}]


def frames(index: int, length: int, features: int) -> np.ndarray:
    return np.random.default_rng([index, length, features]).normal(size=(length, features))


def write(path: Path, lengths: list[int] = LENGTHS, **options: object) -> Path:
    arguments: dict = {
        "features": ["x", "y"],
        "name": "walk",
        "unit": "metre",
        "context": ["wind"],
        "sample_rate": 100,
        "source": SOURCE,
        "licence": "CC0",
        "command": "python -m walk",
        "attributes": {"kind": "series", "height": 3, "mean": np.array([0.5, 1.5]), "closed": True},
    }
    with StoreWriter(path, **{**arguments, **options}) as writer:
        for index, length in enumerate(lengths):
            writer.append(
                frames(index, length, 2),
                SPLITS[index % 3],
                context=frames(index, length, 1),
                text=f"walk {index}: öäü ∂",
            )
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "walk.h5")


def one_line(error: pytest.ExceptionInfo) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_is_written_is_what_is_read(path: Path) -> None:
    with Store(path) as store:
        assert len(store) == 4 and store.frames == 17
        assert store.lengths.tolist() == LENGTHS and store.splits.tolist() == [0, 1, 2, 0]
        assert [store.indices(split).tolist() for split in SPLITS] == [[0, 3], [1], [2]]
        assert (store.features, store.names) == (2, ["x", "y"])
        assert (store.context_features, store.context_names) == (1, ["wind"])
        assert (store.name, store.unit) == ("walk", "metre")
        for index, length in enumerate(LENGTHS):
            values, context = store.read(index)
            assert values.dtype == np.float32 and context is not None
            np.testing.assert_array_equal(values, frames(index, length, 2).astype(np.float32))
            np.testing.assert_array_equal(context, frames(index, length, 1).astype(np.float32))
            assert store.text(index) == f"walk {index}: öäü ∂"


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (2, 5), (6, 7), (3, None)])
def test_a_window_is_a_slice_of_the_sequence(path: Path, start: int, stop: int | None) -> None:
    with Store(path) as store:
        values, context = store.read(2, start, stop)
        assert context is not None
        np.testing.assert_array_equal(values, store.read(2)[0][start:stop])
        np.testing.assert_array_equal(context, frames(2, 7, 1).astype(np.float32)[start:stop])


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(2, 60), min_size=1, max_size=8), st.sampled_from([1, 7, 3750]))
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


# Writing.


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"values": [[0, 1], [np.nan, 2]]}, "sequence 1: expected finite.*nan at frame 1.*'x'"),
        ({"values": [[0, 1], [3, 4], [2, np.inf]]}, "sequence 1: .*inf at frame 2, feature 'y'"),
        ({"values": [[0, 1], [1e300, 2]]}, "sequence 1: expected finite float32.*inf at frame 1"),
        ({"values": np.empty((0, 2))}, "sequence 1: expected at least 2 frames, found 0"),
        ({"values": [[0, 1]]}, "sequence 1: expected at least 2 frames, found 1"),
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
        ({"features": []}, "features to be 1 to 3750 names, found 0"),
        ({"features": list(map(str, range(3751)))}, "features to be 1 to 3750 names, found 3751"),
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

    where = "seqmdn.data.store.os.fsync" if moment == "fsync" else "pathlib.Path.replace"
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


# Reading what is no store, or a damaged one.


def test_a_missing_file_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file: write it with .*data_prep") as error:
        Store(tmp_path / "none.h5")
    one_line(error)


@pytest.mark.parametrize("content", [b"", b"x", b"frame,value\n1,2\n" * 100, b"PK\x03\x04" * 300])
def test_another_format_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.h5").write_bytes(content)
    with pytest.raises(ValueError, match="expected a seqmdn store, found no HDF5 file") as error:
        Store(tmp_path / "a.h5")
    one_line(error)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a seqmdn store, found a folder"):
        Store(tmp_path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="found a truncated or damaged one") as error:
        Store(path)
    one_line(error)


def test_every_truncation_is_refused(path: Path) -> None:
    content = path.read_bytes()
    for size in range(0, len(content), 97):
        path.write_bytes(content[:size])
        with pytest.raises(ValueError, match="expected a (seqmdn store|whole HDF5 file), found"):
            Store(path)


def replace(name: str, data: object) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        del file[name]
        if data is not None:
            file[name] = data

    return edit


def attribute(name: str, value: object) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        del file.attrs[name]
        if value is not None:
            file.attrs[name] = value

    return edit


FOREIGN = {
    "foreign": (attribute("format", None), "found an HDF5 file whose attribute 'format' is None"),
    "another": (attribute("format", "keras"), "whose attribute 'format' is 'keras'"),
    "numbered": (attribute("format", [1, 2]), "whose attribute 'format' is array"),
    "newer": (attribute("version", 2), "expected format version 1, found .*2.*prepare"),
    "no version": (attribute("version", None), "expected format version 1, found None"),
    "no name": (attribute("name", None), r"expected an attribute 'name' \(text\), found None"),
    "no unit": (attribute("unit", 3), r"expected an attribute 'unit' \(text\), found 3"),
    "no names": (attribute("features", "x"), r"expected an attribute 'features' \(names\)"),
    "bad source": (attribute("source", "{"), "'source' to be JSON, found '{'"),
    **{
        f"no {name}": (replace(name, None), f"expected a dataset '{name}', found")
        for name in ("values", "offsets", "split", "context")
    },
    "double": (replace("values", np.zeros((17, 2))), "'values' to be float32.*found float64"),
    "flat": (replace("values", np.zeros(17, np.float32)), r"2 dimensions, found .*\(17,\)"),
    "wide": (replace("values", np.zeros((17, 3), np.float32)), r"\(17, 2\).*found \(17, 3\)"),
    "short context": (
        replace("context", np.zeros((16, 1), np.float32)),
        r"'context' of .*\(16, 1\)",
    ),
    "int32": (replace("offsets", np.arange(5, dtype=np.int32)), "'offsets' to be int64"),
    "late": (replace("offsets", np.array([1, 5, 7, 14, 17])), r"from 0 to 17 .* found \[1, 5"),
    "early": (replace("offsets", np.array([0, 5, 7, 14, 16])), "from 0 to 17 .*16"),
    "empty": (replace("offsets", np.array([0, 5, 5, 14, 17])), "from 0 to 17 .*5, 5"),
    "falling": (replace("offsets", np.array([0, 7, 5, 14, 17])), "from 0 to 17 .*7, 5"),
    "none": (replace("offsets", np.array([], np.int64)), r"from 0 to 17 .*\[\]"),
    "many": (replace("offsets", np.arange(18)[::-1].copy()), r"\[17, 16, 15\] \.\.\. \[2, 1, 0\]"),
    "splits": (replace("split", np.zeros(3, np.int8)), r"'split' of shape \(4,\).*found \(3,\)"),
    "split 3": (replace("split", np.array([0, 1, 3, -1], np.int8)), r"found \[-1, 3\]"),
    "texts": (replace("text", ["a"]), r"'text' of shape \(4,\).*found \(1,\)"),
    "numbers": (replace("text", np.zeros(4)), "'text' to be strings.*found float64"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_store_of_another_kind_is_refused(path: Path, name: str) -> None:
    edit, message = FOREIGN[name]
    with h5py.File(path, "r+") as file:
        edit(file)
    with pytest.raises(ValueError, match=message) as error:
        Store(path)
    assert one_line(error).startswith(str(path))


def test_damaged_frames_are_not_read(path: Path) -> None:
    with h5py.File(path) as file:
        chunk = file["values"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="read sequence 2, found its data damaged") as error:
        Store(path).read(2)
    one_line(error)


@pytest.mark.parametrize(("name", "word"), [("values", "sequence 2"), ("context", "context of")])
def test_frames_that_are_not_finite_are_named(path: Path, name: str, word: str) -> None:
    with h5py.File(path, "r+") as file:
        file[name][7 + 4, 0] = np.nan
    store = Store(path)
    assert np.isfinite(store.read(2, 0, 4)[0]).all()
    with pytest.raises(ValueError, match=f"{word}.*nan at frame 4, feature '(x|wind)'") as error:
        store.read(2, 3)
    one_line(error)


@pytest.mark.parametrize(
    ("index", "start", "stop", "message"),
    [
        (4, 0, None, "a sequence from 0 to 3, found 4"),
        (-1, 0, None, "a sequence from 0 to 3, found -1"),
        (1, 0, 3, "within 0 and 2 of sequence 1, found 0 to 3"),
        (1, -1, 1, "within 0 and 2 of sequence 1, found -1 to 1"),
        (1, 1, 1, "within 0 and 2 of sequence 1, found 1 to 1"),
    ],
)
def test_other_sequences_are_never_read(
    path: Path, index: int, start: int, stop: int | None, message: str
) -> None:
    with pytest.raises(IndexError, match=message):
        Store(path).read(index, start, stop)


# Handles.


def test_the_file_is_opened_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(path)
    dataset = store._datasets["values"]
    monkeypatch.setattr(h5py, "File", None)
    for index in range(4):
        store.read(index)
        store.text(index)
    # As long as it stays open it keeps its chunks.
    assert store._datasets["values"] is dataset
    assert dataset.id.get_access_plist().get_chunk_cache()[1] == 64 * 2**20


def test_reading_is_lazy(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "long.h5", list("abcdefgh"), "long", "m") as writer:
        for _ in range(4):
            writer.append(np.zeros((250_000, 8)), "train")
    tracemalloc.start()
    store = Store(tmp_path / "long.h5")
    store.read(3, 100_000, 100_100)
    assert tracemalloc.get_traced_memory()[1] < 2**20  # of 32 MB
    tracemalloc.stop()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_open_the_file_themselves(path: Path, method: str) -> None:
    store = Store(path)
    expected = store.read(2)
    with multiprocessing.get_context(method).Pool(2 if method == "fork" else 1) as pool:
        for values, context in pool.map(store.read, [2] * 20, chunksize=1):
            np.testing.assert_array_equal(values, expected[0])
            np.testing.assert_array_equal(context, expected[1])
    np.testing.assert_array_equal(store.read(2)[0], expected[0])


def _handle_after_fork(store: Store, before: int, queue: object) -> None:
    store.read(0)
    queue.put(id(store._file) != before and store._process == multiprocessing.current_process().pid)


def test_a_fork_does_not_share_the_handle(path: Path) -> None:
    store, context = Store(path), multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    kept = store._file
    process = context.Process(target=_handle_after_fork, args=(store, id(kept), queue))
    process.start()
    assert queue.get()
    process.join()
    assert store._file is kept and bool(kept)
    store.read(0)


def test_a_store_can_be_pickled_open_or_closed(path: Path) -> None:
    store = Store(path)
    copy = pickle.loads(pickle.dumps(store))
    np.testing.assert_array_equal(copy.read(3)[0], store.read(3)[0])
    store.close()
    store.close()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(store)).read(3)[0], store.read(3)[0])


def test_a_file_that_was_replaced_is_not_taken_for_the_first(path: Path, tmp_path: Path) -> None:
    store = Store(path)
    data = pickle.dumps(store)
    write(path, [4, 3])
    with pytest.raises(ValueError, match="another one of its name: start again"):
        pickle.loads(data).read(0)


def test_a_read_only_copy_is_read(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    copy = Path(shutil.copy(path, folder))
    copy.chmod(0o444)
    folder.chmod(0o555)
    assert Store(copy).read(0)[0].shape == (5, 2)
    folder.chmod(0o755)


def test_repr_says_what_it_is(path: Path) -> None:
    assert repr(Store(path)) == (
        f"Store({path}: walk, 2/1/1 sequences (train/valid/test), "
        "17 frames of 2 features and 1 of context, in metre)"
    )
