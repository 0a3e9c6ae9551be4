"""Which reader of a store a data module wants: as it is kept, scanned, placed or cut in pieces."""

from __future__ import annotations

__all__ = ["ImageKind", "open_store"]

from pathlib import Path
from typing import Literal

from seqmdn.data.pieces import Pieces
from seqmdn.data.places import Placed
from seqmdn.data.scans import ScanKind, Scanned
from seqmdn.data.store import Store

ImageKind = ScanKind | Literal["place"]


def open_store(path: Path, scan: ImageKind | None = None, length: int | None = None) -> Store:
    """Opens a store.

    Args:
        path: The file.
        scan: How images become frames (:class:`seqmdn.data.Scan`), or ``"place"`` for pixels beside
            their places (:class:`seqmdn.data.Placed`).
        length: Frames of the pieces that each sequence is cut into.

    Raises:
        ValueError: If the file is no store, or not one that can be read so.
    """
    if scan == "place":
        return Placed(path)
    if scan is not None:
        return Scanned(path, scan)
    return Store(path) if length is None else Pieces(path, length)
