"""The script that measures neural processes by the truth, and what the README says of it."""

import json
import shutil
from pathlib import Path

import pytest

from tests.recipes.scripts import ROOT, script
from tests.runs.test_functions import source as run  # noqa: F401  # a fixture

RECIPES = [path.parent for path in ROOT.glob("recipes/neural_process/*/oracle.json")]


def test_gaps_are_those_of_the_whole(
    run: Path,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for seed in (0, 1):
        shutil.copytree(run, tmp_path / f"runs/np-{seed}")
    models = {"np": {"seeds": [{"seed": 0}, {"seed": 1}]}}
    (tmp_path / "compare.json").write_text(json.dumps({"models": models}))
    capsys.readouterr()  # what the training said
    out = tmp_path / "oracle.json"
    script("neural_process/oracle.py").main([str(tmp_path), "--out", str(out)])
    found, metrics = (json.loads(path.read_text()) for path in (out, run / "metrics.json"))
    assert found["truth"]["all"] == pytest.approx(-metrics["limit"], abs=1e-6)
    whole = found["models"]["np"]["all"]
    assert whole["gap"] == pytest.approx(metrics["gap_to_limit"], abs=1e-5)
    tasks = found["tasks"]
    assert sum(tasks.values()) == 2 * tasks["all"] == 10
    each = found["models"]["np"]
    mean = sum(tasks[name] * each[name]["gap"] for name in tasks if name != "all") / tasks["all"]
    assert mean == pytest.approx(whole["gap"])
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1].startswith("| np | -") and f"{whole['gap']:.3f} ± " in printed[-1]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_the_readme_says_what_was_found(recipe: Path) -> None:
    found = json.loads((recipe / "oracle.json").read_text())
    readme = (recipe / "README.md").read_text()
    for name, kernels in found["models"].items():
        cells = [f"-{of['gap']:.3f} ± {of['stderr']:.3f}" for of in kernels.values()]
        assert f"| {name} | {' | '.join(cells)} |" in readme
    truth = " | ".join(f"{value:.3f}" for value in found["truth"].values())
    assert f"| the truth | {truth} |" in readme
