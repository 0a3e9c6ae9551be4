"""What the commands share: their parsers, and how progress and scores are told."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from seqmdn.processes import first_process
from seqmdn.runs import Report

__all__ = ["bars", "command_parser", "counting", "say", "show", "telling", "value_of"]


def command_parser(command: str, description: str) -> argparse.ArgumentParser:
    """Return the parser of a command; no option may be abbreviated."""
    return argparse.ArgumentParser(
        prog=f"seqmdn {command}", description=description, allow_abbrev=False
    )


def value_of(words: Sequence[str], option: str) -> str | None:
    """Return the value of an option that must be known before the words are parsed."""
    for i, word in enumerate(words):
        if word == option and i + 1 < len(words):
            return words[i + 1]
        if word.startswith(f"{option}="):
            return word.removeprefix(f"{option}=")
    return None


def bars() -> Progress:
    """Return progress bars on the error stream, each with its time left and its last score."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[nll]}"),
        console=Console(stderr=True),
    )


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Show how many of the pieces of a work are done, where somebody looks."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    with bars() as progress:
        bar = progress.add_task(what, total=total, nll="")
        yield lambda: progress.advance(bar)


@contextmanager
def telling(how: str | None) -> Iterator[Report]:
    """Tell the progress of one training: by a bar, a line a validation, or lines of JSON.

    Of several processes, the first one tells it.
    """
    if not first_process():
        yield lambda step, steps, nll: None
        return
    how = how or ("bar" if sys.stderr.isatty() else "lines")
    if how == "bar":
        with bars() as progress:
            bar = progress.add_task("training", total=None, nll="")

            def advance(step: int, steps: int, nll: float | None) -> None:
                shown = "" if nll is None else f"validation NLL {nll:.3f}"
                progress.update(bar, completed=step, total=steps, nll=shown)

            yield advance
        return
    begun, told, seen = time.monotonic(), 0.0, None

    def tell(step: int, steps: int, nll: float | None) -> None:
        nonlocal told, seen
        now = time.monotonic()
        if how == "json" and (now - told > 0.2 or step == steps):
            told = now
            print(json.dumps({"step": step, "steps": steps, "nll": nll}), flush=True)
        if how == "lines" and nll != seen:
            seen = nll
            print(
                f"step {step} of {steps}, {now - begun:.0f} s, validation NLL {nll:.4f}", flush=True
            )

    yield tell


def say(metrics: dict[str, Any], source: Path) -> None:
    """Print the scores of one run in a line or two."""
    unit = metrics["unit"]
    sign, which = ("≤ ", f" ({metrics['bound_is']})") if metrics.get("bound") else ("", "")
    print(f"{source}: {metrics['split']} NLL {sign}{_likelihood(metrics, unit)}{which}")
    for name, found in metrics.get("bounds", {}).items():
        print(f"{name}: NLL ≤ {_likelihood(found, unit)}")
    for name, found in metrics.get("parts", {}).items():
        print(f"{name}: NLL {found['nll']:.4f} ± {found['stderr']:.4f} {unit}")
    if (adapted := metrics.get("adapted")) is not None:
        rate = f"{adapted['rate']:g}"
        print(f"adapted while scored, at a rate of {rate}: {_likelihood(adapted, unit)}")
    if "crps" in metrics:
        how = "exact" if metrics["crps_estimator"] == "exact" else "from draws"
        print(
            f"CRPS {metrics['crps']:.4f} ± {metrics['crps_stderr']:.4f} ({how}), "
            f"energy score {metrics['energy_score']:.4f} ± {metrics['energy_score_stderr']:.4f}, "
            f"90 % intervals hold {100 * metrics['coverage_90']:.1f} "
            f"± {100 * metrics['coverage_90_stderr']:.1f} %"
        )
    if (wrong := metrics.get("not_finite")) is not None:
        steps = ", ".join(str(each["step"]) for each in wrong["first"])
        more = ", ..." if wrong["left_out"] > len(wrong["first"]) else ""
        print(
            f"left out: {wrong['left_out']} steps whose loss or gradient was not finite (steps "
            f"{steps}{more}), {wrong['rolled_back']} of them by going back to earlier weights"
        )
    if metrics.get("r2") is not None:
        print(
            f"of the mean: R² {metrics['r2']:.4f}, mean absolute error {metrics['mae']:.4g}, "
            f"root of the mean squared error {metrics['rmse']:.4g}"
        )


def _likelihood(found: dict[str, Any], unit: str) -> str:
    limit = f", {found['gap_to_limit']:.3f} above the limit" if "gap_to_limit" in found else ""
    error, bits = f"{found['stderr']:.4f}", f"{found['bits_per_dim']:.4f}"
    return f"{found['nll']:.4f} ± {error} {unit}, {bits} bits/dim{limit}"


def show(markdown: str) -> None:
    """Print a markdown table with rich, the words below it as they are."""
    lines, words = markdown.strip().split("\n\n", 1)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines.splitlines()]
    table = Table()
    for i, title in enumerate(rows[0]):
        table.add_column(title, justify="left" if i == 0 else "right")
    for row in rows[2:]:
        best = any(cell.startswith("**") for cell in row)
        table.add_row(*[cell.strip("*") for cell in row], style="bold" if best else None)
    console = Console()
    console.print(table)
    console.print(words)
