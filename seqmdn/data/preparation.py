"""Writes a store that is missing, by the module that prepares it."""

from __future__ import annotations

__all__ = ["prepare_store"]

import re
import shlex
import subprocess
import sys
from pathlib import Path


def prepare_store(path: Path, prepare: str) -> None:
    """Writes a store by ``python -m``, a module's name and options, and ``--out`` with its path.

    Args:
        path: Of the store.
        prepare: Module such as ``data_prep.digits``, with options, if any, as on a command line.

    Raises:
        ValueError: If it names no module.
        RuntimeError: If the module does not write the store, with the last line that it said.
    """
    words = shlex.split(prepare)
    if not words or not re.fullmatch(r"\w+(\.\w+)*", words[0]):
        raise ValueError(
            f"expected prepare to name a module like data_prep.digits, found {prepare!r}"
        )
    command = [sys.executable, "-m", *words, "--out", str(path)]
    result = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode or not path.exists():
        said = result.stderr.strip().splitlines() or ["it did not say why"]
        raise RuntimeError(
            f"{path} is missing, and python -m {prepare} could not write it: {said[-1]}"
        )
