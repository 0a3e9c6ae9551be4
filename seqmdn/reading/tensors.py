"""Files of tensors, as ``torch.save`` writes them, looked through before torch reads them."""

import io
import os
import pickle
import warnings
import zipfile
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import torch

from seqmdn.reading.pickles import NameStandIn, PlainUnpickler

__all__ = ["read_tensors"]

_KEPT = {
    ("collections", "OrderedDict"): OrderedDict,
    ("collections", "Counter"): Counter,
}
# Torch knows more, among them what takes as much memory as a number says (bytearray, tensors that
# are quantised or sparse); no checkpoint of this program has any of them.
_STAND_INS = {
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch", "Size"),
    ("torch", "device"),
}
_BYTES = {  # of a number in a storage of each type
    "Bool": 1,
    "Byte": 1,
    "Char": 1,
    "Short": 2,
    "Half": 2,
    "BFloat16": 2,
    "Int": 4,
    "Float": 4,
    "Long": 8,
    "Double": 8,
    "Untyped": 1,
}


def read_tensors(path: str | os.PathLike[str]) -> Any:
    """Read what ``torch.save`` wrote, onto the CPU and with ``weights_only=True``.

    Before torch sees it, the file is held against what it takes: no member of its archive is
    compressed, each tensor's numbers are as many as its member has, and the pickle among them names
    nothing but tensors and plain containers. So it takes as much memory as the file is long.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is damaged, or something else; the message names the file.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     torch.save({"x": torch.arange(3)}, f"{folder}/a.pt")
        ...     read_tensors(f"{folder}/a.pt")["x"].tolist()
        [0, 1, 2]
    """
    path = Path(path)
    try:
        _look_through(path)
        with warnings.catch_warnings():  # of files of other programs
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise  # of the file itself, not of a place that something in it names
        # Damaged bytes make torch raise anything, and say that the file can be loaded all the same
        # by giving up the protection.
        raise ValueError(f"{path} is damaged or holds more than tensors") from error


def _look_through(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        # Torch finds a member whatever the case of its letters.
        if len({member.filename.lower() for member in members}) != len(members):
            raise ValueError("two members of one name")
        packed = any(member.compress_type != zipfile.ZIP_STORED for member in members)
        if packed or sum(member.file_size for member in members) > path.stat().st_size:
            raise ValueError("a member that is compressed, or overlaps another one")
        (root,) = (
            member.filename.removesuffix("data.pkl")
            for member in members
            if member.filename.endswith("/data.pkl")
        )
        if (changed := archive.testzip()) is not None:  # torch looks at no sum
            raise ValueError(f"another checksum than when {changed} was written")
        content = archive.read(f"{root}data.pkl")
    sizes = {
        member.filename.removeprefix(f"{root}data/"): member.file_size
        for member in members
        if member.filename.startswith(f"{root}data/")
    }
    _Looker(content, sizes).load()


class _Looker(PlainUnpickler):
    """Follows the pickle as torch will, and holds every tensor's numbers against its member."""

    def __init__(self, content: bytes, sizes: dict[str, int]) -> None:
        super().__init__(io.BytesIO(content))
        self._sizes = sizes

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _KEPT:
            return _KEPT[module, name]
        if module == "torch" and (kind := name.removesuffix("Storage")) in _BYTES:
            return _Kind(_BYTES[kind])
        dtype = module == "torch" and isinstance(getattr(torch, name, None), torch.dtype)
        if dtype or (module, name) in _STAND_INS:
            return NameStandIn()
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> Any:
        word, kind, key, _, count = pid
        if word != "storage" or not isinstance(kind, _Kind) or self._sizes[key] != kind.size(count):
            raise pickle.UnpicklingError("a tensor of other numbers than its own")


class _Kind(NameStandIn):
    """Stands for a type of storage."""

    __slots__ = ("_bytes",)

    def __init__(self, size: int) -> None:
        self._bytes = size

    def size(self, count: int) -> int:
        return self._bytes * count
