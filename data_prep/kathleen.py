"""Writes the recordings of one speaker who reads the CMU Arctic prompts, as frames of samples.

Reads ``metadata.json``, a list of ``{"file", "text", "split", "samples"}`` and more, and the FLAC
files that it names in ``flac16k`` (16 kHz, mono, 16 bits). The split is the one that the list
gives; the text of a sequence is its transcription. What is dropped, spread and left out:
``data_prep.recordings``.

    python -m data_prep.kathleen --source FOLDER --out data/kathleen.h5

Kathleen's recordings of the CMU Arctic prompts, CC0.
"""

from __future__ import annotations

__all__ = ["prepare"]

from functools import partial
from pathlib import Path
from typing import Any

from data_prep.recordings import SIZE, Source, run, write_recordings
from data_prep.sources import folder_sha256, origin, require_file
from seqmdn.data import SPLITS
from seqmdn.reading import read_json

RATE = 16_000
LIST, FOLDER = "metadata.json", "flac16k"


def prepare(
    source: Path, out: Path, frame: int = SIZE, strict: bool = False, seed: int = 0
) -> list[str]:
    """Writes the store from the folder that holds the list; says what was left away."""
    entries = _read(source / LIST)
    folder = source / FOLDER
    if not folder.is_dir():
        raise FileNotFoundError(f"expected the recordings in {folder}, found no such folder")
    names = {str(entry["file"]) for entry in entries}
    there = [name for name in names if (folder / name).is_file()]
    recordings = [
        Source(
            entry["file"],
            partial((folder / entry["file"]).open, "rb"),
            entry["split"],
            entry["text"],
            entry["samples"],
        )
        for entry in entries
    ]
    return write_recordings(
        out,
        recordings,
        rate=RATE,
        size=frame,
        strict=strict,
        seed=seed,
        name="kathleen",
        source=[
            origin(source / LIST),
            {"file": f"{FOLDER}/*.flac", "sha256": folder_sha256(folder, there)},
        ],
        licence="CC0",
        command="python -m data_prep.kathleen --source $SEQMDN_DATA/kathleen "
        f"--frame {frame} --seed {seed}",
    )


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    layout = f"{LIST} and {FOLDER}"
    run("kathleen", "the recordings of one speaker", layout, prepare, arguments)


def _read(path: Path) -> list[dict[str, Any]]:
    require_file(path, "the list of recordings")
    entries = read_json(path)
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{path}: expected a list of recordings, found {str(entries)[:40]!r}")
    kinds = {"file": str, "text": str, "split": str, "samples": int}
    for number, entry in enumerate(entries):
        right = isinstance(entry, dict) and all(
            isinstance(entry.get(key), kind) for key, kind in kinds.items()
        )
        if not right or entry["split"] not in SPLITS or Path(entry["file"]).name != entry["file"]:
            raise ValueError(
                f"{path}, entry {number}: expected a file name, a text, a split of "
                f"{', '.join(SPLITS)} and a number of samples, found {str(entry)[:200]}"
            )
    return entries


if __name__ == "__main__":
    main()
