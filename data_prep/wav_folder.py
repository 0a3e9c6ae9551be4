"""Writes one's own recordings: a folder of sound files, as frames of samples.

Reads the files ``.wav``, ``.flac``, ``.mp3``, ``.ogg``, ``.aiff``, ``.aif`` and ``.sph`` of the
folder and of all folders in it, of any width and number of channels, as 16-bit mono sound
(``seqmdn.data.conversion``).

- **Rate.** That of the files, if they all have one; else ``--rate`` says to which one to convert.
  Files of a lower rate are left out.
- **Text.** If a file ``NAME.txt`` lies beside each recording, it holds its text (``--text-is`` says
  whether that is a transcription or a name); if beside none, there are no texts.
- **Split** by the folders ``train``, ``valid`` and ``test`` where there is one of them: the way to
  keep speakers apart. Else recordings are split by ``--split``, in percent, and the seed.
- What is dropped, spread and left out: ``data_prep.recordings``.

    python -m data_prep.wav_folder --source FOLDER --out data/mine.h5 --rate 16000
"""

from __future__ import annotations

__all__ = ["prepare"]

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from data_prep.recordings import SIZE, Source, run, write_recordings
from data_prep.sources import find_files, folder_sha256
from data_prep.splits import parse_shares, split_percent
from seqmdn.data import SPLITS
from seqmdn.data.audio import AudioError, open_sound
from seqmdn.reading import read_text

ENDINGS = (".wav", ".flac", ".mp3", ".ogg", ".aiff", ".aif", ".sph")
SHARES = (80.0, 10.0, 10.0)  # percent


def prepare(
    source: Path,
    out: Path,
    frame: int = SIZE,
    strict: bool = False,
    seed: int = 0,
    rate: int | None = None,
    split: Sequence[float] = SHARES,
    text_is: str = "transcription",
) -> list[str]:
    """Writes the store from a folder of sound files; says what was done and left away.

    Raises:
        FileNotFoundError: If there are no such files.
        ValueError: If rates are mixed and none is asked for, some recordings have a text and others
            do not, or some lie outside the folders of the splits.
    """
    names = find_files(source, ENDINGS)
    rate = _rate(source, names) if rate is None else rate
    texts = _texts(source, names)
    splits, how = _split(source, names, split, seed)
    files = [*names, *(Path(name).with_suffix(".txt").as_posix() for name in texts)]
    return write_recordings(
        out,
        [
            Source(name, partial((source / name).open, "rb"), splits[name], texts.get(name))
            for name in names
        ],
        rate=rate,
        size=frame,
        strict=strict,
        seed=seed,
        convert=True,
        attributes={"text_is": text_is} if texts else None,
        name=source.resolve().name,
        source=[
            {"file": "sound files, with *.txt", "sha256": folder_sha256(source, set(files))},
        ],
        licence="its owner's",
        command=f"python -m data_prep.wav_folder --source FOLDER --frame {frame} --seed {seed} "
        f"--rate {rate}{how}" + (f" --text-is {text_is}" if texts else ""),
    )


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""

    def options(parser: ArgumentParser) -> None:
        parser.add_argument("--rate", type=int, help="samples a second, default: the files'")
        parser.add_argument(
            "--split", type=parse_shares, default=SHARES, help="percent, default: 80,10,10"
        )
        parser.add_argument(
            "--text-is",
            choices=["transcription", "name"],
            default="transcription",
            help="what the texts are, default: %(default)s",
        )

    run("wav_folder", "one's own recordings", "sound files", prepare, arguments, options)


def _rate(source: Path, names: list[str]) -> int:
    """Gives the one rate of all files that can be opened; the others are named when read."""
    rates: Counter[int] = Counter()
    for name in names:
        try:
            with open_sound(source / name) as sound:
                rates[sound.samplerate] += 1
        except AudioError:
            continue
    if len(rates) != 1:
        found = ", ".join(f"{count} of {rate}" for rate, count in sorted(rates.items()))
        raise ValueError(
            f"{source}: expected recordings of one rate, found {found or 'none that can be read'}: "
            "say with --rate to which one to convert them"
        )
    return next(iter(rates))


def _texts(source: Path, names: list[str]) -> dict[str, str]:
    paths = {name: (source / name).with_suffix(".txt") for name in names}
    found = {name: path for name, path in paths.items() if path.is_file()}
    if 0 < len(found) < len(paths):
        raise ValueError(
            f"{source}: expected a text of all recordings or of none, found one of "
            f"{next(iter(found))} and none of {next(n for n in names if n not in found)}: add or "
            "remove it"
        )
    return {name: read_text(path).strip() for name, path in found.items()}


def _split(
    source: Path, names: list[str], shares: Sequence[float], seed: int
) -> tuple[dict[str, str], str]:
    """Gives each recording's split, and what the command says of it."""
    if not any((source / split).is_dir() for split in SPLITS):
        splits = split_percent(names, seed, shares)
        return splits, f" --split {','.join(f'{share:g}' for share in shares)}"
    splits = {name: name.split("/")[0] for name in names}
    outside = [name for name, split in splits.items() if split not in SPLITS]
    if outside:
        raise ValueError(
            f"{source}: expected all recordings in the folders {', '.join(SPLITS)}, as some are, "
            f"found {outside[0]}: move it"
        )
    lacking = [split for split in SPLITS if split not in splits.values()]
    if lacking:
        raise ValueError(
            f"{source}: expected recordings in each of the folders {', '.join(SPLITS)}, found none "
            f"in {', '.join(lacking)}: move some there, or all of them out to have them split"
        )
    return splits, ""


if __name__ == "__main__":
    main()
