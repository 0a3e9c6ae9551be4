"""Measure two ways of doing the same thing, by turns: time, and peak memory."""

from __future__ import annotations

import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from torch.profiler import ProfilerActivity, profile

__all__ = ["Comparison", "Fed", "compare", "fed", "peak_memory", "profiled"]

Work = Callable[[], object]
T = TypeVar("T")


@dataclass(frozen=True)
class Comparison:
    """Medians of both sides, and the medians of their ratios, pair by pair.

    On a machine that others use too, the time on the wall depends on them; the processor's time
    hardly does, and with one thread the two would agree on an idle machine.
    """

    ours: float
    """Seconds on the wall."""
    theirs: float
    ours_processor: float
    """Seconds of processor time, of all threads."""
    theirs_processor: float
    ratio: float
    """Theirs by ours, on the wall."""
    ratio_processor: float


def compare(ours: Work, theirs: Work, repeats: int, scale: float = 1.0) -> Comparison:
    """Time two functions by turns, so that what slows the machine down slows down both.

    Args:
        ours: The one.
        theirs: The other.
        repeats: Number of pairs, after one of each that does not count.
        scale: What to multiply the other's times by, where it was given less to do.
    """
    ours(), theirs()
    pairs = [(_clock(ours), _clock(theirs)) for _ in range(repeats)]
    wall = [(a[0], scale * b[0]) for a, b in pairs]
    processor = [(a[1], scale * b[1]) for a, b in pairs]
    return Comparison(
        ours=statistics.median(a for a, _ in wall),
        theirs=statistics.median(b for _, b in wall),
        ours_processor=statistics.median(a for a, _ in processor),
        theirs_processor=statistics.median(b for _, b in processor),
        ratio=statistics.median(b / a for a, b in wall),
        ratio_processor=statistics.median(b / a for a, b in processor),
    )


class Fed(NamedTuple):
    """Medians over pairs of blocks of steps."""

    hand: float
    """Seconds a step on batches at hand."""
    come: float
    """Seconds a step on batches as they come."""
    ratio: float
    waiting: float
    """Share of the time of the latter that was spent waiting for them."""
    processor: float
    """Share of the processor's time, of this process, that went into having them."""


def fed(source: Iterator[T], step: Callable[[T], None], block: int, pairs: int) -> Fed:
    """Time blocks of steps on batches at hand and on batches as they come, by turns."""
    kept = list(islice(source, block))
    step(kept[0])
    rows = []
    for _ in range(pairs):
        start = time.perf_counter()
        for batch in kept:
            step(batch)
        middle, worked = time.perf_counter(), time.process_time()
        waited = loaded = 0.0
        for _ in range(block):
            asked, used = time.perf_counter(), time.process_time()
            batch = next(source)
            waited += time.perf_counter() - asked
            loaded += time.process_time() - used
            step(batch)
        spent, worked = time.perf_counter() - middle, time.process_time() - worked
        hand = middle - start
        rows.append((hand / block, spent / block, spent / hand, waited / spent, loaded / worked))
    return Fed(*(statistics.median(column) for column in zip(*rows, strict=True)))


def peak_memory(work: Work) -> int:
    """Return the most bytes that tensors held at one time beyond those there before the call.

    The work must release what it made: what an earlier call left behind would be counted off.
    Counted from every allocation and release that torch's profiler sees, those inside an operation
    included; what a numerical library allocates by itself is not seen.
    """
    work()  # what is allocated once and kept does not count
    gc.collect()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        work()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profiled.export_chrome_trace(str(path))
        events = json.loads(path.read_text())["traceEvents"]
    changes = [e for e in events if e.get("name") == "[memory]"]
    held = highest = 0
    for change in sorted(changes, key=lambda e: e["ts"]):
        held += change["args"]["Bytes"]
        highest = max(highest, held)
    return highest


def profiled(work: Work, repeats: int = 20, operations: int = 10) -> str:
    """Return a table of the operations that take most of the time, in shares of all of it."""
    work()
    with profile(activities=[ProfilerActivity.CPU]) as found:
        for _ in range(repeats):
            work()
    rows = sorted(found.key_averages(), key=lambda row: -row.self_cpu_time_total)
    total = sum(row.self_cpu_time_total for row in rows)
    lines = ["| operation | calls | ms | share |", "|---|---|---|---|"]
    for row in rows[:operations]:
        spent = row.self_cpu_time_total
        lines.append(
            f"| {row.key} | {row.count // repeats} | {spent / repeats / 1e3:.2f}"
            f" | {spent / total:.0%} |"
        )
    lines.append(f"| all | | {total / repeats / 1e3:.2f} | 100% |")
    return "\n".join(lines)


def _clock(work: Work) -> tuple[float, float]:
    """Return seconds on the wall and of the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - wall, time.process_time() - processor
