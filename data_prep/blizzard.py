"""Writes the recordings of the Blizzard Challenge 2013: audiobooks, as frames of samples.

Reads the wav or the mp3 files of a folder and of all folders in it: one woman reading books, about
300 hours without segmentation (mp3) or 19 hours in sentences (wav). Each file is a sequence,
converted to 16 kHz, 16 bits, mono (``seqmdn.data.conversion``). With files of both kinds there,
``--ending`` says which ones to read: the same speech may be in both, and must not be in two parts.

- **Split** by files, 90 % for training and 5 % each for validation and the test, as follows from
  the seed. Chung and others (2015) name the same shares, of sequences of 0.5 s; the code that they
  published puts all recordings of a part of the corpus into one row, cuts that into pieces of 8,000
  samples, over the borders of recordings, and takes the first 2,040,064 pieces for training and the
  112,640 behind them for validation. Here no piece reaches over a border: recipes cut each
  recording into pieces of 40 frames of 200 samples (``SequenceDataModule(length=40)``).
- What is dropped, spread and left out: ``data_prep.recordings``.

    python -m data_prep.blizzard --source FOLDER --out data/blizzard.h5

King and Karaiskos, *The Blizzard Challenge 2013* (2013); the recordings are Lessac Technologies'.
Chung, Kastner, Dinh, Goel, Courville and Bengio, *A Recurrent Latent Variable Model for Sequential
Data* (2015), https://github.com/jych/nips2015_vrnn
"""

from __future__ import annotations

__all__ = ["prepare"]

from argparse import ArgumentParser
from collections import Counter
from functools import partial
from pathlib import Path

from data_prep.recordings import SIZE, Source, run, write_recordings
from data_prep.sources import find_files, folder_sha256
from data_prep.splits import split_percent

RATE = 16_000
SHARES = (90, 5, 5)  # percent
ENDINGS = (".wav", ".mp3")


def prepare(
    source: Path,
    out: Path,
    frame: int = SIZE,
    strict: bool = False,
    seed: int = 0,
    ending: str | None = None,
) -> list[str]:
    """Writes the store from a folder of wav or mp3 files; says what was done and left away.

    Raises:
        FileNotFoundError: If there are no such files.
        ValueError: If there are files of both kinds, and no ending says which ones to read.
    """
    names = find_files(source, ENDINGS if ending is None else (ending,))
    kinds = Counter(Path(name).suffix.lower() for name in names)
    if len(kinds) > 1:
        found = " and ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        raise ValueError(
            f"{source}: expected files of one kind, found {found}, which may hold the same speech: "
            "name one with --ending"
        )
    splits = split_percent(names, seed, SHARES)
    (kind,) = kinds
    return write_recordings(
        out,
        [Source(name, partial((source / name).open, "rb"), splits[name], None) for name in names],
        rate=RATE,
        size=frame,
        strict=strict,
        seed=seed,
        convert=True,
        name="blizzard",
        source=[{"file": f"**/*{kind}", "sha256": folder_sha256(source, names)}],
        licence="Blizzard Challenge 2013 licence (Lessac Technologies), research only",
        command="python -m data_prep.blizzard --source $SEQMDN_DATA/blizzard "
        f"--frame {frame} --seed {seed} --ending {kind}",
    )


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""

    def options(parser: ArgumentParser) -> None:
        parser.add_argument("--ending", choices=ENDINGS, help="of the files to read")

    what = "the Blizzard Challenge 2013"
    run("blizzard", what, "wav or mp3 files", prepare, arguments, options)


if __name__ == "__main__":
    main()
