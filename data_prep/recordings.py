"""What the preparations of speech have in common: recordings in, frames of samples out.

A recording is a sequence; a frame holds ``size`` samples, in steps of 16 bits. The levels are
integers, so that their density is unbounded: train with ``UniformDequantise(centred=True)``, half a
step to either side. Bits a dimension are then bits a sample of the 16-bit waveform.

- The samples behind the last whole frame are dropped and counted.
- A recording that uses only every s-th level, as one of 8 bits widened to 16 does, is spread over
  the s levels around its own by integers that follow from the seed, and counted.
- A recording that cannot be read or used (``read_recording``), has another rate or width, another
  number of samples than its list says, or fewer than two frames, is named, counted and left out;
  with ``strict`` it is an error.
- With ``convert``, one of another width, of several channels or of a higher rate is converted
  (``convert_recording``), which is said, and kept as attributes of the store; one of a lower rate
  is still left out.
"""

from __future__ import annotations

__all__ = ["Source", "run", "write_recordings"]

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_prep.conversions import Conversions
from data_prep.sources import advance, command_line
from data_prep.sources import run as run_command
from seqmdn.data import StoreWriter
from seqmdn.data.audio import (
    AudioError,
    Recording,
    cut_frames,
    read_recording,
    spread_coarse,
)
from seqmdn.data.conversion import Conversion, convert_recording

BITS = 16
SIZE = 200


class Source(NamedTuple):
    """One recording: where it is, what it is called and what is said, if that is known.

    ``samples`` is how many there are to be, where that is known; ``labels`` are those that hold for
    all of it. ``open`` may raise AudioError with a reason of its own to leave the recording out.
    """

    name: str
    open: Callable[[], BinaryIO]
    split: str
    text: str | None
    samples: int | None = None
    labels: tuple[str, ...] = ()


def write_recordings(
    out: Path,
    sources: Sequence[Source],
    rate: int,
    size: int,
    strict: bool,
    seed: int,
    convert: bool = False,
    attributes: Mapping[str, str | int] | None = None,
    labels: Sequence[str] = (),
    **description: Any,
) -> list[str]:
    """Writes the store (``description`` goes to its writer); says what was left away.

    With ``labels``, each of them is a column of the context: 1 in every frame of the recordings
    that have it, 0 in the others.

    Raises:
        ValueError: If ``strict`` and a recording cannot be used, or no recording can.
    """
    if size < 1:
        raise ValueError(f"expected frames of 1 sample or more, found {size}")
    if rate < 1:
        raise ValueError(f"expected a rate of 1 sample a second or more, found {rate}")
    left_out, counts = [], Counter(all=0, dropped=0, coarse=0)
    conversions = Conversions(rate) if convert else None
    with StoreWriter(
        out,
        features=[f"sample {place}" for place in range(size)],
        unit=f"step of {BITS} bits",
        step=f"frame of {size} samples",
        sample_rate=rate,
        context=labels,
        attributes={
            "kind": "audio",
            "sequence": "recording",
            "full_scale": float(2 ** (BITS - 1)),
            "seed": seed,
            **(attributes or {}),
        },
        **description,
    ) as writer:
        for place, source in enumerate(advance(sources, "recordings")):
            counts["all"] += 1
            try:
                rng = np.random.default_rng([seed, place])
                recording, done = _read(source, rate, convert)
                frames, dropped, step = _frames(source, recording, size, rng)
            except AudioError as error:
                if strict:
                    raise ValueError(f"{source.name}: {error}") from error
                left_out.append(f"{source.name}: {error}")
                continue
            if conversions is not None and done is not None:
                conversions.add(done)
            counts["dropped"] += dropped
            counts["coarse"] += step > 1
            context = np.tile([label in source.labels for label in labels], (len(frames), 1))
            writer.append(
                frames, source.split, text=source.text, context=context if labels else None
            )
        if conversions is not None:
            writer.add_attributes({**conversions.attributes(), "left_out": len(left_out)})
    return [
        *(conversions.said() if conversions is not None else []),
        f"{counts['dropped']} samples behind the last whole frames dropped",
        f"{counts['coarse']} recordings use fewer levels than {BITS} bits have, and are spread",
        f"{len(left_out)} of {counts['all']} recordings left out"
        + "".join(f"\n  {line}" for line in left_out),
    ]


def run(
    name: str,
    what: str,
    layout: str,
    prepare: Callable[..., list[str]],
    arguments: list[str] | None,
    options: Callable[[ArgumentParser], object] | None = None,
) -> None:
    """Runs the command line of a preparation; ``options`` adds those of its own."""
    parser = command_line(name, what, layout)
    parser.add_argument(
        "--frame", type=int, default=SIZE, help="samples a frame, default: %(default)s"
    )
    parser.add_argument(
        "--strict", action="store_true", help="stop at a recording that cannot be used"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="seed of what spreads coarse recordings, and of the split where it is drawn",
    )
    if options is not None:
        options(parser)
    run_command(parser, prepare, arguments)


def _read(source: Source, rate: int, convert: bool) -> tuple[Recording, Conversion | None]:
    """Gives a recording of this rate and 16 bits, and what was done to it."""
    done = None
    try:
        with source.open() as file:
            if convert:
                recording, done = convert_recording(file, rate)
            else:
                recording = read_recording(file)
    except FileNotFoundError as error:
        raise AudioError("expected a recording of this name, found none") from error
    if (recording.rate, recording.bits) != (rate, BITS):
        raise AudioError(
            f"expected {rate} samples a second of {BITS} bits, found {recording.rate} of "
            f"{recording.bits} bits"
        )
    return recording, done


def _frames(
    source: Source, recording: Recording, size: int, rng: np.random.Generator
) -> tuple[NDArray[np.int32], int, int]:
    """Gives the frames (T, size), the samples dropped, and the step that the recording uses."""
    samples, step = spread_coarse(recording.samples, rng)
    if source.samples not in (None, len(samples)):
        raise AudioError(f"expected {source.samples} samples, found {len(samples)}")
    frames, dropped = cut_frames(samples, size)
    if len(frames) < 2:
        raise AudioError(f"expected 2 frames of {size} samples or more, found {len(samples)}")
    return frames, dropped, step
