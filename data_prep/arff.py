"""Reads tables of numbers in Weka's ARFF."""

from __future__ import annotations

__all__ = ["ArffTable", "read_arff"]

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# A name may be quoted, and then hold spaces and escaped quotes.
_NAME = r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s'"{},%]\S*)"""
_ATTRIBUTE = re.compile(rf"@attribute\s+{_NAME}\s+(.+)", re.IGNORECASE)
_KINDS = ("numeric", "real", "integer")


class ArffTable(NamedTuple):
    """Holds the columns of a table, and where its rows stood.

    Shapes:
        values: (N, C) float64, NaN where the file has a question mark.
    """

    names: list[str]
    values: NDArray[np.float64]  # (N, C)
    lines: list[int]


def read_arff(path: Path) -> ArffTable:
    r"""Reads a file whose attributes are all numbers: numeric, real or integer.

    Dense rows only; ``%`` begins a comment, ``?`` is a missing number.

    Raises:
        ValueError: If it is something else, or is cut off; the message names the line.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "a.arff"
        ...     _ = path.write_text("@relation a\n@attribute x real\n@data\n0.5\n?\n")
        ...     read_arff(path).values.tolist()
        [[0.5], [nan]]
    """
    names: list[str] = []
    rows: list[list[float]] = []
    lines: list[int] = []
    seen: set[str] = set()
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("%"):
            continue
        where = f"{path}, line {number}"
        if "data" in seen:
            rows.append(_row(where, line, len(names)))
            lines.append(number)
            continue
        word = line.split(maxsplit=1)[0].lower()
        if word == "@attribute" and "relation" in seen:
            names.append(_name(where, line))
        elif word in ("@relation", "@data") and word[1:] not in seen:
            seen.add(word[1:])
        else:
            raise ValueError(
                f"{where}: expected @relation, then @attribute lines, then @data, found "
                f"{line[:60]!r}: download it again"
            )
    if not rows or not names:
        raise ValueError(
            f"{path}: expected attributes and rows of ARFF, found {len(names)} and {len(rows)}: "
            "download it again"
        )
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"{path}: expected each name once, found {', '.join(twice)} twice")
    return ArffTable(names, np.array(rows), lines)


def _name(where: str, line: str) -> str:
    found = _ATTRIBUTE.fullmatch(line)
    if found is None or found[2].strip().lower() not in _KINDS:
        raise ValueError(
            f"{where}: expected @attribute, a name and a kind among {', '.join(_KINDS)}, found "
            f"{line[:60]!r}: make words numbers first"
        )
    name = found[1]
    if name[0] in "'\"":
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    return name


def _row(where: str, line: str, count: int) -> list[float]:
    words = [word.strip() for word in line.split(",")]
    try:
        values = [float("nan") if word == "?" else _finite(word) for word in words]
    except ValueError:
        values = []
    if len(values) != count:
        raise ValueError(
            f"{where}: expected {count} numbers or question marks, found {line[:60]!r} of "
            f"{len(words)} words: download it again"
        )
    return values


def _finite(word: str) -> float:
    value = float(word)
    if not np.isfinite(value):
        raise ValueError
    return value
