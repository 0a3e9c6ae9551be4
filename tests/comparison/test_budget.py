"""What is held equal."""

import json
from pathlib import Path
from typing import Any

import pytest

from seqmdn.comparison import (
    Task,
    budget,
    check_tasks,
    equal_params,
    equal_seconds,
    equal_steps,
    plan,
)
from seqmdn.comparison.budget import fitting_width
from seqmdn.configuration import ConfigurationError
from tests.small import write_recipe, write_store


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    return write_recipe(folder / "recipe", write_store(folder / "walks.h5"), steps=60)


@pytest.fixture
def tasks(recipe: Path, tmp_path: Path) -> list[Task]:
    return plan(recipe, ["rmdn", "frmdn"], 2, tmp_path, [])


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Steps of rmdn take 2 s and those of all others 5 s; which were asked for, each time."""
    asked: list[list[str]] = []

    def measure(configs: dict[str, Any], threads: int) -> dict[str, float]:
        asked.append(list(configs))
        return {name: 2.0 if name == "rmdn" else 5.0 for name in configs}

    monkeypatch.setattr(budget, "step_seconds", measure)
    return asked


def test_steps_are_those_of_the_recipe(tasks: list[Task]) -> None:
    found = equal_steps(tasks)
    assert found.words == {} and found.record == {"held": "steps", "steps": 60}


def test_every_model_has_the_seconds_of_the_first(
    tasks: list[Task], measured: list[list[str]], tmp_path: Path
) -> None:
    found = equal_seconds(tasks, tmp_path, threads=1)
    assert found.words == {
        "rmdn": ("--trainer.max_steps=60",),
        "frmdn": ("--trainer.max_steps=24",),
    }
    assert found.record["seconds"] == 120.0 and found.record["steps"] == {"rmdn": 60, "frmdn": 24}
    assert measured == [["rmdn", "frmdn"]]


def test_the_seconds_asked_for_are_not_exceeded(
    tasks: list[Task], measured: list[list[str]], tmp_path: Path
) -> None:
    found = equal_seconds(tasks, tmp_path, threads=1, seconds=19.0)
    assert found.record["steps"] == {"rmdn": 9, "frmdn": 3}
    with pytest.raises(ConfigurationError, match="4 s do not suffice for a step of frmdn"):
        equal_seconds(tasks, tmp_path, threads=1, seconds=4.0)


def test_what_was_measured_is_used_again(
    tasks: list[Task], recipe: Path, measured: list[list[str]], tmp_path: Path
) -> None:
    first = equal_seconds(tasks[:2], tmp_path, threads=1)
    longer = plan(recipe, ["rmdn", "frmdn"], 1, tmp_path, ["--trainer.max_steps=100"])
    both = equal_seconds(longer, tmp_path, threads=1)
    assert measured == [["rmdn"], ["frmdn"]] and first.record["steps"] == {"rmdn": 60}
    assert both.record["steps"] == {"rmdn": 100, "frmdn": 40}
    assert len(json.loads((tmp_path / "budget.json").read_text())["seconds_per_step"]) == 2
    other = plan(recipe, ["rmdn"], 1, tmp_path, ["--data.batch_size=4"])
    equal_seconds(other, tmp_path, threads=1)
    equal_seconds(tasks[:2], tmp_path, threads=2)  # by another clock
    assert measured[2:] == [["rmdn"], ["rmdn"]]


@pytest.mark.parametrize(
    ("options", "seconds", "message"),
    [
        (["--trainer.max_epochs=3"], None, "ends by trainer.max_epochs or trainer.max_time"),
        (["--trainer.max_steps=-1"], None, "expected --seconds N, or trainer.max_steps"),
        ([], 0.0, "expected --seconds above 0, found 0"),
    ],
)
def test_seconds_that_make_no_sense(
    recipe: Path, tmp_path: Path, options: list[str], seconds: float | None, message: str
) -> None:
    tasks = plan(recipe, ["rmdn"], 1, tmp_path, options)
    with pytest.raises(ConfigurationError, match=message):
        equal_seconds(tasks, tmp_path, 1, seconds)
    assert not (tmp_path / "budget.json").exists()


def test_widths_make_parameters_equal(recipe: Path, tmp_path: Path) -> None:
    wide = ["--model.backbone.hidden=60"]
    found = equal_params(plan(recipe, ["frmdn", "rmdn"], 1, tmp_path, wide))
    counts = found.record["counts"]
    assert found.record["params"] == counts["frmdn"] and found.record["widths"]["frmdn"] == 60
    assert found.record["widths"]["rmdn"] > 60
    assert abs(counts["rmdn"] / counts["frmdn"] - 1) <= 0.01
    tasks = [
        plan(recipe, [name], 1, tmp_path, [*wide, *found.words[name]])[0]
        for name in ("frmdn", "rmdn")
    ]
    assert check_tasks(tasks) == counts


def test_a_number_of_parameters_and_another_key(tasks: list[Task]) -> None:
    found = equal_params(tasks, 30_000)
    assert all(abs(each / 30_000 - 1) <= 0.01 for each in found.record["counts"].values())
    with pytest.raises(ConfigurationError, match=r"no model has a key 'flow.hidden'"):
        equal_params(tasks, 30_000, "flow.hidden")
    with pytest.raises(ConfigurationError, match="expected a whole number to choose, found"):
        equal_params(tasks, 30_000, "backbone.dropout")
    with pytest.raises(ConfigurationError, match="--params of 1 or more, found 0"):
        equal_params(tasks, 0)


def test_no_width_within_1_percent_names_the_nearest() -> None:
    for target, width in ((100, 10), (101, 10), (1, 1), (40_000, 200)):
        assert fitting_width(lambda width: width * width, target, 7) == width
    with pytest.raises(ConfigurationError, match="no hidden gives 110 .* 10 gives 100, 11 "):
        fitting_width(lambda width: width * width, 110, 1, "hidden")
