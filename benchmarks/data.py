"""Measure loading at scale: `python -m benchmarks.data [--hours 100] [--store FILE] [--write]`.

Writes a store of 100 hours of 16 kHz noise and measures what it takes to open it, to load windows
of it at random, to train on it, and to hold it. `--store` names a file that is kept and used again;
`--write` puts the tables into benchmarks/README.md as well. Linux only.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import torch

from benchmarks.corpus import evict, write_corpus
from benchmarks.density import hardware
from benchmarks.measure import fed
from benchmarks.process import memory, read_from_disk
from benchmarks.readme import put
from seqmdn.configuration import fit_parser
from seqmdn.data import Batch, SequenceDataModule, Store

BEGIN, END = "<!-- begin: python -m benchmarks.data -->", "<!-- end: benchmarks.data -->"
RECIPE = Path(__file__).parent.parent / "recipes" / "speech" / "kathleen"
MODELS = ("rmdn", "frmdn")

OPENING = "| before the first batch | seconds | MB at its peak |"
LOADING = "| workers | ms a batch | the same, processor | MB from the disk |"
HOLDING = "| batches | resident MB | proportional MB | own MB | target |"
TRAINING = (
    "| model | threads | workers | ms a step, from memory | from the store | ratio"
    " | share spent waiting | the same, processor | target |"
)


def configured(name: str, store: Path, workers: int) -> tuple[SequenceDataModule, Callable]:
    """Return data of the recipe from another store, and a training step of one of its models."""
    files = [RECIPE / "base.yaml", RECIPE / f"{name}.yaml"]
    words = [word for file in files for word in ("-c", str(file))]
    words += ["--data.path", str(store), "--data.workers", str(workers), "--data.prepare", "null"]
    words += ["--data.batch_size", "32"]
    parser = fit_parser()
    made = parser.instantiate(parser.parse_args(words))
    data: SequenceDataModule = made.data
    data.setup()
    torch.manual_seed(0)
    model = made.model(data.features, data.context)
    model.initialise(data.sample_frames())
    parameters = list(model.parameters())
    optimizer = made.training.optimizer(parameters)

    def step(batch: Batch) -> None:
        optimizer.zero_grad()
        model.loss(batch).backward()
        torch.nn.utils.clip_grad_norm_(parameters, made.trainer.gradient_clip_val)
        optimizer.step()

    return data, step


def endless(data: SequenceDataModule) -> Iterator[Batch]:
    """Yield training batches, pass after pass."""
    loader = data.train_dataloader()
    while True:
        yield from loader


def opening(store: Path) -> Iterator[str]:
    """Measure what happens once before the first batch, from a file that is not in memory."""
    data = SequenceDataModule(store, batch_size=32, window=40, burn_in=4)
    evict(store)
    beside = store.with_name(f".{store.name}.sha256")
    beside.unlink(missing_ok=True)
    works = {
        "opening": data.setup,
        "its SHA-256, the first time": lambda: data.describe("train"),
        "its SHA-256 in the next process": lambda: Store(store).sha256,
        "frames to initialise a model with": data.sample_frames,
        "the plan of a pass, and a first batch": lambda: next(iter(data.train_dataloader())),
    }
    for name, work in works.items():
        tracemalloc.start()
        start = time.perf_counter()
        work()
        seconds, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        yield f"| {name} | {seconds:.2f} | {peak / 1e6:.0f} |"


def loading(store: Path, workers: Sequence[int], batches: int) -> Iterator[str]:
    """Measure batches that nobody uses, from a file that is not in memory."""
    for count in workers:
        evict(store)
        data, _ = configured("rmdn", store, count)
        source = endless(data)
        next(source)
        wall, processor, disk = time.perf_counter(), time.process_time(), read_from_disk()
        for _ in islice(source, batches):
            pass
        spent = 1e3 * (time.perf_counter() - wall) / batches
        cells = ["", ""]
        if not count:
            cells[0] = f"{1e3 * (time.process_time() - processor) / batches:.1f}"
            cells[1] = f"{(read_from_disk() - disk) / 1e6 / batches:.2f}"
        yield f"| {count} | {spent:.1f} | {' | '.join(cells)} |"
        _close(source)


def training(
    store: Path, threads: Sequence[int], workers: Sequence[int], block: int, pairs: int
) -> Iterator[str]:
    """Measure steps of the recipe's models on batches from memory and from the store."""
    evict(store)
    for name in MODELS:
        for count in workers:
            data, step = configured(name, store, count)
            source = endless(data)
            for number in threads:
                torch.set_num_threads(number)
                found = fed(source, step, block, pairs)
                # What a worker spends is not this process's.
                processor = "" if count else f"{found.processor:.1%}"
                yield (
                    f"| {name} | {number} | {count} | {1e3 * found.hand:.0f}"
                    f" | {1e3 * found.come:.0f} | {found.ratio:.3f} | {found.waiting:.1%}"
                    f" | {processor} | ≤ 10% |"
                )
            _close(source)


def holding(store: Path, stops: Sequence[int]) -> Iterator[str]:
    """Measure what a worker process holds after as many batches."""
    evict(store)
    data, _ = configured("rmdn", store, 1)
    source, done = endless(data), 0
    for stop in stops:
        for _ in islice(source, stop - done):
            pass
        done = stop
        found = memory(multiprocessing.active_children()[0].pid)
        yield f"| {stop} | {' | '.join(f'{part / 1e6:.0f}' for part in found)} | < 1000 |"
    _close(source)


def tables(parts: dict[str, Iterator[str]]) -> str:
    """Measure all lines of all tables, printing each as it is measured."""
    lines: list[str] = []

    def add(text: str) -> None:
        lines.append(text)
        print(text, flush=True)

    for header, rows in parts.items():
        add("\n" + header)
        add("|---" * (header.count("|") - 1) + "|")
        for row in rows:
            add(row)
    return "\n".join(lines)


def measure(store: Path, options: argparse.Namespace) -> str:
    """Measure everything of a store."""
    batches, stops, block, pairs = (
        (5, (1, 2, 3), 1, 1) if options.quick else (200, (10, 100, 1000, 2000), 8, 3)
    )
    return tables(
        {
            OPENING: opening(store),
            LOADING: loading(store, options.workers, batches),
            HOLDING: holding(store, stops),
            TRAINING: training(store, options.threads, options.workers, block, pairs),
        }
    )


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=100)
    parser.add_argument("--store", type=Path, help="keep the store here, or use the one that is")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--quick", action="store_true", help="to see that it runs")
    parser.add_argument("--write", action="store_true", help="put the tables into the README")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        store = options.store or Path(folder) / "noise.h5"
        if not store.exists():
            start = time.perf_counter()
            write_corpus(store, options.hours)
            print(f"{store}: written in {time.perf_counter() - start:.0f} s", flush=True)
        with Store(store) as opened:
            said = (
                f"{opened.frames * opened.features / 16_000 / 3600:.3g} hours, {len(opened)}"
                f" recordings, {opened.frames} frames, {store.stat().st_size / 1e9:.1f} GB."
            )
        machine = hardware()
        print(machine, said, sep="\n")
        made = measure(store, options)
    if options.write:
        put(BEGIN, END, f"{machine}\n{said}\n{made}")


def _close(source: Iterator[Batch]) -> None:
    """End the workers behind a generator of batches now."""
    source.close()
    gc.collect()


if __name__ == "__main__":
    main()
