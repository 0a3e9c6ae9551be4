"""Omniglot's two archives as their owner packs them, of drawings made up for a test."""

import zipfile
from pathlib import Path

import numpy as np

PIXEL = {"Latin": 1.0, "Tagalog": 0.704607, "Greek": 0.837}
WRITERS = 20

Files = dict[str, dict[str, str]]  # archive -> member -> content


def write(strokes: list[list[tuple[int, int]]], pixel: float) -> str:
    """What Omniglot's authors would have written of points in whole pixels."""
    lines, time = ["START"], 0
    for stroke in strokes:
        for x, y in stroke:
            lines.append(f"{3.18 + pixel * x:.6f},{-40.27 + pixel * y:.6f},{time}")
            time += 17
        lines.append("BREAK")
    return "\n".join(lines) + "\n"


def pen(alphabet: str, character: int, writer: int) -> list[list[tuple[int, int]]]:
    """Two strokes and a dot, others for every drawing."""
    rng = np.random.default_rng([len(alphabet), character, writer])
    walks = [rng.choice([1, 2, 3], (length, 2)).cumsum(0) for length in (5, 3, 1)]
    return [[(int(x), int(y)) for x, y in walk] for walk in walks]


def member(archive: str, alphabet: str, character: int, writer: int) -> str:
    number = 600 + 10 * len(alphabet) + character
    return f"{archive[:-4]}/{alphabet}/character{character:02}/{number:04}_{writer:02}.txt"


def pack(folder: Path, files: Files) -> Path:
    folder.mkdir(exist_ok=True)
    for archive, content in files.items():
        with zipfile.ZipFile(folder / archive, "w") as file:
            for name, text in content.items():
                file.writestr(zipfile.ZipInfo(name), text)
    return folder
