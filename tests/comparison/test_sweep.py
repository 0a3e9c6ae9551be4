"""Grids of settings."""

from pathlib import Path

import pytest

from seqmdn.comparison import grid_of, plan, sweep_cells
from seqmdn.configuration import ConfigurationError
from tests import gaussians
from tests.small import write_recipe, write_store


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    return write_recipe(folder / "recipe", write_store(folder / "walks.h5"))


def test_values_are_parted_outside_of_brackets_only() -> None:
    grid = grid_of(["a=1, 2,1", "b=[1,2],{x: 1, y: [2, 3]}", "c='p,q',r"])
    assert grid == {
        "a": ["1", "2"],
        "b": ["[1,2]", "{x: 1, y: [2, 3]}"],
        "c": ["'p,q'", "r"],
    }


@pytest.mark.parametrize("word", ["head.rank", "head.rank=", "=1", "head.rank=1,,2"])
def test_words_that_are_no_grid_are_refused(word: str) -> None:
    with pytest.raises(ConfigurationError, match="expected KEY=VALUE,VALUE"):
        grid_of([word])


def test_a_key_is_swept_once(recipe: Path) -> None:
    with pytest.raises(ConfigurationError, match="head.rank is swept twice"):
        grid_of(["head.rank=1", "head.rank=2"])
    with pytest.raises(ConfigurationError, match=r"rank is model.head.rank, which is swept"):
        sweep_cells(recipe, ["rmdn"], grid_of(["head.rank=1", "rank=2"]))


def test_the_grid_is_of_the_keys_that_a_model_has(recipe: Path, tmp_path: Path) -> None:
    grid = grid_of(["flow.transforms=1,3", "head.components=2,4"])
    cells = sweep_cells(recipe, ["frmdn", "rmdn"], grid)
    tasks = plan(recipe, cells, 1, tmp_path, [])
    found = {
        (cell.model, task.config.model.init_args.head.init_args.components)
        + ((head.flow.init_args.transforms,) if "flow" in head else ())
        for cell, task in zip(cells, tasks, strict=True)
        for head in [task.config.model.init_args.head.init_args]
    }
    assert found == {("rmdn", k) for k in (2, 4)} | {
        ("frmdn", k, n) for k in (2, 4) for n in (1, 3)
    }
    assert len(cells) == 6 and len({task.out for task in tasks}) == 6
    names = [cell.name for cell in cells]
    assert names[0] == "frmdn,head.components=2,head.flow.transforms=1"
    assert names[-1] == "rmdn,head.components=4"
    # Whichever key was named first, a cell has one name.
    again = sweep_cells(recipe, ["frmdn", "rmdn"], dict(reversed(grid.items())))
    assert {cell.name for cell in again} == set(names)


def test_rank_0_is_diagonal_and_other_ranks_are_lowrank(recipe: Path, tmp_path: Path) -> None:
    lowrank = ["--model.head.covariance", "lowrank", "--model.head.rank", "2"]
    for overrides in ([], lowrank):  # of a diagonal model, and of one of low rank
        cells = sweep_cells(recipe, ["frmdn"], grid_of(["head.rank=0,1"]), overrides)
        heads = [
            task.config.model.init_args.head.init_args
            for task in plan(recipe, cells, 1, tmp_path, overrides)
        ]
        assert [(head.covariance, head.rank) for head in heads] == [
            ("diagonal", None),
            ("lowrank", 1),
        ]
        assert all(head.components == 2 for head in heads), "nothing else is changed"
    both = sweep_cells(recipe, ["rmdn"], grid_of(["head.rank=2", "head.covariance=lowrank,full"]))
    assert [dict(cell.settings)["model.head.covariance"] for cell in both] == ["lowrank", "full"]


def test_classes_are_values_and_go_before_their_arguments(recipe: Path, tmp_path: Path) -> None:
    flows = "seqmdn.flows.AffineCoupling,seqmdn.flows.SplineCoupling"
    cells = sweep_cells(recipe, ["frmdn"], grid_of(["flow.transforms=3", f"head.flow={flows}"]))
    tasks = plan(recipe, cells, 1, tmp_path, [])
    made = [task.config.model.init_args.head.init_args.flow for task in tasks]
    assert [flow.class_path.rpartition(".")[2] for flow in made] == [
        "AffineCoupling",
        "SplineCoupling",
    ]
    assert all(flow.init_args.transforms == 3 for flow in made)
    assert cells[1].name == "frmdn,head.flow=SplineCoupling,head.flow.transforms=3"


def test_what_no_model_has_or_does_not_parse_is_refused(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no model has a key 'head.ranks': .*head.rank"):
        sweep_cells(recipe, ["rmdn"], grid_of(["head.ranks=1"]))
    with pytest.raises(ConfigurationError, match="say how many there are by --seeds"):
        sweep_cells(recipe, ["rmdn"], grid_of(["seed=1,2"]))
    cells = sweep_cells(recipe, ["rmdn"], grid_of(["head.components=1,many"]))
    with pytest.raises(ConfigurationError, match=r"model.head.components: expected int, found man"):
        plan(recipe, cells, 1, tmp_path, [])


def test_a_key_reaches_the_members_of_an_ensemble(tmp_path: Path) -> None:
    folder = gaussians.write_recipe(tmp_path / "recipe", tmp_path / "rows.h5", steps=1)
    cells = sweep_cells(folder, ["mdn", "ensemble"], grid_of(["head.components=2,4"]))
    assert [cell.name for cell in cells] == [
        f"{model},head.components={k}" for model in ("mdn", "ensemble") for k in (2, 4)
    ]
    assert {key for cell in cells for key, _ in cell.settings} == {"model.head.components"}
    models = [task.config.model.init_args for task in plan(folder, cells, 1, tmp_path, [])]
    heads = [m.head if "head" in m else m.model.init_args.head for m in models]
    assert [head.init_args.components for head in heads] == [2, 4, 2, 4]
    # Where all of a grid are ensembles, and of what sets another value beside.
    ranks = sweep_cells(folder, ["ensemble"], grid_of(["head.rank=0,1"]))
    tasks = plan(folder, ranks, 1, tmp_path, [])
    heads = [task.config.model.init_args.model.init_args.head.init_args for task in tasks]
    assert [(head.covariance, head.rank) for head in heads] == [("diagonal", None), ("lowrank", 1)]
