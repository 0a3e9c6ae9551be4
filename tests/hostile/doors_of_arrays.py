"""Archives of arrays, pickles, matrices and pictures."""

import gzip
import io
import pickle
import zipfile
from pathlib import Path

import numpy as np

from tests.hostile.door import PICKLE, TEXT, ZIP, Door, add, of_gzip, of_zip


def _write_npz(folder: Path) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, x=np.arange(12.0).reshape(3, 4), y=np.zeros(3, np.float16))
    (folder / "a.npz").write_bytes(stream.getvalue())


def _read_npz(path: Path) -> None:
    from data_prep.sources import read_arrays

    read_arrays(path, ("x", "y"))


_NPY = (
    *ZIP,
    b"\x93NUMPY",
    b"'descr': '|O'",
    b"(1000000000000,)",
    b"'fortran_order': True",
    b"'<U99'",
)
add(Door("npz", "a.npz", _write_npz, _read_npz, of_zip, _NPY))


def _write_objects(folder: Path) -> None:
    box = np.empty(3, object)
    box[:] = [np.arange(6, dtype=np.int16).reshape(2, 3), np.zeros((2, 3)), np.ones((4, 3))]
    stream = io.BytesIO()
    np.savez(stream, train=box, valid=box, test=box)
    (folder / "a.npz").write_bytes(stream.getvalue())


def _read_objects(path: Path) -> None:
    from data_prep.object_arrays import read_object_arrays

    read_object_arrays(path, ("train", "valid", "test"))


add(Door("arrays of arrays", "a.npz", _write_objects, _read_objects, of_zip, (*_NPY, *PICKLE)))


def _write_batch(folder: Path) -> None:
    content = {b"data": np.zeros((2, 8), np.uint8), b"labels": [1, 2], b"names": ["a", "b"]}
    (folder / "data_batch_1").write_bytes(pickle.dumps(content, protocol=2))


def _read_batch(path: Path) -> None:
    from data_prep.object_arrays import read_pickled_arrays

    read_pickled_arrays(path, ("data", "labels"))


add(Door("pickle", "data_batch_1", _write_batch, _read_batch, words=PICKLE))


def _write_idx(folder: Path) -> None:
    content = bytes([0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 4]) + bytes(range(48))
    (folder / "images.gz").write_bytes(gzip.compress(content, mtime=0))


def _read_idx(path: Path) -> None:
    from data_prep.idx import read_idx

    read_idx(path, (4, 4))


add(Door("idx, gzip", "images.gz", _write_idx, _read_idx, of_gzip, (b"\x1f\x8b\x08",)))


def _write_matlab(folder: Path) -> None:
    import scipy.io

    stream = io.BytesIO()
    scipy.io.savemat(stream, {"m": np.arange(12.0).reshape(4, 3), "other": {"a": "b"}})
    (folder / "a.mat").write_bytes(stream.getvalue())


def _read_matlab(path: Path) -> None:
    from data_prep.matlab import read_matrix

    read_matrix(path, "m")


add(Door("MATLAB", "a.mat", _write_matlab, _read_matlab, words=(b"\x0f\0\0\0", b"\x0e\0\0\0")))


def _write_omniglot(folder: Path) -> None:
    for number in (1, 2):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for writer in range(1, 4):
                name = (
                    f"strokes_background_small{number}/Greek/character01/0{number}_{writer:02}.txt"
                )
                archive.writestr(name, "START\n1.5,-2,0\n3,-2,20\nBREAK\n9,-9,40\nBREAK\n")
        (folder / f"strokes_background_small{number}.zip").write_bytes(stream.getvalue())


def _read_omniglot(path: Path) -> None:
    from data_prep.omniglot import read_drawings

    read_drawings(path.parent)


_OMNIGLOT = (*ZIP, b"START", b"BREAK\n", b"\n", *TEXT)
add(
    Door(
        "Omniglot",
        "strokes_background_small1.zip",
        _write_omniglot,
        _read_omniglot,
        of_zip,
        _OMNIGLOT,
    )
)
