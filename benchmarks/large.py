"""Train on stores larger than memory: `python -m benchmarks.large [--gigabytes 0.1 1 6] [--write]`.

Each store is trained on by `seqmdn fit` in a process of its own, which may use 1.5 GB of address
space beyond what it takes to import the libraries, and not a byte more: what asks for more gets a
MemoryError. `--write` puts the table into benchmarks/README.md as well. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from benchmarks.corpus import FEATURES, FRAMES, SECONDS, write_corpus
from benchmarks.density import hardware
from benchmarks.process import address_space
from benchmarks.readme import put
from seqmdn.data import Store

__all__ = ["LIMIT", "Used", "hold_to", "train", "use"]

BEGIN, END = "<!-- begin: python -m benchmarks.large -->", "<!-- end: benchmarks.large -->"
RECIPE = Path(__file__).parent.parent / "recipes" / "speech" / "kathleen"
HEADER = (
    "| store GB | its values GB | recordings | steps | s | libraries GB"
    " | address space beyond GB | allowed GB | resident GB |"
)
LIMIT = 1.5e9  # bytes
SCORED = 100  # recordings of the test, which is scored whole after a training
BYTES_A_SAMPLE = 1.66  # of the corpus on a disk


class Used(NamedTuple):
    """What a training took, in bytes and seconds."""

    libraries: int
    """Address space once all is imported."""
    beyond: int
    """The most address space that it had beyond that."""
    resident: int
    """The most that lay in memory, the libraries included."""
    seconds: float


def train(store: Path, out: Path, words: Sequence[str], limit: float = LIMIT) -> Used:
    """Train on a store within a limit, by `seqmdn fit` in a process of its own.

    Args:
        store: The store.
        out: The run's folder.
        words: Further words of the command: configurations, and what they change.
        limit: Bytes of address space beyond the libraries.

    Raises:
        RuntimeError: If the training failed; the message ends with its last words.
    """
    command = ["fit", *words, "--data.path", str(store), "--data.prepare", "null"]
    child = f"from benchmarks.large import use; use({limit!r}, {[*command, '--out', str(out)]!r})"
    start = time.perf_counter()
    found = subprocess.run(
        [sys.executable, "-c", child],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        # Each further thread would be given 64 MB of addresses of its own.
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    if found.returncode:
        raise RuntimeError(
            f"the training on {store} ended with {found.returncode}: {found.stderr[-1000:]}"
        )
    used = json.loads(found.stdout.splitlines()[-1])
    return Used(*used, time.perf_counter() - start)


def use(limit: float, words: list[str]) -> None:
    """Run the command `seqmdn` in this process within a limit, and print what it took."""
    # Some of these are imported at the first use of a class.
    for library in ("seqmdn.cli", "torch._dynamo", "torch.distributed", "tensorboard.compat.proto"):
        import_module(library)
    libraries = hold_to(limit)
    import_module("seqmdn.cli").main(words)
    after = address_space()
    print(json.dumps([libraries, after.peak - libraries, after.peak_resident]))


def hold_to(limit: float) -> int:
    """Allow this process so many bytes beyond what it has, and return what it has."""
    now = address_space().now
    most = now + round(limit)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    return now


def row(gigabytes: float, folder: Path, steps: int) -> str:
    """Write a store, train on it and return what that took."""
    store, out = folder / f"{gigabytes:g}.h5", folder / f"{gigabytes:g}"
    recording = FRAMES * FEATURES * BYTES_A_SAMPLE
    hours = gigabytes * 1e9 / recording * SECONDS / 3600
    write_corpus(store, hours, distinct=min(0.5, hours), scored=SCORED)
    words = [f"{part}" for name in ("base", "rmdn") for part in ("-c", RECIPE / f"{name}.yaml")]
    words += ["--trainer.max_steps", str(steps), "--trainer.val_check_interval", str(steps)]
    used = train(store, out, words)
    with Store(store) as opened:
        cells = [
            f"{store.stat().st_size / 1e9:.2f}",
            f"{4 * opened.frames * opened.features / 1e9:.2f}",
            f"{len(opened)}",
            f"{steps}",
            f"{used.seconds:.0f}",
            f"{used.libraries / 1e9:.2f}",
            f"{used.beyond / 1e9:.2f}",
            f"{LIMIT / 1e9:.1f}",
            f"{used.resident / 1e9:.2f}",
        ]
    store.unlink()
    return f"| {' | '.join(cells)} |"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gigabytes", type=float, nargs="+", default=[0.1, 1, 6])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    options = parser.parse_args(arguments)
    lines = [HEADER, "|---" * (HEADER.count("|") - 1) + "|"]
    print("\n".join(lines), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for gigabytes in options.gigabytes:
            lines.append(row(gigabytes, Path(folder), options.steps))
            print(lines[-1], flush=True)
    if options.write:
        table = "\n".join(lines)
        put(BEGIN, END, f"{hardware()}\n\n{table}")


if __name__ == "__main__":
    main()
