"""Which reader a scan or a length asks for."""

from pathlib import Path

import pytest

from seqmdn.data import Pieces, Placed, Scanned, Store
from seqmdn.data.opening import open_store
from tests.images import write_images


@pytest.mark.parametrize(
    ("scan", "length", "kind"),
    [
        (None, None, Store),
        ("row", None, Scanned),
        (2, None, Scanned),
        ("place", None, Placed),
        (None, 2, Pieces),
    ],
)
def test_the_reader_is_the_one_asked_for(
    tmp_path: Path, scan: str | int | None, length: int | None, kind: type[Store]
) -> None:
    assert type(open_store(write_images(tmp_path / "a.h5"), scan, length)) is kind
