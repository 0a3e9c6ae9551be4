"""A recording of one's own that draws go on from."""

import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqmdn.data import Store
from seqmdn.data.audio import AudioError, cut_frames, import_torchaudio
from seqmdn.data.sound import SoundForm, sound_form

__all__ = ["read_prime"]

_FULL = 2**15  # steps of 16 bits from silence to full scale


def read_prime(path: str | os.PathLike[str], store: Store) -> Tensor:  # (P, D)
    """Read a recording as the first frames of sequences of a store.

    Whatever libsndfile reads is mixed to one channel, resampled to the store's rate and rounded to
    steps of 16 bits. What does not fill the last frame is left out.

    Args:
        path: The recording.
        store: The store whose frames are wanted.

    Returns:
        The whole frames, in the store's unit.

    Raises:
        AudioError: If it is no sound file, or one that is damaged, empty, silent or shorter than a
            frame.
        FileNotFoundError: If there is no such file.
        ModuleNotFoundError: If soundfile is not installed, or torchaudio where it is needed.
        ValueError: If the store is not of sound.
    """
    form = sound_form(store)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"{os.fspath(path)}: expected a sound file, found none")
    try:
        steps = _converted(Path(path), form.rate)
    except AudioError as error:
        raise AudioError(f"{os.fspath(path)}: {error}") from error
    frames = cut_frames(steps, form.size)[0]
    if not len(frames):
        raise AudioError(
            f"{os.fspath(path)}: expected a frame of {form.size} samples or more "
            f"({_milliseconds(form.size, form)} at {form.rate} Hz), found {len(steps)} "
            f"({_milliseconds(len(steps), form)}): give a longer recording"
        )
    return torch.from_numpy(frames * (form.full_scale / _FULL)).float()


def _milliseconds(samples: int, form: SoundForm) -> str:
    return f"{1000 * samples / form.rate:g} ms"


def _converted(path: Path, rate: int) -> NDArray[np.int32]:  # (N,)
    """Read a sound file as steps of 16 bits of one channel at another rate."""
    try:
        import soundfile
    except ImportError:
        raise ModuleNotFoundError(
            "recordings are read with soundfile, which is not installed: pip install "
            "'seqmdn[speech]'"
        ) from None
    try:
        with soundfile.SoundFile(path) as sound:
            announced, own_rate = sound.frames, sound.samplerate
            mixed = sound.read(dtype="float64", always_2d=True).mean(axis=1)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"expected a sound file, found something else ({error})") from error
    if not len(mixed) or len(mixed) != announced:
        raise AudioError(f"expected {announced or 'some'} samples, found {len(mixed)}")
    if not np.isfinite(mixed).all():
        raise AudioError("expected finite samples, found others")
    _check_heard(mixed)
    if own_rate != rate:
        resample = import_torchaudio().functional.resample
        mixed = resample(torch.from_numpy(mixed), own_rate, rate).numpy()
    steps = np.clip(np.rint(mixed * _FULL), -_FULL, _FULL - 1).astype(np.int32)
    _check_heard(steps)
    return steps


def _check_heard(samples: NDArray[np.generic]) -> None:
    if len(samples) and (samples == samples[0]).all():
        raise AudioError(f"expected sound, found {len(samples)} samples of {samples[0]}: silence")
