"""Drawn sequences as files: pictures, arrays, stores and sound."""

from pathlib import Path

import numpy as np

from seqmdn.data import Batch, Store, StoreWriter
from seqmdn.files import written_whole
from seqmdn.plotting import save_samples

__all__ = ["check_ending", "save_sequences"]

ENDINGS = (".png", ".svg", ".npz", ".h5", ".wav")


def save_sequences(path: Path, drawn: Batch, real: Batch, store: Store) -> None:
    """Write drawn sequences; the ending of the file says how.

    ``.png`` and ``.svg`` show them below real ones, ``.npz`` holds ``values`` (S, T, D) and
    ``lengths`` (S,), ``.h5`` is a store like the one trained on, its sequences in the split "test",
    ``.wav`` holds all of them one after another.

    Args:
        path: The file, written whole or not at all.
        drawn: The sequences, in the data's units.
        real: Real sequences to look at beside them.
        store: The store that the model was trained on.

    Raises:
        ValueError: If the ending is another, or sound is asked of data that are none.
        OSError: If the file cannot be written.
    """
    check_ending(path, store)
    values, lengths = drawn.values.cpu().numpy(), drawn.lengths.cpu().numpy()
    if path.suffix in (".png", ".svg"):
        save_samples(
            path,
            values,
            lengths,
            store.attributes,
            reference=real.values.numpy()[:16],
            reference_lengths=real.lengths.numpy()[:16],
        )
        return
    if path.suffix == ".h5":
        names = store.names[: values.shape[-1]]
        with StoreWriter(path, names, name=f"{store.name}, drawn", unit=store.unit) as writer:
            for frames, length in zip(values, lengths, strict=True):
                writer.append(frames[:length], "test")
        return
    with written_whole(path) as partial:
        if path.suffix == ".npz":
            np.savez_compressed(partial, values=values, lengths=lengths)
        else:
            import soundfile  # an optional dependency: the extra "speech"

            sound = np.concatenate([v[:n].ravel() for v, n in zip(values, lengths, strict=True)])
            soundfile.write(partial, sound, int(store.attributes["sample_rate"]))


def check_ending(path: Path, store: Store) -> None:
    """Raise ValueError unless sequences of this store can be written to such a file."""
    if path.suffix not in ENDINGS:
        raise ValueError(f"--out must end in one of {', '.join(ENDINGS)}; found {path.name!r}")
    if path.suffix == ".wav" and store.attributes.get("kind") != "audio":
        raise ValueError(f"{store.name} is not sound: choose another ending than .wav")
