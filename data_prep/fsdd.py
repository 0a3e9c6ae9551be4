"""Writes the Free Spoken Digit Dataset: spoken digits of six people, as frames of samples.

Reads ``recordings.zip``, or the folder ``recordings`` of the owner's repository, with files such as
``recordings/7_jackson_32.wav``: digit, speaker, take (8 kHz, mono, 16 bits). The owner's test part
is takes 0 to 4 of each speaker and digit. Takes 5 to 9 are the validation part here, the others are
for training: all speakers are in all parts. The text of a sequence is ``digit/speaker``. What is
dropped, spread and left out: ``data_prep.recordings``.

    python -m data_prep.fsdd --source FOLDER --out data/fsdd.h5
    python -m data_prep.fsdd --source FOLDER --labels --out data/fsdd_labels.h5

With ``--labels``, digit and speaker are a context of every frame, a column each ("digit 7",
"speaker theo"): what a model says can be asked for.

Free Spoken Digit Dataset (Jackson and others), https://github.com/Jakobovski/free-spoken-digit-dataset
"""

from __future__ import annotations

__all__ = ["prepare"]

import io
import re
from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO

from data_prep.recordings import SIZE, Source, run, write_recordings
from data_prep.sources import folder_sha256, origin, read_zip

RATE = 8_000
TEST, VALID = 5, 5  # takes: the first ones for the test, the next for validation
ARCHIVE, FOLDER = "recordings.zip", "recordings"

_NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>[^_]+)_(?P<take>\d+)\.wav")


def prepare(
    source: Path,
    out: Path,
    frame: int = SIZE,
    strict: bool = False,
    seed: int = 0,
    labels: bool = False,
) -> list[str]:
    """Writes the store from the folder of the archive or of recordings; says what was left away."""
    found, described = _find(source)
    recordings = []
    digits, speakers = set(), set()
    for name in sorted(found, key=_order):
        match = _match(source, name)
        take = int(match["take"])
        split = "test" if take < TEST else "valid" if take < TEST + VALID else "train"
        digit, speaker = f"digit {match['digit']}", f"speaker {match['speaker']}"
        digits.add(digit)
        speakers.add(speaker)
        said = f"{match['digit']}/{match['speaker']}"
        recordings.append(Source(name, found[name], split, said, labels=(digit, speaker)))
    return write_recordings(
        out,
        recordings,
        rate=RATE,
        size=frame,
        strict=strict,
        seed=seed,
        labels=[*sorted(digits), *sorted(speakers)] if labels else [],
        name="fsdd_labels" if labels else "fsdd",
        source=[described],
        licence="CC BY-SA 4.0 (Free Spoken Digit Dataset)",
        command="python -m data_prep.fsdd --source $SEQMDN_DATA/fsdd "
        f"--frame {frame} --seed {seed}{' --labels' if labels else ''}",
    )


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""

    def options(parser: ArgumentParser) -> None:
        parser.add_argument(
            "--labels", action="store_true", help="keep digit and speaker as a context"
        )

    run("fsdd", "the Free Spoken Digit Dataset", ARCHIVE, prepare, arguments, options)


def _find(source: Path) -> tuple[dict[str, Callable[[], BinaryIO]], dict[str, str]]:
    """Gives each recording's name and what opens it, and what the store's source is."""
    archive, folder = source / ARCHIVE, source / FOLDER
    found: dict[str, Callable[[], BinaryIO]]
    if archive.is_file():
        content = read_zip(archive, ".wav")
        found = {Path(name).name: partial(io.BytesIO, data) for name, data in content}
        described = origin(archive)
    elif folder.is_dir():
        names = [path.name for path in folder.glob("*.wav")]
        found = {name: partial((folder / name).open, "rb") for name in names}
        described = {"file": f"{FOLDER}/*.wav", "sha256": folder_sha256(folder, names)}
    else:
        raise FileNotFoundError(
            f"expected {ARCHIVE} or a folder {FOLDER} in {source}, found neither: take "
            f"{FOLDER} from github.com/Jakobovski/free-spoken-digit-dataset"
        )
    if not found:
        raise ValueError(f"{source}: expected recordings such as 7_jackson_32.wav, found none")
    return found, described


def _match(source: Path, name: str) -> re.Match[str]:
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(
            f"{source}: expected names such as 7_jackson_32.wav (digit, speaker, take), found "
            f"{name!r}: remove it"
        )
    return match


def _order(name: str) -> list[str]:
    """Sorts take 10 behind take 9."""
    return [word.zfill(4) for word in re.split(r"[_.]", name)]


if __name__ == "__main__":
    main()
