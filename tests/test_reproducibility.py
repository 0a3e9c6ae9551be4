"""Same seed, same machine: the same numbers, whoever reads the data and however many train."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqmdn.cli import main
from tests.small import differing, metrics, outcome, train, write_recipe, write_store

# What a number depends on and what it took are told beside it.
TIMES = {"seconds", "command", "draw", "draw_seconds"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Runs with noise and dropout, of so many workers."""
    folder = tmp_path_factory.mktemp("workers")
    recipe = write_recipe(folder / "recipe", write_store(folder / "walks.h5"))
    for workers in (0, 2):
        train(recipe, folder / f"{workers}", "--data.workers", str(workers))
    return {workers: folder / f"{workers}" for workers in (0, 2)}


def untimed(content: Any) -> Any:
    """Leave out what may differ, however deep."""
    if isinstance(content, dict):
        return {key: untimed(value) for key, value in content.items() if key not in TIMES}
    return [untimed(value) for value in content] if isinstance(content, list) else content


def test_workers_change_nothing_of_a_training(runs: dict[int, Path]) -> None:
    assert differing(outcome(runs[0]), outcome(runs[2])) == []
    assert differing(untimed(metrics(runs[0])), untimed(metrics(runs[2]))) == []
    with np.load(runs[0] / "frames.npz") as one, np.load(runs[2] / "frames.npz") as other:
        assert one["log_prob"].tolist() == other["log_prob"].tolist()


def test_draws_are_those_of_the_seed(runs: dict[int, Path], tmp_path: Path) -> None:
    found = {}
    for name, (workers, seed) in {"one": (0, 3), "two": (2, 3), "other": (0, 4)}.items():
        out = tmp_path / f"{name}.npz"
        main(["sample", str(runs[workers]), "--num", "3", "--seed", str(seed), "--out", str(out)])
        with np.load(out) as arrays:
            found[name] = arrays["values"].tobytes()
    assert found["one"] == found["two"] != found["other"]


@pytest.mark.long
def test_comparisons_are_the_same(clone: Path, tmp_path: Path) -> None:
    """One training after the other without workers, and two at a time with two each."""
    found = []
    for jobs, workers in (("1", "0"), ("2", "2")):
        out = tmp_path / jobs
        words = ["compare", str(clone), "--jobs", jobs, "--data.workers", workers]
        main([*words, "--scores", "--out", str(out)])
        found.append(untimed(json.loads((out / "compare.json").read_text())))
    assert differing(*found) == []
