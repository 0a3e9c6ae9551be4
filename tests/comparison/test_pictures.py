"""What the pictures are given."""

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqmdn.comparison import Task, pictures, summarise, time_drawing
from seqmdn.runs import learning_clock, learning_curve, load_run
from tests.comparison.runs import runs_of
from tests.images import HEIGHT, WIDTH, train_images, write_images
from tests.runs.test_conditional import write_run
from tests.small import metrics


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Any, ...]]:
    """The arguments of each picture, by its file's name."""
    found: dict[str, tuple[Any, ...]] = {}
    for name in ("comparison_figure", "curves_figure", "pareto_figure", "sweep_figure"):
        monkeypatch.setattr(
            pictures,
            name,
            lambda path, *words, **named: found.update({path.name: (*words, named)}),
        )
    return found


def test_curves_are_those_that_were_logged(
    small_run: Path, tmp_path: Path, shown: dict[str, tuple[Any, ...]]
) -> None:
    task = Task("rmdn", 0, (), small_run)
    result = summarise(Path("recipe"), {task: metrics(small_run)}, "")
    pictures.draw_comparison([task], result, tmp_path)
    assert set(shown) == {"compare.png", "curves.png", "pareto.png"}
    models, unit, _ = shown["curves.png"]
    steps, values = learning_curve(small_run)
    same, seconds = learning_clock(small_run)
    assert steps == same == [4, 8, 12] and unit == "nats/frame"
    assert 0 < seconds[0] < seconds[1] < seconds[2] <= metrics(small_run)["seconds"] + 1e-3
    assert models == {"rmdn": {"steps": [(steps, values)], "seconds": [(seconds, values)]}}
    assert shown["pareto.png"][0] == result["models"]


def test_a_model_whose_draws_run_away_is_shown_without_them(
    small_run: Path, tmp_path: Path, shown: dict[str, tuple[Any, ...]]
) -> None:
    tasks = [Task(name, 0, (), small_run) for name in ("rmdn", "frmdn")]
    result = summarise(Path("recipe"), {task: metrics(small_run) for task in tasks}, "")
    assert pictures.draw_comparison(tasks, result, tmp_path) == []
    assert shown["compare.png"][0]["frmdn"]["samples"].shape == (12, 7, 2)
    data = load_run(small_run).data
    first = data.sequences("test", np.resize(data.store.indices("test"), 12))
    np.testing.assert_array_equal(shown["compare.png"][1]["real"], data.whole(first).values)
    wild = Path(shutil.copytree(small_run, tmp_path / "wild"))
    best = wild / "checkpoints/best.ckpt"
    content = torch.load(best, weights_only=True)
    content["state_dict"]["model.head.projection.bias"][:] = math.inf
    torch.save(content, best)
    tasks[1] = Task("frmdn", 0, (), wild)
    assert pictures.draw_comparison(tasks, result, tmp_path) == ["frmdn"]
    models = shown["compare.png"][0]
    assert "samples" in models["rmdn"] and "samples" not in models["frmdn"]
    assert models["frmdn"]["nll"] == result["models"]["frmdn"]["nll"]
    time_drawing([tasks[1]], rounds=1)
    assert metrics(wild)["draw"]["seconds"] > 0


def test_images_are_shown_whole_however_many_frames_they_are(
    tmp_path: Path, shown: dict[str, tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    train_images(tmp_path, write_images(tmp_path / "images.h5"), scan="pixel")
    task = Task("rmdn", 0, (), tmp_path / "run")
    monkeypatch.setattr(pictures, "_LONGEST", HEIGHT * WIDTH - 1)
    result = summarise(Path("recipe"), {task: metrics(task.out)}, "")
    pictures.draw_comparison([task], result, tmp_path)
    models, options = shown["compare.png"]
    assert models["rmdn"]["samples"].shape == options["real"].shape == (12, HEIGHT, WIDTH)
    assert (options["real_lengths"] == HEIGHT).all()


def test_rows_of_a_table_are_not_drawn_as_sequences(
    tmp_path: Path, shown: dict[str, tuple[Any, ...]]
) -> None:
    task = Task("mdn", 0, (), write_run(tmp_path, steps=4))
    result = summarise(Path("recipe"), {task: metrics(task.out)}, "")
    pictures.draw_comparison([task], result, tmp_path)
    models, options = shown["compare.png"]
    assert "samples" not in models["mdn"] and options["real"] is None and models["mdn"]["curve"]


def test_cells_have_the_errors_of_their_differences(
    tmp_path: Path, shown: dict[str, tuple[Any, ...]]
) -> None:
    runs = runs_of(a=2.0, b=1.0)
    next(iter(runs.values()))["nll_per_sequence"] = [2.0, 3.0, 7.0]
    result = summarise(Path("recipe"), runs, "", pairs=[])
    settings = {"a": {"rank": "1"}, "b": {"rank": "2"}}
    result["sweep"] = {
        "keys": ["rank"],
        "cells": {n: {"model": "m", "settings": s} for n, s in settings.items()},
    }
    pictures.draw_sweep(result, tmp_path)
    cells, keys, unit, _ = shown["sweep.png"]
    assert keys == ["rank"] and unit == "nats/frame"
    assert [cell["nll"] for cell in cells] == [4.0, 2.0]
    assert [cell["settings"] for cell in cells] == list(settings.values())
    assert [cell["error"] for cell in cells] == [result["paired"]["a - b"]["stderr"], 0.0]
    assert cells[0]["error"] > 0
    costs, _, options = shown["sweep_pareto.png"]
    assert options["groups"] == {"a": "m", "b": "m"} and options["paired"]
    assert [cost["stderr"] for cost in costs.values()] == [cell["error"] for cell in cells]
