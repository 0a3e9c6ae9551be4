"""Sound that a store holds or a model draws: its form, and files of it, written piece by piece."""

from __future__ import annotations

__all__ = ["PAUSE", "SoundForm", "Written", "save_sound", "sound_form"]

import math
import os
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqmdn.data.store import Store
from seqmdn.files import written_whole

Frames = NDArray[np.floating[Any]]

PAUSE = 0.25
"""Seconds of silence between two sequences of a file."""

_FULL = 2**15  # steps of 16 bits from silence to full scale


class SoundForm(NamedTuple):
    """How the frames of a store are sound.

    Attributes:
        rate: Samples a second.
        size: Samples a frame.
        full_scale: The value that is as loud as sound can be.
    """

    rate: int
    size: int
    full_scale: float

    def frames(self, seconds: float) -> int:
        """Give the number of frames that hold as many seconds.

        Raises:
            ValueError: If there is not a first moment, or no last one.

        Example:
            >>> SoundForm(rate=8000, size=200, full_scale=1.0).frames(1.01)
            41
        """
        if not 0 < seconds < math.inf:
            raise ValueError(f"expected a positive number of seconds, found {seconds}")
        # 1.1 * 8000 is a hair above 8800, which is no sample more.
        return max(1, math.ceil(round(seconds * self.rate, 6) / self.size))

    def seconds(self, frames: int) -> float:
        """Give the seconds that as many frames last."""
        return frames * self.size / self.rate

    def levels(self, values: Frames) -> tuple[NDArray[np.int16], int]:
        """Round values to steps of 16 bits; what is louder than full scale is clipped to it.

        Returns:
            The steps, and how many of them were clipped.

        Example:
            >>> steps, clipped = SoundForm(8000, 2, 1.0).levels(np.array([0.5, -1.5]))
            >>> steps.tolist(), clipped
            ([16384, -32768], 1)
        """
        steps = np.rint(np.asarray(values, np.float64) * (_FULL / self.full_scale))
        inside = np.clip(steps, -_FULL, _FULL - 1)
        return inside.astype(np.int16), int((inside != steps).sum())

    def values(self, steps: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """Give the values of steps of 16 bits, the way back from :meth:`levels`.

        Example:
            >>> SoundForm(8000, 2, 1.0).values(np.array([16384, -32768])).tolist()
            [0.5, -1.0]
        """
        return np.asarray(steps, np.float64) * (self.full_scale / _FULL)


class Written(NamedTuple):
    """What a file of sound holds.

    Attributes:
        frames: The frames of the longest sequence.
        samples: All samples that are not silence between sequences.
        clipped: How many of these were beyond full scale.
    """

    frames: int
    samples: int
    clipped: int


def sound_form(store: Store) -> SoundForm:
    """Say how a store's frames are sound.

    Raises:
        ValueError: If they are none: of another kind, or without a sample rate.
    """
    kind, rate = store.attributes.get("kind", "series"), store.attributes.get("sample_rate")
    if kind != "audio" or rate is None:
        found = f"kind {kind!r}" if kind != "audio" else "no sample_rate"
        raise ValueError(
            f"{store.name} is not sound: expected a store of kind 'audio' with a sample_rate, "
            f"found {found}"
        )
    full_scale = float(store.attributes.get("full_scale", 1.0))
    return SoundForm(int(rate), store.features, full_scale)


def save_sound(
    path: str | os.PathLike[str],
    pieces: Iterable[tuple[Frames, NDArray[np.bool_]]],
    form: SoundForm,
) -> Written:
    """Write sequences of frames as sound of 16 bits, frame by frame, as they come.

    The sequences follow one another, with 0.25 s of silence between them. While the first is
    written to the file, the others wait for their turn on the disk; memory holds one frame of each.

    Args:
        path: The file, ``.wav`` or ``.flac``, written whole or not at all.
        pieces: For each step in time the frames ``(B, size)`` of all sequences, and of which of
            them they are a part ``(B,)``: a sequence that has ended does not go on.
        form: How they are sound.

    Raises:
        ModuleNotFoundError: If soundfile is not installed.
        OSError: If the file cannot be written.
    """
    try:
        import soundfile
    except ImportError:
        raise ModuleNotFoundError(
            "sound is written with soundfile, which is not installed: pip install 'seqmdn[speech]'"
        ) from None
    samples = clipped = 0
    lengths: NDArray[np.int64] = np.zeros(0, np.int64)
    with ExitStack() as stack:
        partial = stack.enter_context(written_whole(path))
        sound = stack.enter_context(
            soundfile.SoundFile(partial, "w", form.rate, channels=1, subtype="PCM_16")
        )
        # Where the file itself is to be, there is room for it.
        waiting = stack.enter_context(tempfile.TemporaryFile(dir=partial.parent))
        for frames, present in pieces:
            if not len(lengths):
                lengths = np.zeros(len(frames), np.int64)
            lengths += present
            # What follows the end of a sequence may be anything, and is counted nowhere.
            steps, beyond = form.levels(np.where(present[:, None], frames, 0))
            samples += int(present.sum()) * form.size
            clipped += beyond
            if present[0]:
                sound.write(steps[0])
            waiting.write(steps[1:].tobytes())
        for place, length in enumerate(lengths[1:].tolist()):
            sound.write(np.zeros(round(PAUSE * form.rate), np.int16))
            for t in range(length):
                sound.write(_frame(waiting, t * (len(lengths) - 1) + place, form.size))
    return Written(int(lengths.max(initial=0)), samples, clipped)


def _frame(file: BinaryIO, number: int, size: int) -> NDArray[np.int16]:
    file.seek(number * size * np.dtype(np.int16).itemsize)
    return np.frombuffer(file.read(size * np.dtype(np.int16).itemsize), np.int16)
