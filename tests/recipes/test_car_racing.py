"""The stages of CarRacing: their commands are ones that exist, and all of them run from nothing."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from seqmdn.compare import recipe_models
from seqmdn.configuration import fit_parser
from seqmdn.data import Store
from tests.recipes.scripts import ROOT

FOLDER = ROOT / "recipes/world_model/car_racing"


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that all stages import from their folder."""
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in ("act", "collect", "look", "remember", "run", "scales", "see", "stages"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import stages

    return stages


def smallest(stages: ModuleType, out: Path, **changes: object) -> object:
    small = {
        "episodes": 4,
        "steps": 162,
        "see": 2,
        "remember": 2,
        "futures": 2,
        "population": 3,
        "generations": 2,
        "evolve_steps": 4,
        "tracks": 2,
        "track_steps": 60,  # fewer, and all drive alike
    }
    scale = replace(stages.SCALES["tiny"], **small, **changes)
    return stages.Stage(scale, out, workers=2, seed=0)


def test_every_script_is_read_in_one_sitting() -> None:
    for path in FOLDER.glob("*.py"):
        assert len(path.read_text().splitlines()) < 150, path.name


def test_scales_grow(stages: ModuleType) -> None:
    tiny, small, paper = (stages.SCALES[name] for name in ("tiny", "small", "paper"))
    for key in ("episodes", "see", "remember", "population", "generations"):
        assert getattr(tiny, key) < getattr(small, key) <= getattr(paper, key), key
    assert (paper.episodes, paper.population, paper.episodes_each) == (10_000, 64, 16)
    assert set(stages.MEMORIES) == set(recipe_models(FOLDER)), "the table is of all of them"


def test_commands_are_ones_that_exist_and_results_are_not_made_again(
    stages: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import remember
    import see

    said: list[list[str]] = []
    for module in (see, remember):
        monkeypatch.setattr(module, "run", lambda *words: said.append([str(w) for w in words]))
    at = smallest(stages, tmp_path)
    see.see(at)
    remember.remember(at)
    assert [words[:2] for words in said[:4]] == [
        ["seqmdn", "fit"],
        ["seqmdn", "sample"],
        ["seqmdn", "encode"],
        ["seqmdn", "compare"],
    ]
    monkeypatch.chdir(ROOT)
    words = said[0][2:]
    place = words.index("--out")
    config = fit_parser().parse_args([*words[:place], *words[place + 2 :]])
    assert config.trainer.max_steps == 2 and config.data.init_args.path == str(at.frames)
    assert said[4][0] == "recipes/world_model/open_loop.py"
    (at.eyes / "checkpoints").mkdir(parents=True)
    (at.eyes / "checkpoints/last.ckpt").touch()
    said.clear()
    see.see(at)
    assert said[0] == ["seqmdn", "fit", "--resume", str(at.eyes)], "what was begun goes on"
    for path in (at.eyes / "metrics.json", at.out / "reconstructed.png", at.latents):
        path.touch()
    (at.out / "remember").mkdir()
    (at.out / "remember/compare.json").touch()
    (at.out / "open_loop.json").touch()
    said.clear()
    see.see(at)
    remember.remember(at)
    assert said == []


@pytest.mark.long
@pytest.mark.parametrize("dreaming", [False, True])
def test_all_stages_run_from_nothing_and_only_once(
    stages: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str], dreaming: bool
) -> None:
    import run

    at = smallest(stages, tmp_path, dreaming=dreaming)
    run.every(at)
    assert len(Store(at.frames)) == 4 and Store(at.latents).context_features == 3
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["tracks"] == 2 and len(scores["controller"]["scores"]) == 2
    assert scores["random"]["scores"] != scores["controller"]["scores"]
    assert len(json.loads((tmp_path / "evolution.json").read_text())["scores"]) == 2
    left = {
        path: path.stat().st_mtime_ns
        for path in tmp_path.rglob("*")
        if path.is_file() and path.suffix != ".h5"
    }
    assert {"film.gif", "futures.png", "open_loop.json", "agent.json"} <= {p.name for p in left}
    capfd.readouterr()
    run.every(at)
    assert left == {path: path.stat().st_mtime_ns for path in left}, "a stage was run again"
    assert "all 4 episodes were there" in capfd.readouterr().out
