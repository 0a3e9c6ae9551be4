"""Archives of arrays in arrays: what NumPy wrote comes back, and what is hostile never runs."""

import builtins
import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_prep.object_arrays import read_object_arrays

ARRAYS = [
    np.arange(6, dtype=np.int16).reshape(2, 3),
    np.array([[0.5, -1.25, 1.0]]),
    np.asfortranarray(np.arange(12, dtype=">i4").reshape(4, 3)),
    np.zeros((0, 3), np.float32),
    np.arange(200, 206, dtype=np.uint8),
]


def boxed(arrays: list[Any]) -> np.ndarray:
    box = np.empty(len(arrays), object)
    box[:] = arrays
    return box


def npy(content: bytes) -> bytes:
    """The bytes of an .npy file whose pickle is this one."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "|O", "fortran_order": False, "shape": (1,)}
    )
    return stream.getvalue() + content


def save(path: Path, pickled: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", npy(pickled))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_what_numpy_wrote_comes_back(tmp_path: Path, protocol: int) -> None:
    path = save(tmp_path / "a.npz", pickle.dumps(boxed(ARRAYS), protocol=protocol))
    found = read_object_arrays(path, ("a",))["a"]
    for array, expected in zip(found, ARRAYS, strict=True):
        assert array.dtype == expected.dtype and array.shape == expected.shape
        np.testing.assert_array_equal(array, expected)


def test_an_archive_of_numpy_itself(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", train=boxed(ARRAYS), test=boxed(ARRAYS[:2]))
    found = read_object_arrays(tmp_path / "a.npz", ("test", "train"))
    assert [len(arrays) for arrays in found.values()] == [2, 5] and list(found) == ["test", "train"]


def test_names_of_older_numpy_and_text_of_python_2(tmp_path: Path) -> None:
    data = np.array([[1, -2, 1]], np.int16)
    # What Python 2 wrote: old names, and bytes as text.
    old = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b"
        b"\x87R(K\x01K\x01\x85cnumpy\ndtype\nq\x04U\x02O8K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff"
        b"\xff\xffJ\xff\xff\xff\xffK?tb\x89]h\x01h\x02K\x00\x85U\x01b\x87R(K\x01K\x01K\x03\x86h\x04"
        b"U\x02i2K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x06"
        + data.astype("<i2").tobytes()
        + b"tbatb."
    )
    (found,) = read_object_arrays(save(tmp_path / "a.npz", old), ("a",))["a"]
    np.testing.assert_array_equal(found, data)
    assert found.dtype == np.int16


class Call:
    """Pickles as a call."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.made = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.made


def hostile(trap: Path) -> list[Any]:
    """Each would leave a file, or read or take what it should not, if it were run."""
    number = np.arange(3)
    reconstruct = number.__reduce__()[0]
    return [
        Call(os.system, f"touch {trap}"),
        Call(builtins.eval, f"open({str(trap)!r}, 'w')"),
        Call(open, str(trap), "w"),
        Call(getattr, number, "tofile"),
        Call(np.load, str(trap), None, True),
        Call(np.memmap, str(trap), np.uint8, "w+", 0, (8,)),
        Call(np.fromfile, str(trap)),
        Call(np.save, str(trap), number),
        Call(np.frombuffer, b"12345678"),
        Call(np.ndarray, (10**12,)),
        Call(reconstruct, np.ndarray, (10**12,), b"b"),
        Call(reconstruct, np.memmap, (0,), b"b"),
        Call(np.dtype, "V1000000"),
        Call(np.dtype, [("a", "i4")]),
        Call(pickle.loads, pickle.dumps(Call(os.system, f"touch {trap}"))),
    ]


@pytest.mark.parametrize("number", range(15))
@pytest.mark.parametrize("wrap", ["alone", "in the array", "beside an array", "in a list"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_nothing_hostile_is_run(tmp_path: Path, number: int, wrap: str, protocol: int) -> None:
    trap = tmp_path / "trap"
    what = hostile(trap)[number]
    whole = {
        "alone": what,
        "in the array": boxed([what]),
        "beside an array": boxed([ARRAYS[0], what]),
        "in a list": [boxed([ARRAYS[0]]), what],
    }[wrap]
    path = save(tmp_path / "a.npz", pickle.dumps(whole, protocol=protocol))
    with pytest.raises(
        ValueError, match=r"a.npz:a.npy: expected an object array of arrays"
    ) as error:
        read_object_arrays(path, ("a",))
    assert not trap.exists() and "\n" not in str(error.value)


def crafted(state: bytes) -> bytes:
    """An object array of one array, whose state is pushed by these opcodes."""
    make = b"cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    kind = b"cnumpy\ndtype\nU\x01O\x85R"
    return b"\x80\x02" + make + b"(K\x01K\x01\x85" + kind + b"\x89]" + make + state + b"batb."


INT = b"cnumpy\ndtype\nU\x02i2\x85R"


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (b"(K\x01J\xff\xff\xff\x7f\x85" + INT + b"\x89U\x02abt", "other data"),
        (b"(K\x01J\xff\xff\xff\xff\x85" + INT + b"\x89U\x02abt", "without a type or shape"),
        (b"(K\x01K\x01\x85cnumpy\nndarray\n\x89U\x02abt", "without a type or shape"),
        (b"(K\x01K\x01\x85" + INT + b"\x89K\x02t", "other data"),
        (b"(K\x01K\x02\x85cnumpy\ndtype\nU\x01O\x85R\x89]t", "objects of shape"),
        (b"(K\x01t", "ValueError"),
        (b"}U\x05arrayK\x01s", "ValueError"),
        (b"N}U\x05arrayK\x01s\x86", "ValueError"),
    ],
)
def test_states_that_do_not_fit_are_refused(tmp_path: Path, state: bytes, message: str) -> None:
    good = crafted(b"(K\x01K\x01\x85" + INT + b"\x89U\x02abt")
    assert read_object_arrays(save(tmp_path / "good.npz", good), ("a",))["a"][0] == [25185]
    with pytest.raises(ValueError, match=message):
        read_object_arrays(save(tmp_path / "a.npz", crafted(state)), ("a",))


@pytest.mark.parametrize(
    "pickled",
    [
        # What may be called gets a state, whose attributes would otherwise be set on it.
        b"\x80\x02cnumpy\ndtype\n}U\x08__call__K\x01sb.",
        b"\x80\x02cnumpy\nndarray\nN}U\x01aK\x01s\x86b.",
        b"\x80\x02c_codecs\nencode\nU\x01aU\x03bz2\x86R.",
        b"\x80\x02c_codecs\nencode\nU\x01aU\x07unicode\x86R.",
        b"\x80\x02c_codecs\ndecode\n.",
        b"\x80\x02c__builtin__\nbytes\nK\x08\x85R.",
        b"\x80\x02c__builtin__\neval\nU\x011\x85R.",
        b"\x80\x02cnumpy\nndarray\n)\x81.",
        b"\x80\x02(cposix\nsystem\nU\x01ao.",
        b"(S'true'\nios\nsystem\n.",
        b"\x80\x02K\x01Q.",
        b"\x80\x02\x82\x01.",
        b"\x80\x02",
        b"",
        b"\x80\x02" + b"]" * 50,
        b"\x80\x02cnumpy\nnda",
        b"\x80\x02K\x01.",
    ],
)
def test_opcodes_that_arrays_do_not_need(tmp_path: Path, pickled: bytes) -> None:
    with pytest.raises(ValueError, match="expected an object array of arrays"):
        read_object_arrays(save(tmp_path / "a.npz", pickled), ("a",))


def test_other_archives_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.arange(3), b=boxed(["x"]), c=boxed([boxed([ARRAYS[0]])]))
    with pytest.raises(ValueError, match="a.npy: .*numbers of int64"):
        read_object_arrays(tmp_path / "a.npz", ("a",))
    with pytest.raises(ValueError, match="b.npy: expected an object array of arrays, found other"):
        read_object_arrays(tmp_path / "a.npz", ("b",))
    with pytest.raises(
        ValueError, match="c.npy: expected arrays of numbers in it, found arrays of"
    ):
        read_object_arrays(tmp_path / "a.npz", ("c",))
    with pytest.raises(
        ValueError, match="arrays train, a, found no train among a.npy, b.npy, c.npy"
    ):
        read_object_arrays(tmp_path / "a.npz", ("train", "a"))
    (tmp_path / "b.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:-30])
    with pytest.raises(ValueError, match="b.npz: expected a whole zip archive"):
        read_object_arrays(tmp_path / "b.npz", ("a",))
