"""A small data set of walks, as the tests of stores write it."""

from pathlib import Path

import numpy as np
import pytest

from seqmdn.data import SPLITS, StoreWriter

LENGTHS = [5, 2, 7, 3]
SOURCE = [{"file": "raw.csv", "sha256": "0" * 64}]


def frames(index: int, length: int, features: int) -> np.ndarray:
    return np.random.default_rng([index, length, features]).normal(size=(length, features))


def write(path: Path, lengths: list[int] = LENGTHS, **options: object) -> Path:
    arguments: dict = {
        "features": ["x", "y"],
        "name": "walk",
        "unit": "metre",
        "context": ["wind"],
        "sample_rate": 100,
        "source": SOURCE,
        "licence": "CC0",
        "command": "python -m walk",
        "attributes": {"kind": "series", "height": 3, "mean": np.array([0.5, 1.5]), "closed": True},
    }
    with StoreWriter(path, **{**arguments, **options}) as writer:
        for index, length in enumerate(lengths):
            writer.append(
                frames(index, length, 2),
                SPLITS[index % 3],
                context=frames(index, length, 1),
                text=f"walk {index}: öäü ∂",
            )
    return path


def one_line(error: pytest.ExceptionInfo) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)
