"""The store, the batches that are read from it, and reversible transforms of them."""

__all__ = [
    "SPLITS",
    "Batch",
    "Chain",
    "GaussianLatents",
    "Identity",
    "Logit",
    "Noise",
    "SequenceDataModule",
    "Standardise",
    "Store",
    "StoreWriter",
    "Transform",
    "UniformDequantise",
    "collate",
    "file_sha256",
]

from seqmdn.data.batch import Batch, collate
from seqmdn.data.layout import SPLITS
from seqmdn.data.modules import SequenceDataModule
from seqmdn.data.noise import GaussianLatents, Noise, UniformDequantise
from seqmdn.data.store import Store, file_sha256
from seqmdn.data.transforms import Chain, Identity, Logit, Standardise, Transform
from seqmdn.data.writer import StoreWriter
