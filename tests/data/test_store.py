"""Reading a store: windows, lengths, handles, damaged frames."""

import multiprocessing
import pickle
import shutil
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest

from seqmdn.data import SPLITS, Store, StoreWriter
from tests.data.walk import LENGTHS, frames, one_line, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "walk.h5")


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
    _, size, searched = dataset.id.get_access_plist().get_chunk_cache()
    assert size == 64 * 2**20 and searched == 0


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


def test_a_store_that_is_open_in_another_way_is_not_called_damaged(path: Path) -> None:
    with (
        h5py.File(path, "r", locking=True),
        pytest.raises(ValueError, match="is open in this process already, in another") as error,
    ):
        Store(path)
    assert "truncated" not in str(error.value)
    with h5py.File(path, "r", locking=False), Store(path) as store:
        assert len(store) == 4


def test_repr_says_what_it_is(path: Path) -> None:
    assert repr(Store(path)) == (
        f"Store({path}: walk, 2/1/1 sequences (train/valid/test), "
        "17 frames of 2 features and 1 of context, in metre)"
    )
