"""A store of hours of noise that reads like speech, written in minutes."""

from __future__ import annotations

import os
from math import gcd
from pathlib import Path

import h5py
import numpy as np

from seqmdn.data import StoreWriter
from seqmdn.files import written_whole

__all__ = ["FEATURES", "FRAMES", "SECONDS", "evict", "write_corpus"]

RATE, FEATURES = 16_000, 200
SECONDS = 3.6  # a recording
FRAMES = round(SECONDS * RATE / FEATURES)
CHUNK = 2**16 // (4 * FEATURES)  # frames that a StoreWriter compresses together
# Quiet and loud stretches of noise in whole steps: a sample takes as many bytes in a store as one
# of kathleen's, whose chunks of 64 KiB take 1.66.
LOUDNESS, SPREAD = 5.0, 1.2


def write_corpus(
    path: Path,
    hours: float,
    distinct: float = 0.5,
    scored: int | None = None,
    loudness: float = LOUDNESS,
) -> None:
    """Writes recordings of 3.6 s, of 20 in turn 18 to train, one to validate and one to test.

    With ``scored``, no more than so many are for each of the latter two. A ``loudness`` (the
    logarithm of a standard deviation) of -10 is silence, which takes next to no bytes.

    The first ``distinct`` hours, rounded up to whole chunks, are written by a ``StoreWriter``; what
    follows repeats their chunks as they lie in the file, compressed. Each lies there in full, so
    that reading it takes what reading any other would.
    """
    needed = max(1, round(hours * 3600 / SECONDS))
    # As many recordings as fill whole chunks.
    period = CHUNK // gcd(FRAMES, CHUNK)
    first = period * max(1, round(min(hours, distinct) * 3600 / SECONDS / period))
    times = -(-needed // first)
    rng = np.random.default_rng(0)
    with written_whole(path) as partial:
        with StoreWriter(
            partial,
            [f"sample {place}" for place in range(FEATURES)],
            name="noise",
            unit="step of 16 bits",
            sample_rate=RATE,
            attributes={"kind": "audio", "sequence": "recording", "full_scale": 2.0**15},
        ) as writer:
            for _ in range(first):
                writer.append(_recording(rng, loudness), "train")
        with h5py.File(partial, "r+") as file:
            _repeat(file["values"], times)
            recordings = first * times
            parts = np.maximum(np.arange(recordings) % 20 - 17, 0).astype(np.int8)
            if scored is not None:
                parts[20 * scored :] = 0
            for name, rows in {
                "offsets": FRAMES * np.arange(recordings + 1, dtype=np.int64),
                "split": parts,
            }.items():
                del file[name]
                file.create_dataset(name, data=rows)


def evict(path: Path) -> None:
    """Asks the system to forget what it holds of a file in memory; on Linux, it does."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _recording(rng: np.random.Generator, loudness: float) -> np.ndarray:  # (FRAMES, FEATURES)
    scale = np.exp(rng.normal(loudness, SPREAD, size=(FRAMES, 1)))
    # What is rounded to -0 becomes 0, as integers know no other.
    samples = np.rint(scale * rng.standard_normal((FRAMES, FEATURES))) + 0.0
    return np.clip(samples, -(2**15), 2**15 - 1)


def _repeat(values: h5py.Dataset, times: int) -> None:
    frames, rows = values.shape[0], values.chunks[0]
    if frames % rows:
        raise ValueError(f"expected whole chunks of {CHUNK} frames, found {frames} in {rows}s")
    chunks = [values.id.read_direct_chunk((place, 0)) for place in range(0, frames, rows)]
    values.resize(frames * times, axis=0)
    for number in range(len(chunks), len(chunks) * times):
        mask, content = chunks[number % len(chunks)]
        values.id.write_direct_chunk((number * rows, 0), content, mask)
