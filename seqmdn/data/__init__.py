"""The store, the batches that are read from it, and reversible transforms of them."""

__all__ = [
    "SPLITS",
    "Batch",
    "Chain",
    "GaussianLatents",
    "Identity",
    "Logit",
    "Noise",
    "Partial",
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
]

from seqmdn.data.batch import Batch, collate
from seqmdn.data.layout import SPLITS
from seqmdn.data.modules import SequenceDataModule
from seqmdn.data.noise import GaussianLatents, Noise, UniformDequantise
from seqmdn.data.partial import Partial
from seqmdn.data.store import Store, file_sha256
from seqmdn.data.text import decode, encode
from seqmdn.data.transforms import Chain, Identity, Logit, Standardise, Transform
from seqmdn.data.writer import StoreWriter
