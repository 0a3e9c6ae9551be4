"""Writes the Speech Accent Archive: one English paragraph read by people of 200 native languages.

Reads ``speakers_all.csv`` (columns age, age_onset, birthplace, filename, native_language, sex,
speakerid, country, file_missing?) and the mp3 files that it names without their ending, in
``recordings/recordings`` or ``recordings``, converted to 16 kHz, 16 bits, mono
(``seqmdn.data.conversion``).

- **Split** by speakers, 90 % for training and 5 % each for validation and the test, as follows from
  the seed; Chung and others (2015) name the same shares.
- The text of a sequence is the speaker's native language.
- Speakers that the list says have no recording are counted; a recording that is not in the list, or
  is not there, is left out. What else is: ``data_prep.recordings``.

    python -m data_prep.accent --source FOLDER --out data/accent.h5

Weinberger, *Speech Accent Archive* (George Mason University, 2015), http://accent.gmu.edu
"""

from __future__ import annotations

__all__ = ["prepare"]

import csv
import io
from functools import partial
from pathlib import Path
from typing import BinaryIO

from data_prep.recordings import SIZE, Source, run, write_recordings
from data_prep.sources import find_files, folder_sha256, origin, require_file
from data_prep.splits import split_percent
from seqmdn.data.audio import AudioError
from seqmdn.reading import read_text

RATE = 16_000
SHARES = (90, 5, 5)  # percent of the speakers
LIST, FOLDERS, ENDING = "speakers_all.csv", ("recordings/recordings", "recordings"), ".mp3"
COLUMNS = ("filename", "native_language", "speakerid")
MISSING = "file_missing?"


def prepare(
    source: Path, out: Path, frame: int = SIZE, strict: bool = False, seed: int = 0
) -> list[str]:
    """Writes the store from the folder that holds the list; says what was done and left away.

    Raises:
        FileNotFoundError: If there is no list, or no folder of recordings.
        ValueError: If the list lacks a column, or names a recording twice.
    """
    rows, missing = _read(source / LIST)
    folder = _folder(source)
    names = find_files(folder, (ENDING,))
    written = {name.lower(): name for name in names}
    splits = split_percent({row["speakerid"] for row in rows.values()}, seed, SHARES)
    recordings = [
        Source(
            name,
            partial((folder / written.get(name, name)).open, "rb"),
            splits[row["speakerid"]],
            row["native_language"],
        )
        for name, row in rows.items()
    ]
    recordings += [Source(name, _refuse, "train", "") for name in names if name.lower() not in rows]
    said = write_recordings(
        out,
        recordings,
        rate=RATE,
        size=frame,
        strict=strict,
        seed=seed,
        convert=True,
        attributes={"text_is": "name"},
        name="accent",
        source=[
            origin(source / LIST),
            {"file": f"recordings/*{ENDING}", "sha256": folder_sha256(folder, names)},
        ],
        licence="CC BY-NC-SA (Speech Accent Archive, Weinberger)",
        command="python -m data_prep.accent --source $SEQMDN_DATA/accent "
        f"--frame {frame} --seed {seed}",
    )
    return [f"{missing} speakers have no recording, as the list says", *said]


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    layout = f"{LIST} and {FOLDERS[0]}"
    run("accent", "the Speech Accent Archive", layout, prepare, arguments)


def _read(path: Path) -> tuple[dict[str, dict[str, str]], int]:
    """Gives the rows by the names of their recordings, and how many have none."""
    require_file(path, "the list of speakers")
    reader = csv.DictReader(io.StringIO(read_text(path, "utf-8-sig"), newline=""))
    try:
        columns = reader.fieldnames or []
        listed = list(reader)
    except csv.Error as error:
        raise ValueError(f"{path}: expected cells of text, found none ({error})") from error
    lacking = [column for column in COLUMNS if column not in columns]
    if lacking:
        raise ValueError(
            f"{path}: expected columns {', '.join(COLUMNS)}, found {', '.join(columns)[:80]!r}"
        )
    rows: dict[str, dict[str, str]] = {}
    missing = 0
    for number, row in enumerate(listed, 2):
        values = {column: (row[column] or "").strip() for column in COLUMNS}
        if (row.get(MISSING) or "").strip().lower() in ("true", "1"):
            missing += 1
            continue
        name = values["filename"].removesuffix(ENDING) + ENDING
        if not all(values.values()) or Path(name).name != name or name.lower() in rows:
            raise ValueError(
                f"{path}, line {number}: expected a file name that comes once, a language and a "
                f"speaker's number, found {', '.join(values.values())!r}"
            )
        rows[name.lower()] = values
    if not rows:
        raise ValueError(f"{path}: expected speakers with recordings, found none")
    return rows, missing


def _folder(source: Path) -> Path:
    for name in FOLDERS:
        if (source / name).is_dir():
            return source / name
    raise FileNotFoundError(
        f"expected a folder {' or '.join(FOLDERS)} in {source}, found neither: unpack the "
        "recordings beside the list"
    )


def _refuse() -> BinaryIO:
    raise AudioError(f"expected a row of {LIST} for it, found none")


if __name__ == "__main__":
    main()
