"""Stores as one: what a view shows, what a copy holds, and what either refuses."""

import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from seqmdn.data import Part, Store, StoreWriter, join_parts, link_parts

WIDE = 12_288
Show = Callable[[Path, list[Part], list[str]], None]


def write(
    path: Path, numbers: list[int], width: int = 3, context: tuple[str, ...] = ("c",)
) -> Part:
    """Sequences that say who they are: of 2 frames, 3, 4, ..., their number in every value."""
    with StoreWriter(
        path, [f"pixel {i}" for i in range(width)], "pixels", "level", context, command="one"
    ) as writer:
        for number in numbers:
            values = np.full((number + 2, width), number)
            writer.append(values, "train", context=-values[:, : len(context)] if context else None)
    return Part.read(path)


@pytest.mark.parametrize("width", [3, WIDE])
@pytest.mark.parametrize("show", [link_parts, join_parts])
def test_parts_are_one_store(tmp_path: Path, show: Show, width: int) -> None:
    (tmp_path / "parts").mkdir()
    parts = [
        write(tmp_path / "parts" / "0.h5", [0, 1], width),
        write(tmp_path / "parts" / "1.h5", [2], width),
    ]
    splits = ["train", "valid", "test"]
    show(tmp_path / "all.h5", parts, splits, {"command": "all", "seed": 3})
    with Store(tmp_path / "all.h5") as store:
        assert store.lengths.tolist() == [2, 3, 4] and store.splits.tolist() == [0, 1, 2]
        assert store.names == Store(parts[0].path).names and store.context_names == ["c"]
        assert (store.attributes["command"], store.attributes["seed"]) == ("all", 3)
        for number in range(3):
            values, context = store.read(number)
            assert (values == number).all() and values.dtype == np.float32
            assert context is not None and (context == -number).all()
        assert (store.read(2, 1, 3)[0] == 2).all()


@pytest.mark.parametrize("width", [3, WIDE])
def test_a_copy_is_the_same_however_it_was_cut(tmp_path: Path, width: int) -> None:
    splits = ["train", "valid", "test"]
    whole = [write(tmp_path / "whole.h5", [0, 1, 2], width)]
    single = [write(tmp_path / f"{number}.h5", [number], width) for number in range(3)]
    join_parts(tmp_path / "a.h5", whole, splits)
    join_parts(tmp_path / "b.h5", single, splits)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    for part in single:
        part.path.unlink()
    assert (Store(tmp_path / "b.h5").read(2)[0] == 2).all()


def test_a_view_is_read_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("parts").mkdir()
    link_parts("all.h5", [write(Path("parts/0.h5"), [5])], ["test"])
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert (Store("../all.h5").read(0)[0] == 5).all()
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("all.h5", "parts"):
        (tmp_path / name).rename(moved / name)
    assert (Store(moved / "all.h5").read(0)[0] == 5).all()


def test_a_view_of_what_is_gone_or_damaged_is_refused(tmp_path: Path) -> None:
    parts = [write(tmp_path / f"{number}.h5", [number]) for number in range(2)]
    link_parts(tmp_path / "all.h5", parts, ["train"] * 2)
    content = parts[1].path.read_bytes()
    parts[1].path.write_bytes(content[:-100])
    store = Store(tmp_path / "all.h5")
    assert (store.read(0)[0] == 0).all()
    with pytest.raises(ValueError, match="sequence 1.*found (its data damaged|nan)"):
        store.read(1)
    store.close()
    parts[1].path.unlink()
    with pytest.raises(ValueError, match="expected the file that it shows at .*1.h5, found none"):
        Store(tmp_path / "all.h5")


@pytest.fixture
def few_files() -> Iterator[int]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = len(os.listdir("/dev/fd")) + 80
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, limits[1]))
    yield few
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_view_of_more_files_than_may_be_open(tmp_path: Path, few_files: int) -> None:
    parts = []
    for number in range(few_files + 20):
        path = tmp_path / f"{number}.h5"
        with h5py.File(path, "w") as file:
            file.attrs.update({"format": "seqmdn", "version": 1, "name": "a", "unit": "m"})
            for key, names in (("features", ["x"]), ("context", [])):
                file.attrs.create(key, names, dtype=h5py.string_dtype(), shape=(len(names),))
            file["values"] = np.full((2, 1), number, np.float32)
            file["offsets"], file["split"] = np.array([0, 2]), np.zeros(1, np.int8)
        parts.append(Part(path, (2,)))
    link_parts(tmp_path / "all.h5", parts, ["train"] * len(parts))
    with Store(tmp_path / "all.h5") as store:
        for number in range(len(parts)):
            assert (store.read(number)[0] == number).all()


@pytest.mark.parametrize("show", [link_parts, join_parts])
def test_what_does_not_fit_is_refused(tmp_path: Path, show: Show) -> None:
    part = write(tmp_path / "0.h5", [0, 1])
    for parts, splits in (([part], ["train"]), ([], [])):
        with pytest.raises(ValueError, match=f"and {len(splits)} splits"):
            show(tmp_path / "all.h5", parts, splits)
    with pytest.raises(ValueError, match="expected a split of train, valid, test, found 'dev'"):
        show(tmp_path / "all.h5", [part], ["train", "dev"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.h5"]


def test_parts_of_other_columns_are_not_copied(tmp_path: Path) -> None:
    first = write(tmp_path / "0.h5", [0])
    for other in (write(tmp_path / "1.h5", [1], width=4), write(tmp_path / "2.h5", [2], 3, ())):
        with pytest.raises(ValueError, match=r"expected /(values|context) of shape .*, found"):
            join_parts(tmp_path / "all.h5", [first, other], ["train"] * 2)
    assert not (tmp_path / "all.h5").exists()


def test_another_file_is_no_part(tmp_path: Path) -> None:
    path = write(tmp_path / "0.h5", [0]).path
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match="expected a whole store, found a damaged one"):
        Part.read(path)
    with StoreWriter(tmp_path / "1.h5", ["x"], "a", "m") as writer:
        writer.append([[0], [1]], "train", text="a word")
    with pytest.raises(ValueError, match="values and context alone, found .*'text'"):
        Part.read(tmp_path / "1.h5")
