"""Measure the density core: `python -m benchmarks.density [--write]`.

Prints one table, a row for each piece of work, with one thread and with two; `--write` puts it into
benchmarks/README.md as well.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmarks import opponents
from benchmarks.measure import Comparison, Work, compare, peak_memory, profiled
from benchmarks.readme import put
from benchmarks.steps import draws, flow_step, step

BEGIN, END = "<!-- begin: python -m benchmarks.density -->", "<!-- end -->"

HEADER = (
    "| work | against | threads | ours ms | theirs ms | ratio | ratio, processor | target"
    " | ours MB | theirs MB |"
)

Density = Callable[[dict[str, Tensor], Tensor], Tensor]


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    against: str
    target: float
    """At least this many times faster; for a training step, at most this many times slower."""
    make: Callable[[], tuple[Work, Work, float]]
    """Returns ours, theirs, and what to multiply the time of theirs by."""
    memory: bool = False
    slower: bool = False
    repeats: int = 1000
    """At most as many pairs: the other side may take a minute."""


def nll(density: Density, frames: int, components: int, features: int, rank: int) -> Work:
    """Return the work of one mean negative log-likelihood with all its gradients."""
    made = opponents.parameters(frames, components, features, rank)
    value = torch.randn(frames, features)

    def work() -> None:
        (-density(made, value).mean()).backward()
        for parameter in made.values():
            parameter.grad = None

    return work


def density_row(
    sizes: tuple[int, int, int, int],
    against: str,
    density: Density,
    target: float,
    frames: int | None = None,
    memory: bool = False,
    repeats: int = 1000,
) -> Row:
    """Return the row of one size; `frames` where the other side is given fewer."""
    rest = sizes[1:]
    fewer = frames or sizes[0]
    return Row(
        name=str(sizes),
        against=against + (f", {fewer} frames, scaled" if frames else ""),
        target=target,
        make=lambda: (
            nll(opponents.ours, *sizes),
            nll(density, fewer, *rest),
            sizes[0] / fewer,
        ),
        memory=memory,
        repeats=repeats,
    )


DENSE = "`MultivariateNormal(precision_matrix=...)`"
ROWS = [
    density_row((2000, 5, 32, 2), DENSE, opponents.dense_precision, 40, repeats=7),
    density_row((2000, 20, 32, 4), DENSE, opponents.dense_precision, 40, frames=500, repeats=7),
    density_row((500, 20, 200, 4), DENSE, opponents.dense_precision, 300, frames=10, repeats=7),
    density_row(
        (6400, 20, 32, 0), "`Independent(Normal)`", opponents.independent, 2.5, memory=True
    ),
    density_row((6400, 20, 2, 1), "`MultivariateNormal(scale_tril=...)`", opponents.triangular, 3),
    density_row((6400, 20, 2, 1), "bivariate formula", opponents.bivariate, 1.3),
    density_row((2000, 5, 32, 2), "ours by plain autograd", opponents.plain, 2, memory=True),
    Row("training step, R = 2", "squared error", 1.25, lambda: (*step(), 1.0), slower=True),
    Row("the same, two couplings", "squared error", 1.6, lambda: (*flow_step(), 1.0), slower=True),
    Row(
        "1000 draws of 1000 mixtures", "`MixtureSameFamily`", 3, lambda: (*draws(), 1.0), repeats=3
    ),
]


def measure(rows: Iterable[Row], threads: Iterable[int], repeats: int) -> list[str]:
    """Return the lines of the table, printing each as it is measured."""
    lines = [HEADER, "|---" * (HEADER.count("|") - 1) + "|"]
    print("\n".join(lines), flush=True)
    for row in rows:
        ours, theirs, scale = row.make()
        for count in threads:
            torch.set_num_threads(count)
            found = compare(ours, theirs, min(repeats, row.repeats), scale)
            memory = (peak_memory(ours), peak_memory(theirs)) if row.memory else None
            lines.append(line(row, count, found, memory))
            print(lines[-1], flush=True)
    return lines


def line(row: Row, threads: int, found: Comparison, memory: tuple[int, int] | None) -> str:
    """Return one line of the table; a step's ratios are ours by theirs."""
    ratios = [found.ratio, found.ratio_processor]
    if row.slower:
        ratios = [1 / ratio for ratio in ratios]
    cells = [
        row.name,
        row.against,
        str(threads),
        f"{1e3 * found.ours:.1f}",
        f"{1e3 * found.theirs:.1f}",
        *(f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}" for ratio in ratios),
        f"{'≤' if row.slower else '≥'} {row.target:g}",
        *(f"{number / 1e6:.1f}" for number in memory or ()),
    ]
    return "| " + " | ".join(cells + [""] * (10 - len(cells))) + " |"


def hardware() -> str:
    """Return the machine in one line."""
    names = (
        [
            text.split(":", 1)[1].strip()
            for text in Path("/proc/cpuinfo").read_text().splitlines()
            if text.startswith("model name")
        ]
        if Path("/proc/cpuinfo").exists()
        else [platform.processor()]
    )
    capability = torch.backends.cpu.get_cpu_capability()
    return (
        f"{names[0]}, {len(names)} cores, {capability}; torch {torch.__version__},"
        f" Python {platform.python_version()}, {platform.system()}."
    )


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15, help="pairs of measurements a row")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rows", type=int, nargs="+", help="numbers of the rows, from 0")
    parser.add_argument("--profile", type=int, metavar="ROW", help="say where our time goes")
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    options = parser.parse_args(arguments)
    chosen = [ROWS[i] for i in options.rows] if options.rows else ROWS
    machine = hardware()
    if options.profile is not None:
        torch.set_num_threads(1)
        print(machine, profiled(ROWS[options.profile].make()[0]), sep="\n\n")
        return
    print(machine, end="\n\n")
    lines = measure(chosen, options.threads, options.repeats)
    if options.write:
        table = "\n".join([machine, f"At most {options.repeats} pairs a row.", "", *lines])
        put(BEGIN, END, table)


if __name__ == "__main__":
    main()
