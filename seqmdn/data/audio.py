"""Recordings as whole numbers of their own sample width, and the frames they are cut into."""

from __future__ import annotations

__all__ = [
    "LONGEST",
    "AudioError",
    "Recording",
    "Samples",
    "check_sound",
    "check_whole",
    "cut_frames",
    "import_torchaudio",
    "open_sound",
    "read_blocks",
    "read_recording",
    "spread_coarse",
]

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int32]
File = str | os.PathLike[str] | BinaryIO

# 24 bits fill float32's digits and leave none for the noise between two levels.
_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16}
# libsndfile believes the file's size and only notes that a header announces more.
_CUT = re.compile(r"(?:data|SSND|Data Size) *: (\d+) \(should be (\d+)\)")
_SPHERE = re.compile(rb"sample_count -i (\d+)")
#: Samples a channel that are read: three hours at 48 kHz.
LONGEST = 2**29

_BLOCK = 2**20  # samples to read at once: a header may announce any number
_STREAMED = 2**31 - 2**16  # bytes that a header announces, or more, when written to a pipe


def import_torchaudio() -> ModuleType:
    """Gives the package torchaudio, without its compiled part where that cannot be loaded.

    Its published wheels are built for CUDA: beside a CPU-only torch, loading the compiled part
    raises OSError. What is written in Python (resampling, spectrograms, mel scales, data sets)
    needs none of it; what does (``lfilter``'s fast loop, forced alignment) raises when called.

    Raises:
        ModuleNotFoundError: If torchaudio is not installed.

    Example:
        >>> import torch
        >>> torchaudio = import_torchaudio()
        >>> torchaudio.functional.resample(torch.zeros(1, 160), 16_000, 8_000).shape
        torch.Size([1, 80])
    """
    try:
        return import_module("torchaudio")
    except ModuleNotFoundError as error:
        if error.name != "torchaudio":
            raise
        raise ModuleNotFoundError(
            "sound is resampled and shown with torchaudio, which is not installed: pip install "
            "'seqmdn[speech]'"
        ) from None
    except OSError:
        sys.modules["torchaudio._extension"] = _WithoutExtension("torchaudio._extension")
        return import_module("torchaudio")


class _WithoutExtension(ModuleType):
    """Stands in for what loads torchaudio's compiled part, and says that there is none."""

    _IS_TORCHAUDIO_EXT_AVAILABLE = False
    _IS_ALIGN_AVAILABLE = False

    @staticmethod
    def fail_if_no_align(function: Any) -> Any:
        return function  # which fails by itself, as torch.ops has no such operation


class AudioError(ValueError):
    """A recording that cannot be used, in words that follow its name."""


class Recording(NamedTuple):
    """The sound of one file.

    Attributes:
        samples: (N,) int32, from -2^(bits - 1) up to 2^(bits - 1) - 1.
        rate: Samples a second.
        bits: The width of a sample: 1 is its smallest step.
    """

    samples: Samples
    rate: int
    bits: int


@contextmanager
def open_sound(file: File) -> Iterator[Any]:
    """Opens a sound file as a ``soundfile.SoundFile``, whatever libsndfile reads.

    Args:
        file: The file, or the stream of its bytes.

    Raises:
        AudioError: If it is no sound file, or its sound cannot be read inside the ``with`` block.
        FileNotFoundError: If there is no such file.
        ModuleNotFoundError: If soundfile is not installed.
    """
    try:
        import soundfile
    except ImportError:
        raise ModuleNotFoundError(
            "recordings are read with soundfile, which is not installed: pip install "
            "'seqmdn[speech]'"
        ) from None
    if isinstance(file, str | os.PathLike) and not os.path.isfile(file):
        raise FileNotFoundError(f"{os.fspath(file)}: expected a sound file, found none")
    try:
        with soundfile.SoundFile(file) as sound:
            yield sound
    except soundfile.LibsndfileError as error:
        raise AudioError(f"expected a sound file, found something else ({error})") from error


def read_recording(file: File) -> Recording:
    """Reads a mono recording (wav, flac and what else libsndfile reads) in steps of its own width.

    Args:
        file: The file, or the stream of its bytes.

    Raises:
        AudioError: If it is no sound file, has more than one channel, samples that are not integers
            of 8 or 16 bits, fewer samples than it announces or none, or if all samples are the same
            (silence) or at the ends of their range (clipping).
        FileNotFoundError: If there is no such file.
        ModuleNotFoundError: If soundfile is not installed.
    """
    with open_sound(file) as sound:
        bits = _BITS.get(sound.subtype)
        if bits is None or sound.channels != 1:
            raise AudioError(
                f"expected one channel of 8 or 16 bit integers, found {sound.channels} of "
                f"{sound.subtype}: convert it"
            )
        rate = sound.samplerate
        blocks = [np.empty(0, np.int32), *read_blocks(sound, "int32")]
        samples: Samples = np.concatenate(blocks) >> (32 - bits)
        check_whole(file, sound, len(samples))
    check_sound(samples, 2 ** (bits - 1))
    return Recording(samples, rate, bits)


def read_blocks(sound: Any, dtype: str, always_2d: bool = False) -> Iterator[NDArray[Any]]:
    """Reads a sound to its end in blocks, however many samples its header announces.

    Args:
        sound: The open file, of :func:`open_sound`.
        dtype: Of the samples.
        always_2d: Whether one channel is a column.

    Raises:
        AudioError: If there are more than ``LONGEST`` samples a channel.
    """
    count, size = 0, max(1, _BLOCK // sound.channels)
    while len(block := sound.read(size, dtype=dtype, always_2d=always_2d)):
        count += len(block)
        if count > LONGEST:
            raise AudioError(f"expected at most {LONGEST} samples, found more: cut it")
        yield block


def check_whole(file: File, sound: Any, found: int) -> None:
    """Refuses a file that has less sound than its header announces.

    Args:
        file: What ``sound`` was opened from.
        sound: The open file, of :func:`open_sound`.
        found: Samples a channel that were read.

    Raises:
        AudioError: If there are fewer, or none.
    """
    announced = sound.frames
    if sound.format == "NIST" and (match := _SPHERE.search(_head(file))):
        announced = max(announced, int(match[1]))
    if not found or found != announced:
        raise AudioError(f"expected {announced or 'some'} samples, found {found}")
    cut = _CUT.search(sound.extra_info)
    if cut and int(cut[2]) < int(cut[1]) < _STREAMED:
        raise AudioError(f"expected {cut[1]} bytes of samples, found {cut[2]}: it was cut off")


def check_sound(samples: Samples, full: int) -> None:
    """Refuses samples (N,) that are all the same, or all at the ends -full and full - 1.

    Raises:
        AudioError: If they are.
    """
    if (samples == samples[0]).all():
        raise AudioError(f"expected sound, found {len(samples)} samples of {samples[0]}: silence")
    if ((samples == full - 1) | (samples <= 1 - full)).all():
        raise AudioError(
            f"expected sound, found {len(samples)} samples at the ends of their range: clipping"
        )


def spread_coarse(samples: Samples, rng: np.random.Generator) -> tuple[Samples, int]:
    r"""Spreads samples that use only every s-th level evenly over the s levels around theirs.

    Some recordings of 16 bits were made with fewer: all samples are multiples of :math:`s = 2^k`.
    Between these levels a density would be free to grow without bound, by up to :math:`\log s` a
    sample over one of all levels. With an integer from :math:`-s/2` to :math:`s/2 - 1` added, and
    the half step that the noise of training is off centre, they are uniform over s whole steps.

    Args:
        samples: (N,)
        rng: What draws the integers.

    Returns:
        The samples (N,), the same ones where s is 1, and s.

    Example:
        >>> spread_coarse(np.array([256, 512, -256], np.int32), np.random.default_rng(0))[1]
        256
        >>> samples, step = spread_coarse(np.array([3, 8], np.int32), np.random.default_rng(0))
        >>> samples.tolist(), step
        ([3, 8], 1)
    """
    common = int(np.bitwise_or.reduce(samples))
    step = common & -common  # the lowest bit that any sample uses
    if step <= 1:
        return samples, 1
    noise = rng.integers(-step // 2, step // 2, size=samples.shape, dtype=np.int32)
    return samples + noise, step


def cut_frames(samples: Samples, size: int) -> tuple[Samples, int]:
    """Cuts a recording into frames; what does not fill the last one is dropped.

    Padding it instead would have a model scored on silence that was never recorded.

    Args:
        samples: (N,)
        size: Samples a frame.

    Returns:
        The frames (T, size) and the number of samples dropped.

    Raises:
        ValueError: If the size is below 1.

    Example:
        >>> frames, dropped = cut_frames(np.arange(5, dtype=np.int32), 2)
        >>> frames.tolist(), dropped
        ([[0, 1], [2, 3]], 1)
    """
    if size < 1:
        raise ValueError(f"expected frames of 1 sample or more, found {size}")
    count = len(samples) // size
    return samples[: count * size].reshape(count, size), len(samples) - count * size


def _head(file: File) -> bytes:
    """Gives the first bytes of a file, as many as a SPHERE header usually has."""
    if isinstance(file, str | os.PathLike):
        with Path(file).open("rb") as stream:
            return stream.read(1024)
    file.seek(0)
    return file.read(1024)
