"""The refusal of what is no store, or a damaged one."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from seqmdn.data import Store
from tests.data.walk import one_line, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "walk.h5")


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
    "newer": (attribute("version", 3), "expected format version 1 or 2, found 3.*prepare"),
    "no version": (attribute("version", None), "expected format version 1 or 2, found None"),
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
