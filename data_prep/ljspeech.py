"""Writes LJ Speech: one woman reading passages of seven books, as frames of samples.

Reads ``metadata.csv``, lines ``id|text|normalised text`` without quotes, and the files
``wavs/LJ001-0001.wav`` and so on that it names (22,050 Hz, mono, 16 bits). The rate is kept, or is
converted to that of ``--rate`` (``seqmdn.data.conversion``).

- **Split** by recordings, 90 % for training and 5 % each for validation and the test, as follows
  from the seed; the owner gives none. Passages of one chapter are in all parts.
- The text of a sequence is its normalised transcription: numbers and abbreviations in words.
- What is dropped, spread and left out: ``data_prep.recordings``.

    python -m data_prep.ljspeech --source FOLDER --out data/ljspeech.h5

Ito and Johnson, *The LJ Speech Dataset* (2017), https://keithito.com/LJ-Speech-Dataset
"""

from __future__ import annotations

__all__ = ["prepare"]

from argparse import ArgumentParser
from functools import partial
from pathlib import Path

from data_prep.recordings import SIZE, Source, run, write_recordings
from data_prep.sources import folder_sha256, origin, require_file
from data_prep.splits import split_percent
from seqmdn.reading import read_text

RATE = 22_050
SHARES = (90, 5, 5)  # percent
LIST, FOLDER = "metadata.csv", "wavs"


def prepare(
    source: Path,
    out: Path,
    frame: int = SIZE,
    strict: bool = False,
    seed: int = 0,
    rate: int = RATE,
) -> list[str]:
    """Writes the store from the folder that holds the list; says what was done and left away.

    Raises:
        FileNotFoundError: If there is no list, or no folder ``wavs``.
        ValueError: If a line of the list is none.
    """
    texts = _read(source / LIST)
    folder = source / FOLDER
    if not folder.is_dir():
        raise FileNotFoundError(f"expected the recordings in {folder}, found no such folder")
    splits = split_percent(texts, seed, SHARES)
    there = [f"{name}.wav" for name in texts if (folder / f"{name}.wav").is_file()]
    return write_recordings(
        out,
        [
            Source(name, partial((folder / f"{name}.wav").open, "rb"), splits[name], text)
            for name, text in texts.items()
        ],
        rate=rate,
        size=frame,
        strict=strict,
        seed=seed,
        convert=True,
        attributes={"text_is": "transcription"},
        name="ljspeech",
        source=[
            origin(source / LIST),
            {"file": f"{FOLDER}/*.wav", "sha256": folder_sha256(folder, there)},
        ],
        licence="public domain (LJ Speech)",
        command="python -m data_prep.ljspeech --source $SEQMDN_DATA/ljspeech "
        f"--frame {frame} --seed {seed} --rate {rate}",
    )


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""

    def options(parser: ArgumentParser) -> None:
        parser.add_argument("--rate", type=int, default=RATE, help="default: %(default)s")

    run("ljspeech", "LJ Speech", f"{LIST} and {FOLDER}", prepare, arguments, options)


def _read(path: Path) -> dict[str, str]:
    """Gives the normalised text of each recording."""
    require_file(path, "the list of recordings")
    texts: dict[str, str] = {}
    for number, line in enumerate(read_text(path).strip().split("\n"), 1):
        name, *said = (part.strip() for part in line.split("|"))
        # The third part is not there in some copies where it would be the second.
        text = said[-1] if said and said[-1] else said[0] if said else ""
        if not name or Path(name).name != name or name in texts or not text or len(said) > 2:
            raise ValueError(
                f"{path}, line {number}: expected 'id|text|normalised text' with an id that comes "
                f"once, found {line[:60]!r}"
            )
        texts[name] = text
    return texts


if __name__ == "__main__":
    main()
