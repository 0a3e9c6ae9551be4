"""MATLAB's matrices are numbers by their name, and what is damaged or none is refused."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from data_prep.matlab import read_matrix

MATRIX = np.random.default_rng(0).normal(size=(5, 3))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.mat"


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", ["f8", "f4", "i8", "i4", "u2", "i1", "u1"])
def test_numbers_of_any_width_are_read(path: Path, kind: str, compressed: bool) -> None:
    matrix = (100 * MATRIX).astype(kind)
    content = {"other": np.eye(2), "m": matrix, "word": "text", "last": 1.0}
    scipy.io.savemat(path, content, do_compression=compressed)
    np.testing.assert_array_equal(read_matrix(path, "m"), matrix.astype(float))
    assert read_matrix(path, "last").tolist() == [[1]]


def test_what_is_asked_for_must_be_there(path: Path) -> None:
    scipy.io.savemat(path, {"a": MATRIX, "b": MATRIX})
    with pytest.raises(ValueError, match="expected a matrix 'm', found a, b: download"):
        read_matrix(path, "m")
    for other in (1j * MATRIX, np.zeros((2, 2, 2)), "word"):
        scipy.io.savemat(path, {"m": other})
        with pytest.raises(
            ValueError, match="expected a matrix 'm' of real numbers, found another"
        ):
            read_matrix(path, "m")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kept", [0.99, 0.9, 0.8, 0.7])
def test_a_file_that_is_cut_off_is_refused(path: Path, kept: float, compressed: bool) -> None:
    scipy.io.savemat(path, {"m": MATRIX}, do_compression=compressed)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(
        ValueError, match="a.mat: expected a whole MATLAB file of version 7 or before"
    ):
        read_matrix(path, "m")


@pytest.mark.parametrize("place", range(128, 290))
def test_a_changed_byte_ends_no_process(path: Path, place: int) -> None:
    # With 0x0f at 175, scipy's reader reads memory that is not its own.
    scipy.io.savemat(path, {"m": MATRIX})
    content = bytearray(path.read_bytes())
    for value in (0, 0x0F, 0x80, 0xFF):
        path.write_bytes(content[:place] + bytes([value]) + content[place + 1 :])
        try:
            assert read_matrix(path, "m").shape == MATRIX.shape
        except ValueError as error:
            assert str(error).startswith(str(path))


@pytest.mark.parametrize("content", [b"", b"MATLAB 7.3 MAT-file" + bytes(200), b"a,b\n1,2\n" * 30])
def test_other_bytes_are_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ValueError, match="expected a whole MATLAB file of version 7 or before"):
        read_matrix(path, "m")
