"""The store, the batches that are read from it, reversible transforms of them, and pen strokes."""

__all__ = [
    "SPLITS",
    "Batch",
    "Chain",
    "Fold",
    "GaussianLatents",
    "GivenPoints",
    "Identity",
    "Levels",
    "Logit",
    "Noise",
    "Part",
    "Partial",
    "PenDrawing",
    "Pieces",
    "Placed",
    "Range",
    "Scan",
    "Scanned",
    "SequenceDataModule",
    "Standardise",
    "Store",
    "StoreWriter",
    "Transform",
    "UniformDequantise",
    "collate",
    "decode",
    "encode",
    "file_sha256",
    "join_parts",
    "link_parts",
    "read_pen_file",
    "simplify",
    "stroke_frames",
]

from typing import TYPE_CHECKING, Any

from seqmdn.data.batch import Batch, collate
from seqmdn.data.checksum import file_sha256
from seqmdn.data.folds import Fold
from seqmdn.data.layout import SPLITS
from seqmdn.data.levels import Levels
from seqmdn.data.noise import GaussianLatents, Noise, UniformDequantise
from seqmdn.data.partial import Partial
from seqmdn.data.parts import Part, join_parts, link_parts
from seqmdn.data.pen_files import PenDrawing, read_pen_file
from seqmdn.data.pieces import Pieces
from seqmdn.data.places import Placed
from seqmdn.data.points import GivenPoints
from seqmdn.data.ranges import Range
from seqmdn.data.scans import Scan, Scanned
from seqmdn.data.store import Store
from seqmdn.data.strokes import simplify, stroke_frames
from seqmdn.data.text import decode, encode
from seqmdn.data.transforms import Chain, Identity, Logit, Standardise, Transform
from seqmdn.data.writer import StoreWriter

if TYPE_CHECKING:
    from seqmdn.data.modules import SequenceDataModule


def __getattr__(name: str) -> Any:
    # Lightning takes seconds to import, and whoever writes or reads a store does without it: the
    # processes that collect one are many.
    if name == "SequenceDataModule":
        from seqmdn.data.modules import SequenceDataModule

        globals()[name] = SequenceDataModule
        return SequenceDataModule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
