"""Writes TIMIT: 630 people reading ten sentences each, as frames of samples.

Reads the tree of the distribution, ``TRAIN/DR1/FCJF0/SA1.WAV`` and the like (NIST SPHERE, 16 kHz,
mono, 16 bits) with the transcription ``SA1.TXT`` beside it, in any letter case, in the folder or up
to two below it. Where a copy ``SA1.WAV.wav`` lies beside an original, the original is read; where
there are copies only, they are.

- **Split.** The test is the owner's, TEST (1,680 utterances). Of TRAIN (4,620), 5 % that follow
  from the seed are for validation (231), the others for training (4,389): the usual counts. The
  people of the test are in no other part; those of validation are in training, too.
- ``--without-sa`` leaves out the two sentences SA1 and SA2 that everybody reads.
- The text of a sequence is its transcription. A recording without one is left out.
- What is dropped, spread and left out: ``data_prep.recordings``.

    python -m data_prep.timit --source FOLDER --out data/timit.h5

Garofolo and others, *TIMIT Acoustic-Phonetic Continuous Speech Corpus* (1993), LDC93S1.
"""

from __future__ import annotations

__all__ = ["prepare"]

import re
from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from data_prep.recordings import SIZE, Source, run, write_recordings
from data_prep.sources import folder_sha256
from data_prep.splits import split_percent
from seqmdn.data.audio import AudioError
from seqmdn.reading import read_text

RATE = 16_000
SHARES = (95, 5, 0)  # percent of TRAIN
WHOLE = {"train": 4620, "test": 1680}  # utterances of the whole corpus, and without SA
WITHOUT_SA = {"train": 3696, "test": 1344}

_DEEPEST = 2
_REGION = re.compile(r"dr\d+", re.IGNORECASE)
_LINE = re.compile(r"\d+ +\d+ +(?P<text>\S.*)")


class Utterance(NamedTuple):
    """A recording, and the transcription beside it if there is one."""

    sound: Path
    text: Path | None


def prepare(
    source: Path,
    out: Path,
    frame: int = SIZE,
    strict: bool = False,
    seed: int = 0,
    without_sa: bool = False,
) -> list[str]:
    """Writes the store from the folder with TRAIN and TEST; says what was left away.

    Raises:
        FileNotFoundError: If there are no such folders, or no utterances in one of them.
    """
    folders = _find(source)
    root = folders["train"].parent
    found = {part: _utterances(folder, without_sa) for part, folder in folders.items()}
    splits = split_percent(found["train"], seed, SHARES) | dict.fromkeys(found["test"], "test")
    recordings = [
        _source(root, utterance, splits[name])
        for part in found.values()
        for name, utterance in part.items()
    ]
    files = [path for part in found.values() for both in part.values() for path in both if path]
    said = write_recordings(
        out,
        recordings,
        rate=RATE,
        size=frame,
        strict=strict,
        seed=seed,
        attributes={"text_is": "transcription"},
        name="timit",
        source=[
            {
                "file": "TRAIN and TEST, *.WAV with *.TXT",
                "sha256": folder_sha256(
                    root, [path.relative_to(root).as_posix() for path in files]
                ),
            }
        ],
        licence="LDC User Agreement (TIMIT, LDC93S1)",
        command="python -m data_prep.timit --source $SEQMDN_DATA/timit "
        f"--frame {frame} --seed {seed}{' --without-sa' if without_sa else ''}",
    )
    counts = {part: len(each) for part, each in found.items()}
    whole = WITHOUT_SA if without_sa else WHOLE
    more = "" if counts == whole else f"; the whole corpus has {whole['train']} and {whole['test']}"
    return [f"{counts['train']} utterances in TRAIN and {counts['test']} in TEST{more}", *said]


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""

    def options(parser: ArgumentParser) -> None:
        parser.add_argument(
            "--without-sa", action="store_true", help="leave out the sentences that all read"
        )

    run("timit", "TIMIT", "TRAIN and TEST", prepare, arguments, options)


def _find(source: Path) -> dict[str, Path]:
    """Gives the folders train and test, whatever their letter case."""
    level = [source] if source.is_dir() else []
    for _ in range(_DEEPEST + 1):
        below = []
        for folder in level:
            inside = sorted(path for path in folder.iterdir() if path.is_dir())
            named = {path.name.lower(): path for path in inside}
            if {"train", "test"} <= named.keys():
                return {"train": named["train"], "test": named["test"]}
            below += inside
        level = below
    names = sorted(path.name for path in source.iterdir())[:5] if source.is_dir() else []
    raise FileNotFoundError(
        f"expected folders TRAIN and TEST in {source}, found {', '.join(names) or 'nothing'}: give "
        "the folder of TIMIT (LDC93S1) that holds them"
    )


def _utterances(folder: Path, without_sa: bool) -> dict[str, Utterance]:
    """Gives the utterances by region, speaker and sentence."""
    sounds: dict[str, Path] = {}
    texts: dict[str, Path] = {}
    # Sorted by length, an original comes before its copy NAME.WAV.wav.
    for path in sorted(folder.glob("*/*/*"), key=lambda path: (len(path.name), path)):
        region, _, file = path.relative_to(folder).parts
        sentence, *endings = file.lower().split(".")
        if not _REGION.fullmatch(region) or not sentence:
            continue
        name = path.relative_to(folder).with_name(sentence).as_posix().upper()
        if without_sa and sentence.startswith("sa"):
            continue
        if endings in (["wav"], ["wav", "wav"]):
            sounds.setdefault(f"{folder.name.upper()}/{name}", path)
        elif endings == ["txt"]:
            texts.setdefault(f"{folder.name.upper()}/{name}", path)
    if not sounds:
        inside = sorted(path.name for path in folder.iterdir())[:5]
        raise FileNotFoundError(
            f"expected recordings such as DR1/FCJF0/SI648.WAV in {folder}, found none among "
            f"{', '.join(inside) or 'nothing'}: unpack the whole distribution"
        )
    return {name: Utterance(sounds[name], texts.get(name)) for name in sorted(sounds)}


def _source(root: Path, utterance: Utterance, split: str) -> Source:
    name = utterance.sound.relative_to(root).as_posix()
    if utterance.text is None:
        return Source(
            name, partial(_refuse, "a transcription *.TXT beside it, found none"), split, ""
        )
    line = read_text(utterance.text, "latin-1").strip()
    match = _LINE.fullmatch(line)
    if match is None:
        why = f"a transcription such as '0 46797 She had ...', found {line[:40]!r}"
        return Source(name, partial(_refuse, why), split, "")
    return Source(name, partial(utterance.sound.open, "rb"), split, match["text"])


def _refuse(expected: str) -> BinaryIO:
    raise AudioError(f"expected {expected}")


if __name__ == "__main__":
    main()
