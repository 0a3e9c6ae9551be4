"""What a comparison trains."""

import shutil
from pathlib import Path

import pytest

from seqmdn.comparison import Task, cells_of, plan, recipe_models
from seqmdn.comparison.tasks import first_tasks
from tests.small import write_recipe, write_store


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    return write_recipe(folder / "recipe", write_store(folder / "walks.h5"))


def test_every_training_has_the_same_base_and_options(recipe: Path, tmp_path: Path) -> None:
    more = ["--trainer.max_steps", "3"]
    tasks = plan(recipe, ["rmdn", "frmdn", "rmdn"], 2, tmp_path, more)
    assert [(task.model, task.seed) for task in tasks] == [
        ("rmdn", 0),
        ("rmdn", 1),
        ("frmdn", 0),
        ("frmdn", 1),
    ]
    for task in tasks:
        files = ["-c", f"{recipe}/base.yaml", "-c", f"{recipe}/{task.model}.yaml"]
        assert list(task.arguments) == [*files, *more, "--seed", str(task.seed)]
        assert task.out == tmp_path / "runs" / f"{task.model}-{task.seed}"


def test_the_first_training_of_each_model() -> None:
    runs = [("b", 1), ("a", 0), ("b", 0), ("c", 2), ("a", 1)]
    tasks = [Task(model, seed, (), Path(f"{model}-{seed}")) for model, seed in runs]
    assert list(first_tasks(tasks).items()) == [("b", tasks[0]), ("a", tasks[1]), ("c", tasks[3])]
    assert first_tasks([]) == {}


def test_models_stand_in_order(recipe: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(recipe, tmp_path / "recipe"))
    for name in ("abc", "rmdn_lowrank"):
        shutil.copy(folder / "rmdn.yaml", folder / f"{name}.yaml")
    (folder / "notes.txt").write_text("")
    assert recipe_models(folder) == ["rmdn", "rmdn_lowrank", "abc", "frmdn"]


def test_a_model_may_be_a_file_of_anywhere(recipe: Path, tmp_path: Path) -> None:
    other = shutil.copy(recipe / "rmdn.yaml", tmp_path / "other.yaml")
    cells = cells_of(["rmdn", str(other)])
    assert [cell.name for cell in cells] == ["rmdn", "other"]
    tasks = plan(recipe, cells, 1, tmp_path, [])
    assert tasks[1].arguments[:4] == ("-c", f"{recipe}/base.yaml", "-c", str(other))
    assert tasks[1].out == tmp_path / "runs" / "other-0"
    assert tasks[1].config.model == tasks[0].config.model
    with pytest.raises(FileNotFoundError, match=r"none.yaml is not there: expected a YAML file"):
        plan(recipe, [f"{tmp_path}/none.yaml"], 1, tmp_path, [])
    shutil.copy(recipe / "rmdn.yaml", tmp_path / "rmdn.yaml")
    with pytest.raises(ValueError, match="two models are named 'rmdn': rename one of the files"):
        cells_of(["rmdn", f"{tmp_path}/rmdn.yaml"])
