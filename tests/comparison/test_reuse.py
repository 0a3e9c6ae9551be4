"""Runs that are used again."""

import shutil
from pathlib import Path

import pytest

from seqmdn.comparison import distinct, grid_of, plan, reuse, sweep_cells
from seqmdn.comparison.reuse import signature
from tests.small import parse, words


@pytest.fixture
def out(small_run: Path, tmp_path: Path) -> Path:
    """A folder with one finished run: rmdn, 2 components, diagonal, seed 0."""
    shutil.copytree(small_run, tmp_path / "out" / "runs" / "found")
    return tmp_path / "out"


def test_a_run_is_found_by_its_settings_under_any_name(small_run: Path, out: Path) -> None:
    recipe = small_run.parent / "recipe"
    cells = sweep_cells(recipe, ["rmdn"], grid_of(["head.components=1,2", "head.rank=0,1"]))
    tasks = reuse(plan(recipe, cells, 2, out, []), out)
    folders = {task.name: task.out.name for task in tasks}
    assert len(folders) == 8
    assert folders.pop("rmdn,head.components=2,head.rank=0, seed 0") == "found"
    assert all(name.replace(", seed ", "-") == folder for name, folder in folders.items())


def test_an_unfinished_run_is_not_used_for_another_name(small_run: Path, out: Path) -> None:
    (out / "runs" / "found" / "metrics.json").unlink()
    (task,) = reuse(plan(small_run.parent / "recipe", ["rmdn"], 1, out, []), out)
    assert task.out == out / "runs" / "rmdn-0"


@pytest.mark.parametrize("option", ["--trainer.max_steps=13", "--training.optimizer.lr=0.021"])
def test_other_settings_are_another_run(small_run: Path, out: Path, option: str) -> None:
    (task,) = reuse(plan(small_run.parent / "recipe", ["rmdn"], 1, out, [option]), out)
    assert task.out == out / "runs" / "rmdn-0"


def test_models_that_are_one_are_trained_once(small_run: Path, tmp_path: Path) -> None:
    recipe = small_run.parent / "recipe"
    cells = sweep_cells(recipe, ["rmdn"], grid_of(["head.components=2,02,3"]))
    tasks, same = distinct(plan(recipe, cells, 2, tmp_path, []))
    assert same == {"rmdn,head.components=02": "rmdn,head.components=2"}
    assert [(task.model[-1], task.seed) for task in tasks] == [
        ("2", 0),
        ("2", 1),
        ("3", 0),
        ("3", 1),
    ]


def test_a_signature_says_what_is_meant_not_how_it_was_written(small_run: Path) -> None:
    recipe = small_run.parent / "recipe"
    one = parse(recipe)
    assert signature(parse(recipe, "--trainer.max_steps=12")) == signature(one)
    assert signature(parse(recipe, "--seed=1")) != signature(one)
    assert signature(parse(recipe, "--seed=1"), but=["seed"]) == signature(one, but=["seed"])
    assert words(recipe)[0] == "-c"
