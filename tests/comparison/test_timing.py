"""Time, measured by turns."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from seqmdn.comparison import Task, plan, time_drawing, timing
from seqmdn.comparison.timing import clock_of, of_one_measurement, step_seconds
from seqmdn.runs import draw
from tests.pens import write_pen_recipe, write_pens
from tests.small import metrics, train, write_recipe, write_store


def test_the_processor_is_the_clock_of_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    assert clock_of(1) == "processor" and clock_of(2) == "wall"
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert clock_of(1) == "wall"


def test_a_step_costs_what_it_takes(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loss that works for 40 ms makes each step that much longer, one that waits does not."""
    recipe = small_run.parent / "recipe"
    configs = {t.model: t.config for t in plan(recipe, ["rmdn", "frmdn"], 1, small_run, [])}
    before = {key: config.as_dict() for key, config in configs.items()}
    plain = step_seconds(configs, threads=1, rounds=3)
    assert set(plain) == {"rmdn", "frmdn"} and all(0 < each < 0.5 for each in plain.values())
    assert {key: config.as_dict() for key, config in configs.items()} == before
    step = timing.DensityModule.training_step

    def slow(self: Any, *words: Any) -> Any:
        if type(self.model.head).__name__ == "FlowMixtureHead":
            end = time.process_time() + 0.04
            while time.process_time() < end:
                pass
        else:
            time.sleep(0.04)
        return step(self, *words)

    monkeypatch.setattr(timing.DensityModule, "training_step", slow)
    slower = step_seconds(configs, threads=1, rounds=3)
    assert slower["frmdn"] - plain["frmdn"] > 0.03
    assert slower["rmdn"] - plain["rmdn"] < 0.03
    assert torch.get_num_threads() == 1


def test_drawing_is_timed_once_for_all(small_run: Path, tmp_path: Path) -> None:
    tasks = []
    for name in ("a", "b"):
        for seed in (0, 1):
            out = Path(shutil.copytree(small_run, tmp_path / f"{name}-{seed}"))
            tasks.append(Task(name, seed, (), out))
    time_drawing(tasks, rounds=2)
    found = {task.out.name: metrics(task.out) for task in tasks}
    assert [name for name, each in found.items() if "draw" in each] == ["a-0", "b-0"]
    draws = [found[name].pop("draw") for name in ("a-0", "b-0")]
    assert found["a-0"] == metrics(small_run), "nothing else is changed"
    assert 0 < draws[0].pop("seconds") < 0.5 and draws[0] == {
        "unit": "s/frame",
        "sequences": 16,
        "frames": 7,
        "rounds": 2,
        "clock": "processor",
        "measured": draws[1]["measured"],
    }
    before = [metrics(task.out) for task in tasks]
    time_drawing(tasks, rounds=2)
    assert [metrics(task.out) for task in tasks] == before, "measured already, in one run"
    late = replace(tasks[0], model="c", out=Path(shutil.copytree(small_run, tmp_path / "c-0")))
    time_drawing([*tasks, late], rounds=1)
    times = {json.dumps(metrics(t.out)["draw"]["measured"]) for t in (tasks[0], tasks[2], late)}
    assert len(times) == 1 and times != {json.dumps(draws[1]["measured"])}
    path = late.out / "metrics.json"
    other = metrics(late.out)
    path.write_text(json.dumps(other | {"draw": other["draw"] | {"measured": "at another time"}}))
    time_drawing([*tasks, late], rounds=1)
    found = [metrics(task.out)["draw"]["measured"] for task in (tasks[0], tasks[2], late)]
    assert len(set(found)) == 1 and "at another time" not in found


def test_figures_are_of_one_measurement_or_there_are_none() -> None:
    then, later = ({"measured": hour, "seconds": 1.0} for hour in ("09:00", "09:30"))
    assert of_one_measurement([then, {**then, "seconds": 2.0}])
    assert of_one_measurement([None, None])
    for mixed in ([then, later], [then, None], [None, then], []):
        assert not of_one_measurement(mixed)


def test_draws_that_end_by_themselves_do_not_while_they_are_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = write_pen_recipe(tmp_path / "recipe", write_pens(tmp_path / "pens.h5"))
    run = train(recipe, tmp_path / "run", "--trainer.max_steps=2")
    with torch.no_grad():
        run.model.head.bits.bias[:2] = 1e4  # every point ends the drawing
    lengths: list[int] = []

    def noted(*arguments: Any, **options: Any) -> Any:
        drawn = draw(*arguments, **options)
        lengths.append(drawn[0].values.shape[1])
        return drawn

    monkeypatch.setattr(timing, "draw", noted)
    monkeypatch.setattr(timing, "load_run", lambda _: run)
    time_drawing([Task("rmdn", 0, (), tmp_path / "run")], rounds=1)
    assert draw(run, 3)[0].values.shape[1] == 1
    longest = int(run.data.store.lengths[run.data.store.indices("test")].max())
    assert lengths == [longest] * 2


def test_draws_are_no_longer_than_the_contexts_that_they_are_drawn_under(tmp_path: Path) -> None:
    store = write_store(tmp_path / "walks.h5", context=True)
    with h5py.File(store, "r+") as file:  # the longest is a test sequence behind the first 16
        offsets = np.array([0, *np.cumsum([4] * 39), file["values"].shape[0]])
        file["offsets"][:] = offsets
        file["split"][:] = [0] * 10 + [1] * 4 + [2] * 26
    train(write_recipe(tmp_path / "recipe", store), tmp_path / "run", "--trainer.max_steps=1")
    time_drawing([Task("rmdn", 0, (), tmp_path / "run")], rounds=1)
    assert metrics(tmp_path / "run")["draw"]["frames"] == 4
