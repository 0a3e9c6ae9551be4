"""Stores that lie elsewhere, or would take more than their file has."""

import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from seqmdn.data import Store, StoreWriter, hdf5, store
from seqmdn.data.hdf5 import check_heaps
from tests.small import write_store

Attack = Callable[[h5py.File, Path], None]


def replace(file: h5py.File, name: str, **options: object) -> h5py.Dataset:
    del file[name]
    return file.create_dataset(name, **options)


def declared(file: h5py.File, folder: Path) -> None:
    replace(file, "values", shape=(10**12, 2), dtype=np.float32, chunks=(1024, 2))


def declared_offsets(file: h5py.File, folder: Path) -> None:
    replace(file, "offsets", shape=(10**12,), dtype=np.int64, chunks=(1024,))


def unpacked(file: h5py.File, folder: Path) -> None:
    splits = replace(
        file, "split", shape=(2**27,), dtype=np.int8, chunks=(2**20,), compression="gzip"
    )
    splits[0] = 1


def one_chunk(file: h5py.File, folder: Path) -> None:
    replace(file, "values", shape=(2**27, 2), dtype=np.float32, chunks=(2**26, 2))


def elsewhere(file: h5py.File, folder: Path) -> None:
    shutil.copy(file.filename, folder / "other.h5")
    del file["values"]
    file["values"] = h5py.ExternalLink("other.h5", "/values")


def by_name(file: h5py.File, folder: Path) -> None:
    file.move("values", "hidden")
    file["values"] = h5py.SoftLink("/hidden")


def raw_bytes(file: h5py.File, folder: Path) -> None:
    shape = file["values"].shape
    (folder / "secret").write_bytes(bytes(4 * shape[0] * shape[1]))
    external = [(str(folder / "secret"), 0, h5py.h5f.UNLIMITED)]
    replace(file, "values", shape=shape, dtype=np.float32, external=external)


def filtered(file: h5py.File, folder: Path) -> None:
    values = file["values"][:]
    replace(file, "values", data=values, chunks=True, scaleoffset=3)


def viewed_offsets(file: h5py.File, folder: Path) -> None:
    layout = h5py.VirtualLayout(file["offsets"].shape, np.int64)
    layout[:] = h5py.VirtualSource(file["offsets"])
    file.move("offsets", "hidden")
    file.create_virtual_dataset("offsets", layout)


def of_lists(file: h5py.File, folder: Path) -> None:
    kind = h5py.h5t.py_create(h5py.vlen_dtype(np.int32), logical=True)
    h5py.h5a.create(file.id, b"extra", kind, h5py.h5s.create(h5py.h5s.SCALAR))


def of_pairs(file: h5py.File, folder: Path) -> None:
    file.attrs["extra"] = np.zeros(2, [("a", "f4"), ("b", "i4")])


def of_references(file: h5py.File, folder: Path) -> None:
    file.attrs["extra"] = file["values"].ref


def view_of(path: str) -> Attack:
    def view(file: h5py.File, folder: Path) -> None:
        shape = file["values"].shape
        layout = h5py.VirtualLayout(shape, np.float32)
        layout[:] = h5py.VirtualSource(path, "values", shape)
        del file["values"]
        file.create_virtual_dataset("values", layout, fillvalue=np.nan)

    return view


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        (declared, "expected 'values' of 8000000000000 bytes"),
        (declared_offsets, "expected 'offsets' of 8000000000000 bytes"),
        (unpacked, "expected 'split' of 134217728 bytes"),
        (one_chunk, "536870912 of them in a chunk"),
        (elsewhere, "found a link to elsewhere"),
        (by_name, "found a link to elsewhere"),
        (raw_bytes, "found a link to elsewhere"),
        (filtered, "found filters of the numbers"),
        (viewed_offsets, "expected 'offsets' in it, found a view of others"),
        (of_lists, "expected the attribute 'extra' to be numbers or text"),
        (of_pairs, "expected the attribute 'extra' to be numbers or text"),
        (of_references, "expected the attribute 'extra' to be numbers or text"),
        (view_of("/etc/passwd"), "expected to show files of its own folder, found /etc/passwd"),
        (view_of("../walks.h5"), r"expected to show files of its own folder, found \.\./walks"),
        (view_of("gone.h5"), "expected the file that it shows at"),
    ],
)
def test_a_hostile_store_is_refused(tmp_path: Path, attack: Attack, words: str) -> None:
    path = write_store(tmp_path / "a" / "walks.h5")
    with h5py.File(path, "r+") as file:
        attack(file, path.parent)
    with pytest.raises(ValueError, match=words) as caught:
        Store(path)
    assert str(caught.value).startswith(str(path))


def test_a_view_of_what_is_no_store_shows_nothing(tmp_path: Path) -> None:
    path = write_store(tmp_path / "walks.h5")
    (tmp_path / "other.h5").write_text("root:x:0:0:root\n" * 100)
    with h5py.File(path, "r+") as file:
        view_of("other.h5")(file, tmp_path)
    with Store(path) as store, pytest.raises(ValueError, match=r"walks\.h5: expected to read"):
        store.read(0)


def test_zeros_that_pack_as_well_as_anything_are_no_attack(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "a.h5", ["x"], "zeros", "m") as writer:
        for split in ("train", "valid", "test"):
            writer.append(np.zeros((2**23, 1)), split)
    assert (tmp_path / "a.h5").stat().st_size < 2**18
    with Store(tmp_path / "a.h5") as store:
        assert store.frames == 3 * 2**23 and not store.read(1, 5, 9)[0].any()


def test_a_text_that_is_none_is_refused(tmp_path: Path) -> None:
    path = write_store(tmp_path / "walks.h5")
    with h5py.File(path, "r+") as file:
        count = len(file["split"])
        file.create_dataset("text", data=[b"\xff\xfe"] * count, dtype=h5py.string_dtype())
    with Store(path) as store, pytest.raises(ValueError, match=r"walks\.h5: expected to read the"):
        store.text(0)


def with_object(path: Path, number: int, length: int) -> int:
    """Gives the first object of a file's first heap another number and length; says where it is."""
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL\x01")
    content[heap + 5 : heap + 8] = b"abc"  # which nobody looks at
    struct.pack_into("<H6xQ", content, heap + 16, number, length)
    path.write_bytes(content)
    return heap


@pytest.mark.parametrize("block", [9, 100, 2**17])
@pytest.mark.parametrize(
    ("number", "length"),
    [(0, 0), (1, 2**64 - 16), (1, 2**64 - 8)],
    ids=["stays", "turns to zero", "goes round"],
)
def test_a_heap_without_an_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, length: int, block: int
) -> None:
    monkeypatch.setattr(hdf5, "_BLOCK", block)
    path = write_store(tmp_path / "walks.h5")
    place = with_object(path, number, length)
    # HDF5 would stay in the heap, were it asked.
    monkeypatch.setattr(store, "read_attributes", lambda *_: pytest.fail("read it"))
    with pytest.raises(ValueError, match=rf"walks\.h5: the heap of texts at byte {place} is damag"):
        Store(path)


@pytest.mark.parametrize(("number", "length"), [(1, 10**6), (0, 10**6), (1, 2**63)])
def test_a_heap_that_goes_too_far_has_an_end(tmp_path: Path, number: int, length: int) -> None:
    path = write_store(tmp_path / "walks.h5")
    with_object(path, number, length)
    with pytest.raises(ValueError, match=r"walks\.h5"):  # HDF5 sees that itself
        Store(path)


def test_numbers_that_look_like_a_heap_are_none(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "a.h5", ["x", "y"], "heap", "m") as writer:
        for split in ("train", "valid", "test"):
            writer.append(np.frombuffer(b"GCOL\x01xxx" * 9, np.float32).reshape(-1, 2), split)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        replace(file, "values", data=file["values"][:])  # as they are, unpacked
    assert (tmp_path / "a.h5").read_bytes().count(b"GCOL\x01xxx") == 27
    with Store(tmp_path / "a.h5") as opened:
        assert opened.frames == 27


def test_numbers_of_other_sizes_are_refused(tmp_path: Path) -> None:
    properties = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    properties.set_sizes(8, 4)
    name = tmp_path / "a.h5"
    h5py.h5f.create(bytes(name), fcpl=properties).close()
    with h5py.File(name) as file, pytest.raises(ValueError, match=r"of 8 bytes, found \(8, 4\)"):
        check_heaps(name, file)


def test_many_long_texts_have_heaps_with_ends(tmp_path: Path) -> None:
    path = write_store(tmp_path / "walks.h5", features=300)
    with h5py.File(path, "r+") as file:
        texts = ["é" * length for length in range(1, 2 * len(file["split"]), 2)]
        file.create_dataset("text", data=texts, dtype=h5py.string_dtype())
    assert path.read_bytes().count(b"GCOL") > 2
    with Store(path) as opened:
        assert len(opened.names) == 300 and opened.text(39) == texts[39]


def test_a_file_whose_sum_is_known_is_not_searched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_store(tmp_path / "walks.h5")
    searched: list[Path] = []
    monkeypatch.setattr(store, "check_heaps", lambda path, _: searched.append(path))
    Store(path)
    assert searched == [path]
    monkeypatch.setattr(store, "is_kept", lambda _: True)
    Store(path)
    assert searched == [path]
