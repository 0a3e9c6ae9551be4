"""Made-up recordings, and trees of them in the layouts of corpora that are not at hand."""

from pathlib import Path
from typing import Any

import numpy as np
import soundfile

SPEAKERS = [("DR1", "FCJF0"), ("DR1", "MDAC0"), ("DR3", "MADC0"), ("DR8", "FBCG1")]
SENTENCES = ["SA1", "SA2", "SI648", "SX37", "SX127"]
TESTERS = [("DR1", "FAKS0"), ("DR2", "MABW0")]
LANGUAGES = ["arabic", "english", "mandarin", "spanish"]


def sound(seed: int, length: int = 900) -> np.ndarray:
    """Noise of 16 bits, of which all levels are in use."""
    return np.random.default_rng(seed).integers(-9000, 9000, length).astype(np.int16)


def write(path: Path, samples: np.ndarray, rate: int = 16_000, **kind: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **kind)
    return path


def timit(folder: Path, lower: bool = False, length: int = 900) -> Path:
    """TIMIT: SPHERE files of four people for training and of two for the test."""

    def named(*parts: str) -> Path:
        path = Path(*parts)
        return folder / (str(path).lower() if lower else path)

    number = 0
    for part, speakers in (("TRAIN", SPEAKERS), ("TEST", TESTERS)):
        for region, speaker in speakers:
            for sentence in SENTENCES:
                path = named(part, region, speaker, f"{sentence}.WAV")
                write(path, sound(number, length), format="NIST", subtype="PCM_16")
                said = f"0 {length} She said {sentence} to {speaker}.\n"
                named(part, region, speaker, f"{sentence}.TXT").write_text(said)
                named(part, region, speaker, f"{sentence}.PHN").write_text("0 9 h#\n")
                number += 1
    return folder


def blizzard(folder: Path, number: int = 20, length: int = 27_000) -> Path:
    """Chapters of books, 24 kHz."""
    for place in range(number):
        path = folder / f"book{place % 3}" / f"chapter{place:02}.wav"
        write(path, sound(place, length), 24_000)
    return folder


def accent(folder: Path, number: int = 24, length: int = 27_000) -> Path:
    """The archive as it is on Kaggle: a list and mp3 files, and a speaker without one."""
    rows = [
        "age,age_onset,birthplace,filename,native_language,sex,speakerid,country,file_missing?,,"
    ]
    rows += ['24,12,"koussi, senegal",balanta,balanta,male,788,senegal,TRUE,,']
    for place in range(number):
        language = LANGUAGES[place % len(LANGUAGES)]
        name = f"{language}{place // len(LANGUAGES) + 1}"
        rows += [f'30,9,"somewhere, {language}",{name},{language},male,{place},x,FALSE,,']
        path = folder / "recordings" / "recordings" / f"{name}.mp3"
        both = np.stack([sound(place, length)] * 2, axis=1)
        write(path, both, 24_000, format="MP3")
    (folder / "speakers_all.csv").write_text("\n".join(rows) + "\n")
    return folder
