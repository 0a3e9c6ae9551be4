"""Drawn sequences as files: pictures, arrays, stores and sound."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from seqmdn.data import Batch, Store, StoreWriter
from seqmdn.data.mel import log_mel
from seqmdn.data.sound import save_sound, sound_form
from seqmdn.files import written_whole
from seqmdn.plotting import (
    save_attention,
    save_frames,
    save_pen_gif,
    save_pen_svg,
    save_samples,
    save_sounds,
    save_stroke_density,
)
from seqmdn.runs import Writing, origin_of_checkpoint

__all__ = ["SOUND", "check_ending", "save_single_frames", "save_sequences", "save_writing"]

SOUND = (".wav", ".flac")
ENDINGS = (".png", ".svg", ".gif", ".npz", ".h5", *SOUND)

_REAL = 16  # real sequences beside the drawn ones

# What a store says of its own file, and not of how its values want to be understood.
_OWN = {"format", "version", "name", "unit", "features", "context", "source", "command", "left_out"}


def save_sequences(
    path: Path,
    drawn: Batch,
    real: Batch | None,
    store: Store,
    checkpoint: Path,
    command: str = "",
    titles: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
) -> None:
    """Write drawn sequences; the ending of the file says how.

    ``.png`` and ``.svg`` show them below real ones, ``.gif`` how strokes are drawn, the frames
    before ``drawn.start`` in grey; an ``.svg`` of strokes has the data's unit. ``.npz`` holds
    ``values`` (S, T, D), ``lengths`` (S,) and, with a prime, ``start`` (S,), ``.h5`` is a store
    like the one trained on. ``.wav`` and ``.flac`` hold all sequences one after another, with
    silence between (:func:`seqmdn.data.sound.save_sound`); the attribute ``full_scale`` says which
    value is as loud as sound can be, 1 where a store has none. Pictures of sound have its log-mel
    spectrograms, too (:func:`seqmdn.plotting.sound_figure`).

    A store of drawn sequences has the names, unit, step, licence and further attributes (``kind``,
    ``levels``, ``latent_mean`` ...) of the one trained on, so that whatever reads that one reads
    it, too. Its sequences are in the split "test", with the context that they were drawn under. Its
    source names the checkpoint as ``RUN/checkpoints/best.ckpt`` and the store trained on, each with
    its SHA-256. The values are those of the batch:
    :meth:`seqmdn.data.SequenceDataModule.stored` takes the noise of y away, so that whoever reads
    them as data may draw it anew.

    Args:
        path: The file, written whole or not at all.
        drawn: The sequences, in the data's units.
        real: Real sequences to look at beside them, None for a picture without.
        store: The store that the model was trained on.
        checkpoint: The file that the model's weights come from.
        command: The command that drew them, for the record.
        titles: What each of them says: above it in a picture of strokes, its text in a store.
        names: What their columns are called; as the first of the store by default.

    Raises:
        ValueError: If the ending is another, sound or writing is asked of data that are none, or
            strokes that are not finite are to be drawn as .svg or .gif.
        OSError: If the file cannot be written.
    """
    check_ending(path, store)
    values, lengths = drawn.values.cpu().numpy(), drawn.lengths.cpu().numpy()
    starts = None if drawn.start is None else drawn.start.tolist()
    if store.attributes.get("kind") == "strokes" and path.suffix in (".svg", ".gif"):
        strokes, look = _sequences(drawn), store.attributes
        if path.suffix == ".gif":
            save_pen_gif(path, strokes, look, titles=titles, starts=starts)
        else:
            above = None if real is None else _sequences(real.part(0, _REAL))
            save_pen_svg(path, strokes, look, titles=titles, starts=starts, reference=above)
        return
    if path.suffix in (".png", ".svg"):
        sound = store.attributes.get("kind") == "audio" and "sample_rate" in store.attributes
        save = partial(_save_sounds, store) if sound else save_samples
        save(
            path,
            values,
            lengths,
            store.attributes,
            reference=None if real is None else real.values.numpy()[:_REAL],
            reference_lengths=None if real is None else real.lengths.numpy()[:_REAL],
            titles=titles,
            starts=starts,
        )
        return
    if path.suffix == ".h5":
        context = None if drawn.context is None else drawn.context.cpu().numpy()
        named = store.names[: values.shape[-1]] if names is None else names
        with _writer(path, named, store, checkpoint, command) as writer:
            for i, length in enumerate(lengths):
                known = None if context is None else context[i, :length]
                text = None if titles is None else titles[i]
                writer.append(values[i, :length], "test", context=known, text=text)
        return
    if path.suffix in SOUND:
        present = drawn.present().cpu().numpy()  # (S, T)
        save_sound(path, zip(values.swapaxes(0, 1), present.T, strict=True), sound_form(store))
        return
    with written_whole(path) as unfinished:
        arrays: dict[str, Any] = {"values": values, "lengths": lengths}
        if starts is not None:
            arrays["start"] = np.asarray(starts)
        np.savez_compressed(unfinished, **arrays)


def _save_sounds(
    store: Store, path: Path, values: Any, lengths: Any, attributes: Any, **options: Any
) -> None:
    """Show sound with its spectrogram; it has no titles."""
    rate = sound_form(store).rate
    options.pop("titles")
    save_sounds(path, values, lengths, attributes, lambda wave: log_mel(wave, rate), **options)


def save_writing(path: Path, what: str, writing: Writing, store: Store) -> None:
    """Write what a model saw and expected along a sequence as .png or .svg.

    Args:
        path: The file, written whole or not at all.
        what: ``"attention"``, the weights of the text's characters at each point, or ``"density"``,
            the sum of the densities of each point given those before.
        writing: Of :func:`seqmdn.runs.look_along`.
        store: The store that the model was trained on.

    Raises:
        ValueError: If the ending is another, or attention is asked of a model that reads no texts.
        OSError: If the file cannot be written.
    """
    frames, look = writing.frames.numpy(), store.attributes
    if what == "density":
        density = writing.density

        def log_prob(offsets: Tensor) -> Tensor:  # (N, T, 2) -> (N, T)
            return density.log_prob(offsets.unsqueeze(1)).squeeze(1)

        save_stroke_density(
            path, log_prob, lambda count: density.sample((count,)).squeeze(1), frames, look
        )
        return
    if writing.weights is None or writing.text is None:
        raise ValueError("the model reads no texts: there is no attention to show")
    save_attention(path, writing.weights.numpy(), writing.text, frames, look)


def save_single_frames(path: Path, frames: Mapping[str, Tensor], store: Store) -> None:
    """Write frames that belong to no sequence.

    Args:
        path: The file, written whole or not at all. ``.png`` and ``.svg`` show them row by row
            (:func:`seqmdn.plotting.save_frames`), ``.npz`` holds an array a name.
        frames: Levels ``(S, D)`` of each row by its name.
        store: The store that the model was trained on.

    Raises:
        ValueError: If the ending is another, or the store does not say the size of a frame.
        OSError: If the file cannot be written.
    """
    if path.suffix not in (".png", ".svg", ".npz"):
        raise ValueError(
            "expected .png, .svg or .npz for frames that are drawn one by one, which are no "
            f"sequences, found {path.name!r}"
        )
    arrays: dict[str, Any] = {name: each.numpy() for name, each in frames.items()}
    if path.suffix == ".npz":
        with written_whole(path) as unfinished:
            np.savez_compressed(unfinished, **arrays)
        return
    save_frames(path, arrays, store.attributes)


def check_ending(path: Path, store: Store) -> None:
    """Raise ValueError unless sequences of this store can be written to such a file."""
    if path.suffix not in ENDINGS:
        raise ValueError(f"--out must end in one of {', '.join(ENDINGS)}; found {path.name!r}")
    if path.suffix in SOUND and store.attributes.get("kind") != "audio":
        raise ValueError(f"{store.name} is not sound: choose another ending than {path.suffix}")
    if path.suffix == ".gif" and store.attributes.get("kind") != "strokes":
        raise ValueError(f"{store.name} holds no strokes: choose another ending than .gif")


def _sequences(batch: Batch) -> list[npt.NDArray[np.float32]]:
    """Cut the padding off."""
    values, lengths = batch.values.cpu().numpy(), batch.lengths.tolist()
    return [each[:length] for each, length in zip(values, lengths, strict=True)]


def _writer(
    path: Path, names: Sequence[str], store: Store, checkpoint: Path, command: str
) -> StoreWriter:
    """Begin a store of drawn sequences that says of itself what the real one does."""
    kept = {
        key: value
        for key, value in store.attributes.items()
        # A limit is that of the rows that were measured.
        if key not in _OWN and not key.startswith("limit_")
    }
    known = {key: kept.pop(key) for key in ("step", "sample_rate", "licence") if key in kept}
    return StoreWriter(
        path,
        names,
        name=f"{store.name}, drawn",
        unit=store.unit,
        context=store.context_names,
        source=[
            origin_of_checkpoint(checkpoint),
            {"file": store.path.name, "sha256": store.sha256},
        ],
        command=command,
        attributes={key: value for key, value in kept.items() if _is_plain(value)},
        **known,
    )


def _is_plain(value: Any) -> bool:
    """Whether a store can keep it: lists of words, say, are another program's."""
    return np.asarray(value).dtype.kind in "biuf" or isinstance(value, str)
