"""The script that draws tasks by the weights of their experts, and what the README says of it."""

import json
from pathlib import Path

import numpy as np
import pytest

from data_prep.processes import draw_tasks
from tests.recipes.scripts import ROOT, script
from tests.runs.test_functions import source as run  # noqa: F401  # a fixture

RECIPE = ROOT / "recipes/neural_process/gp"
NAMES = ("weights", "vectors", "at best")


def test_what_is_apart_is_told_apart_and_what_is_not_is_chance() -> None:
    told_apart = script("neural_process/task_map.py").told_apart
    rng, kernels = np.random.default_rng(0), np.repeat(["a", "b", "c"], 40)
    apart = np.eye(3)[np.repeat(range(3), 40)] + 0.05 * rng.standard_normal((120, 3))
    found = told_apart(apart, kernels)
    assert found["nmi"] > 0.99 and found["ari"] > 0.99 and found["accuracy"] > 0.99
    found = told_apart(rng.permutation(apart), kernels)
    assert found["nmi"] < 0.1 and abs(found["ari"]) < 0.1
    assert abs(found["accuracy"] - 1 / 3) < 4 * found["stderr"] and 0.03 < found["stderr"] < 0.06


def test_the_kernel_that_points_make_most_probable_is_mostly_that_of_the_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = script("neural_process/task_map.py")
    monkeypatch.setattr(module, "DRAWS", 200)
    x, y, processes, _ = draw_tasks(np.random.default_rng(1), 40)
    kernels = np.array([process.kernel for process in processes])
    given = [np.stack(points, axis=1)[:46] for points in zip(x, y, strict=True)]
    nothing = np.zeros((40, 1))
    found = module.at_best(module.Tasks(nothing, nothing, kernels, given))
    assert found["accuracy"] > 0.7
    # Of no points, all are as probable.
    none = module.Tasks(nothing, nothing, kernels, [points[:0] for points in given])
    assert module.at_best(none)["accuracy"] == (kernels == "rbf").mean()


def test_a_run_is_drawn_and_measured(
    run: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    module = script("neural_process/task_map.py")
    monkeypatch.setattr(module, "PARTS", 2)  # of the five tasks that there are
    kernels = np.array(["rbf", "rbf", "matern", "matern", "matern"])
    tasks = module.read_tasks(run)
    assert tasks.weights.shape == (5, 2) and tasks.vectors.shape == (5, 16)
    np.testing.assert_allclose(tasks.weights.sum(1), 0, atol=1e-6)
    assert [len(points) > 2 for points in tasks.given] == [True] * 5
    monkeypatch.setattr(module, "read_tasks", lambda _: tasks._replace(kernels=kernels))
    capsys.readouterr()
    out, measured = tmp_path / "map.png", tmp_path / "map.json"
    module.main([str(run), "--out", str(out), "--json", str(measured)])
    found, printed = json.loads(measured.read_text()), capsys.readouterr().out
    assert found["tasks"] == 5 and found["chance"] == 0.6 and out.stat().st_size > 3000
    for name in NAMES:
        each = found[name]
        assert f"{100 * each['accuracy']:.1f} ± {100 * each['stderr']:.1f} % |" in printed


def test_the_readme_says_what_was_found() -> None:
    file = RECIPE / "task_map.json"
    if not file.exists():
        pytest.skip("no map of tasks was drawn")
    found, readme = json.loads(file.read_text()), (RECIPE / "README.md").read_text()
    for name in NAMES:
        each = found[name]
        clusters = [f"{each[key]:.2f}" if key in each else "" for key in ("nmi", "ari")]
        words = f"{100 * each['accuracy']:.1f} ± {100 * each['stderr']:.1f} %"
        assert f"| {name} | {clusters[0]} | {clusters[1]} | {words} |" in readme
