"""Files that were right, changed at random: each is read, or refused in words that name it."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.hostile.door import Layer
from tests.hostile.doors import DOORS
from tests.hostile.mutations import change, edits
from tests.hostile.worker import Worker

FEW = int(os.environ.get("SEQMDN_HOSTILE_FILES", "200"))
MANY = int(os.environ.get("SEQMDN_HOSTILE_FILES", "10000"))


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()


@pytest.mark.parametrize("door", DOORS)
def test_few_changed_files(door: str, worker: Worker, tmp_path: Path) -> None:
    attack(door, worker, tmp_path, FEW)


@pytest.mark.long
@pytest.mark.parametrize("door", DOORS)
def test_many_changed_files(door: str, worker: Worker, tmp_path: Path) -> None:
    attack(door, worker, tmp_path, MANY)


def attack(name: str, worker: Worker, folder: Path, count: int) -> None:
    """Read so many changed files of one kind, the same ones each time."""
    door = DOORS[name]
    door.build(folder)
    path = folder / door.file
    right = path.read_bytes()
    assert worker.read(name, path).kind == "read"
    layers = [Layer(right, lambda changed: changed), *door.layers(right)]
    kinds: Counter[str] = Counter()
    most = 0

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, len(layers) - 1), edits())
    def read_changed(layer: int, changes: bytes) -> None:
        nonlocal most
        content, pack = layers[layer]
        path.write_bytes(pack(change(content, changes, door.words)))
        outcome = worker.read(name, path)
        kinds[outcome.kind] += 1
        most = max(most, outcome.memory)
        assert outcome.kind in ("read", "refused"), outcome.words
        assert not outcome.events, outcome.events

    read_changed()
    print(f"{name}: {kinds['read']} read, {kinds['refused']} refused, {most / 2**20:.0f} MiB")
    assert kinds["refused"], "no change was noticed"
