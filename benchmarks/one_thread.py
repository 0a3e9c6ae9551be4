"""The command around a table that is measured with one thread."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch

from benchmarks.density import hardware
from benchmarks.readme import put

__all__ = ["run"]


def run(what: str, table: Callable[[int], str], begin: str, end: str) -> None:
    """Measure a table of so many pairs a row; with `--write`, put it into the README.

    Args:
        what: What is measured, in a sentence after "Measure".
        table: Measures, prints its lines, and returns them.
        begin: The mark before the table.
        end: The mark after it.
    """
    parser = argparse.ArgumentParser(description=f"Measure {what}.")
    parser.add_argument("--repeats", type=int, default=7, help="pairs of measurements a row")
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    options = parser.parse_args()
    torch.set_num_threads(1)
    made = f"{hardware()}\nOne thread, {options.repeats} pairs a row.\n\n{table(options.repeats)}"
    if options.write:
        put(begin, end, made)
