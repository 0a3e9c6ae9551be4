"""The script that looks ahead: its table, what it compares, and the README that shows it."""

import json
from pathlib import Path
from types import ModuleType

import pytest
import torch

from seqmdn.forecasting import forecast
from seqmdn.runs import load_run
from tests.recipes.scripts import ROOT, script
from tests.small import train
from tests.small_worlds import write_world_recipe, write_worlds


@pytest.fixture(scope="module")
def open_loop() -> ModuleType:
    return script("world_model/open_loop.py")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("worlds")
    recipe = write_world_recipe(folder / "recipe", write_worlds(folder / "worlds.h5", length=20))
    for model in ("rmdn", "frmdn"):
        train(recipe, folder / f"{model}-0", model=model)
    return [folder / "rmdn-0", folder / "frmdn-0"]


def test_runs_look_ahead_and_are_compared(
    open_loop: ModuleType,
    runs: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--horizons", "1", "4", "--given", "5", "--every", "3", "--draws", "20"]
    out = tmp_path / "open_loop.json"
    open_loop.main([*words, "--out", str(out), "--runs", *map(str, runs)])
    found = json.loads(out.read_text())
    assert list(found["models"]) == ["rmdn", "frmdn"] and found["versions"]["git"]
    assert found["command"].startswith("python recipes/world_model/open_loop.py --horizons 1 4")
    run = load_run(runs[1])
    direct = forecast(run.model, run.data.batches("test"), (1, 4), 5, 3, 20)
    assert found["origins"] == len(direct.origin) and found["rollouts"] == 4
    for score in ("log_prob", "energy"):
        means = direct.per_sequence(getattr(direct, score))
        entry = found["models"]["frmdn"][score]["4"]
        assert entry["per_rollout"] == pytest.approx(means[:, 1].tolist(), rel=1e-6)
        assert entry["mean"] == pytest.approx(float(means[:, 1].mean()))
        assert entry["stderr"] == pytest.approx(float(means[:, 1].std()) / 2)
        other = found["models"]["rmdn"][score]["4"]
        away = [a - b for a, b in zip(entry["per_rollout"], other["per_rollout"], strict=True)]
        assert entry["paired"]["per_rollout"] == pytest.approx(away)
        assert other["paired"]["mean"] == 0
    table = capsys.readouterr().out
    assert (
        "| log-likelihood, nats/frame | 1 | 4 |\n" in table and "| energy score | 1 | 4 |" in table
    )
    for score in ("log_prob", "energy"):
        first, other = (found["models"][name][score] for name in ("rmdn", "frmdn"))
        assert f"| rmdn | {first['1']['mean']:.2f} ± {first['1']['stderr']:.2f} | " in table
        away = other["4"]["paired"]
        assert f" | {away['mean']:+.2f} ± {away['stderr']:.2f} |\n" in table
    assert (tmp_path / "open_loop.png").stat().st_size > 5000


def test_runs_of_different_stores_are_not_compared(
    open_loop: ModuleType, runs: list[Path], tmp_path: Path
) -> None:
    words = ["--out", str(tmp_path / "a.json"), "--runs", str(runs[0])]
    with pytest.raises(ValueError, match="runs of different names and one store"):
        open_loop.main([*words, str(runs[0])])
    store = write_worlds(tmp_path / "other.h5", rewards=False)
    train(write_world_recipe(tmp_path / "recipe", store), tmp_path / "other-0")
    with pytest.raises(ValueError, match="runs of different names and one store"):
        open_loop.main([*words, str(tmp_path / "other-0")])


def test_one_rollout_has_no_standard_error(open_loop: ModuleType) -> None:
    alone = open_loop.summary(torch.tensor([2.0]))
    assert alone == {"mean": 2.0, "stderr": None, "per_rollout": [2.0]}


def test_a_readme_shows_how_far_memories_look(open_loop: ModuleType) -> None:
    for path in ROOT.glob("recipes/world_model/*/README.md"):
        readme, file = path.read_text(), path.parent / "open_loop.json"
        if not file.exists():  # a figure stands nowhere without its file
            assert "| log-likelihood, nats/frame |" not in readme, path
            continue
        found = json.loads(file.read_text())
        assert open_loop.markdown(found) in readme, path
        assert found["device"] in readme and not found["versions"]["git"].endswith("-dirty")
