"""Files of tensors: those of torch come back, and others are refused before torch reads them."""

import io
import pickle
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seqmdn.reading import read_tensors

CONTENT = {
    "weights": {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([True, False])},
    "half": torch.ones(3, dtype=torch.bfloat16),
    "step": torch.tensor(4),
    "words": ["a", None, 2.5, (1, 2)],
    "parameter": torch.nn.Parameter(torch.ones(2)),
    "size": torch.Size([2, 3]),
    "kind": torch.float64,
}


def save(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def repack(path: Path, change: Callable[[str, bytes], bytes], method: int = 0) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(stream, "w", method) as after:
        for name in before.namelist():
            after.writestr(name, change(name, before.read(name)))
    path.write_bytes(stream.getvalue())


def refused(path: Path) -> None:
    with pytest.raises(ValueError, match="is damaged or holds more than tensors") as caught:
        read_tensors(path)
    assert str(caught.value).startswith(str(path))


def test_what_torch_saved_comes_back(tmp_path: Path) -> None:
    found = read_tensors(save(tmp_path / "a.pt", CONTENT))
    assert found.keys() == CONTENT.keys()
    assert torch.equal(found["weights"]["a"], CONTENT["weights"]["a"])
    assert found["half"].dtype == torch.bfloat16 and found["words"] == CONTENT["words"]
    shared = torch.zeros(4)
    first, second = read_tensors(save(tmp_path / "b.pt", [shared[:2], shared[1:]]))
    first[1] = 7
    assert second[0] == 7, "tensors that share their numbers still do"
    state = torch.nn.LSTM(2, 3).state_dict()
    assert list(read_tensors(save(tmp_path / "c.pt", state))) == list(state)


@pytest.mark.parametrize("name", ["builtins", "__builtin__"])
def test_room_for_a_number_of_bytes_is_refused(tmp_path: Path, name: str) -> None:
    path = save(tmp_path / "a.pt", [1])
    call = b"\x80\x02c" + name.encode() + b"\nbytearray\nJ\0\0\0\x60\x85R."
    repack(path, lambda member, own: call if member.endswith("data.pkl") else own)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**18  # KiB


def test_a_tensor_of_more_numbers_than_its_member_has_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.pt", torch.arange(200.0))
    # The count of its storage and that of its size.
    repack(path, lambda _, own: own.replace(b"K\xc8", b"M\xe8\x03"))
    refused(path)


def test_a_packed_member_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.pt", torch.zeros(1000))
    repack(path, lambda _, own: own, zipfile.ZIP_DEFLATED)
    refused(path)


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.pt", [1])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a/DATA.PKL", b"\x80\x02K\x01.")
    refused(path)


def test_a_sparse_tensor_and_a_module_are_refused(tmp_path: Path) -> None:
    refused(save(tmp_path / "a.pt", torch.eye(3).to_sparse()))
    refused(save(tmp_path / "b.pt", torch.nn.Linear(1, 1)))
    (tmp_path / "c.pt").write_bytes(pickle.dumps([1]))
    refused(tmp_path / "c.pt")


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_tensors(tmp_path / "a.pt")
