"""The stages of world models: their commands exist, and all of them run from nothing."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data_prep.car_racing import make_policy
from data_prep.super_mario import ACTIONS, BUTTONS, collect
from seqmdn.compare import recipe_models
from seqmdn.configuration import fit_parser
from seqmdn.data import Store
from tests.recipes.scripts import ROOT

FOLDER = ROOT / "recipes/world_model"
MODULES = ["act", "collect", "drivers", "look", "remember", "run", "scales", "see", "stages"]


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that all stages import from their folder."""
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    import stages

    return stages


def smallest(stages: ModuleType, out: Path, world: str = "car_racing", **changes: object) -> object:
    small = {
        "episodes": 4,
        "steps": 162,
        "see": 2,
        "remember": 2,
        "futures": 2,
        "controllers": ("rmdn", "frmdn"),
        "population": 3,
        "generations": 2,
        "evolve_steps": 4,
        "tracks": 2,
        "track_steps": 60,  # fewer, and all drive alike
    }
    scale = replace(stages.SCALES["tiny"], **small, **changes)
    return stages.Stage(world, scale, out, workers=2, seed=0, command="python act.py")


def test_every_script_is_read_in_one_sitting() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == {*MODULES, "open_loop"}
    for path in FOLDER.glob("*.py"):
        assert len(path.read_text().splitlines()) < 150, path.name


def test_scales_grow(stages: ModuleType) -> None:
    tiny, small, paper = (stages.SCALES[name] for name in ("tiny", "small", "paper"))
    for key in ("episodes", "see", "remember", "population", "generations"):
        assert getattr(tiny, key) < getattr(small, key) <= getattr(paper, key), key
    assert (paper.episodes, paper.population, paper.episodes_each) == (10_000, 64, 16)
    memories = set(sys.modules["scales"].MEMORIES)
    for world in stages.WORLDS:
        assert memories == set(recipe_models(FOLDER / world)), "the table is of all of them"
    for scale in (tiny, small, paper):
        assert set(scale.controllers) <= memories
        make_policy(scale.policy)


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


def test_each_world_is_collected_by_its_own_script(
    stages: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import collect

    said: list[list[str]] = []
    monkeypatch.setattr(collect, "run", lambda *words: said.append([str(w) for w in words]))
    for world in stages.WORLDS:
        collect.collect(smallest(stages, tmp_path, world))
    assert said[0][:3] == ["data_prep.car_racing", "--episodes", "4"]
    assert said[0][said[0].index("--policy") + 1] == "gentle"
    assert said[1][:5] == ["uv", "run", "data_prep/super_mario.py", "--episodes", "4"]
    (tmp_path / "frames.h5").touch()
    collect.collect(smallest(stages, tmp_path, "super_mario"))
    assert len(said) == 2, "frames that were collected elsewhere are used"


def test_a_program_that_is_missing_is_named(
    stages: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit) as stopped:
        stages.run("uv", "run", "data_prep/super_mario.py", "--out", "frames.h5")
    assert "found no program uv: pip install uv" in str(stopped.value)
    assert "$ uv run data_prep/super_mario.py --out frames.h5" in capsys.readouterr().out


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
    drivers = scores["drivers"]
    assert scores["command"] == at.command and scores["versions"]["git"]
    assert scores["tracks"] == 2 and list(drivers) == ["random", "unevolved", "rmdn", "frmdn"]
    assert drivers["random"]["scores"] != drivers["frmdn"]["scores"]
    for name, driver in drivers.items():
        assert len(driver["scores"]) == 2, name
        if name != "random":
            apart = driver["minus random"]["mean"]
            assert apart == pytest.approx(driver["mean"] - drivers["random"]["mean"])
    for name in ("rmdn", "frmdn"):
        evolved = json.loads((tmp_path / f"act/{name}-evolution.json").read_text())
        assert len(evolved["scores"]) == 2
        assert any(json.loads((tmp_path / f"act/{name}.json").read_text())["parameters"])
    check(at, {"act/rmdn.json", "act/frmdn.json", "scores.json"})
    left = times(tmp_path)
    capfd.readouterr()
    run.every(at)
    assert left == times(tmp_path), "a stage was run again"
    assert "all 4 episodes were there" in capfd.readouterr().out


@pytest.mark.long
def test_another_world_has_all_stages_but_the_controller(
    stages: ModuleType, tmp_path: Path
) -> None:
    import run

    at = smallest(stages, tmp_path, "super_mario")
    collect(at.frames, Game, episodes=4, steps=162, seed=0, attributes={})
    run.every(at)
    assert Store(at.latents).context_names == [f"previous {b}" for b in BUTTONS]
    assert not (tmp_path / "act").exists()
    check(at, set())
    left = times(tmp_path)
    run.every(at)
    assert left == times(tmp_path), "a stage was run again"


class Game:
    """A console whose pictures are noise that moves to the right while that button is held."""

    def reset(self, seed: int) -> tuple[np.ndarray, dict]:
        self.noise = np.random.default_rng(seed).integers(0, 256, (240, 256, 3), np.uint8)
        self.place = 0
        return self.noise, {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        moved = int("right" in ACTIONS[action]) - int("left" in ACTIONS[action])
        self.place += moved
        return np.roll(self.noise, self.place, axis=1), float(moved), False, False, {}

    def close(self) -> None:
        pass


def check(at: Any, more: set[str]) -> None:
    """What every stage leaves is there, checkpoints of what was trained among it."""
    pictures = {"film.gif", "futures.png", "reconstructed.png", "open_loop.png"}
    for name in pictures | {"open_loop.json", "remember/compare.json"} | more:
        assert (at.out / name).stat().st_size > 100, name
    for trained in (at.eyes, *map(at.memory, sys.modules["scales"].MEMORIES)):
        for kept in ("best.ckpt", "last.ckpt"):
            assert (trained / "checkpoints" / kept).exists(), trained
    with Image.open(at.out / "film.gif") as film:
        assert 40 < film.n_frames <= 82, "every second of 163 frames, but for those that are alike"


def times(folder: Path) -> dict[Path, int]:
    """When each file was written, but for stores, which are read with locks."""
    files = [each for each in folder.rglob("*") if each.is_file() and each.suffix != ".h5"]
    return {path: path.stat().st_mtime_ns for path in files}


def test_a_readme_shows_who_drives_how_well(stages: ModuleType) -> None:
    import act

    for path in ROOT.glob("recipes/world_model/*/README.md"):
        readme, file = path.read_text(), path.parent / "scores.json"
        if not file.exists():  # a figure stands nowhere without its file
            assert "| driver |" not in readme, path
            continue
        assert act.markdown(json.loads(file.read_text())) in readme, path
