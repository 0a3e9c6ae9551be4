"""A recording of one's own that draws go on from."""

import os

import torch
from torch import Tensor

from seqmdn.data import Store
from seqmdn.data.audio import AudioError, cut_frames
from seqmdn.data.conversion import convert_recording
from seqmdn.data.sound import SoundForm, sound_form

__all__ = ["read_prime"]


def read_prime(path: str | os.PathLike[str], store: Store) -> Tensor:  # (P, D)
    """Read a recording as the first frames of sequences of a store.

    Whatever libsndfile reads is mixed to one channel, resampled to the store's rate and rounded to
    steps of 16 bits (:func:`seqmdn.data.conversion.convert_recording`). What does not fill the last
    frame is left out.

    Args:
        path: The recording.
        store: The store whose frames are wanted.

    Returns:
        The whole frames, in the store's unit.

    Raises:
        AudioError: If it is no sound file, or one that is damaged, empty, silent, of a lower rate
            or shorter than a frame.
        FileNotFoundError: If there is no such file.
        ModuleNotFoundError: If soundfile is not installed, or torchaudio where it is needed.
        ValueError: If the store is not of sound.
    """
    form = sound_form(store)
    try:
        steps = convert_recording(path, form.rate)[0].samples
    except AudioError as error:
        raise AudioError(f"{os.fspath(path)}: {error}") from error
    frames = cut_frames(steps, form.size)[0]
    if not len(frames):
        raise AudioError(
            f"{os.fspath(path)}: expected a frame of {form.size} samples or more "
            f"({_milliseconds(form.size, form)} at {form.rate} Hz), found {len(steps)} "
            f"({_milliseconds(len(steps), form)}): give a longer recording"
        )
    return torch.from_numpy(form.values(frames)).float()


def _milliseconds(samples: int, form: SoundForm) -> str:
    return f"{1000 * samples / form.rate:g} ms"
