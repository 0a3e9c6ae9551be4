"""What is refused before any training starts."""

import shutil
from pathlib import Path

import pytest

from seqmdn.comparison import check_tasks, grid_of, plan, possible, sweep_cells
from seqmdn.comparison.checks import difference, parameters
from seqmdn.data import file_sha256
from seqmdn.runs import load_run
from tests.small import parse, write_recipe, write_store


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    return write_recipe(folder / "recipe", write_store(folder / "walks.h5"))


def swept(recipe: Path, *words: str) -> dict[str, int]:
    cells = sweep_cells(recipe, ["rmdn"], grid_of(words))
    return check_tasks(plan(recipe, cells, 2, recipe / "out", []))


def test_parameters_are_those_of_the_trained_model(small_run: Path) -> None:
    run = load_run(small_run)
    config = parse(small_run.parent / "recipe")
    assert parameters(config, 2, 0) == run.description["parameters"]
    tasks = plan(small_run.parent / "recipe", ["rmdn", "frmdn"], 1, small_run, [])
    sizes = check_tasks(tasks)
    assert sizes["rmdn"] == run.description["parameters"] < sizes["frmdn"]


def test_all_models_that_cannot_be_are_named_at_once(recipe: Path) -> None:
    with pytest.raises(ValueError, match="2 of 4 models cannot be, nothing was trained: ") as error:
        swept(recipe, "head.rank=1,2,3,9")
    for rank in (3, 9):
        reason = f"rmdn,head.rank={rank}: covariance='lowrank' needs a rank between 1 and the"
        assert reason in str(error.value)
    assert "head.rank=2" not in str(error.value)


def test_what_cannot_be_is_left_out_of_a_grid(recipe: Path) -> None:
    def left(*words: str) -> tuple[list[str], dict[str, str]]:
        cells = sweep_cells(recipe, ["rmdn"], grid_of(words))
        tasks, wrong = possible(plan(recipe, cells, 2, recipe / "out", []))
        return [task.name for task in tasks], wrong

    tasks, wrong = left("head.rank=1,2,9")
    assert tasks == [f"rmdn,head.rank={r}, seed {s}" for r in (1, 2) for s in (0, 1)]
    assert list(wrong) == ["rmdn,head.rank=9"]
    assert "needs a rank between 1 and the" in wrong["rmdn,head.rank=9"]
    with pytest.raises(ValueError, match="2 of 2 models cannot be, nothing was trained"):
        left("head.rank=8,9")


def test_another_store_is_refused_with_both_hashes(recipe: Path, tmp_path: Path) -> None:
    store = recipe.parent / "walks.h5"
    copy = shutil.copy(store, tmp_path / "copy.h5")
    assert len(swept(recipe, f"data.path={store},{copy}")) == 2, "the same numbers elsewhere"
    other = write_store(tmp_path / "other.h5", seed=6)
    expected, found = (file_sha256(path)[:12] for path in (store, other))
    with pytest.raises(ValueError, match=f"expected sha256 {expected}, found {found}; models are"):
        swept(recipe, f"data.path={store},{other}")


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ("data.noise=null,seqmdn.data.UniformDequantise", "expected noise None, found {'class_p"),
        ("data.per=frame,sequence", "expected unit nats/frame, found nats/sequence"),
    ],
)
def test_other_numbers_of_one_store_are_refused(recipe: Path, grid: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        swept(recipe, grid)


def test_what_draws_no_sequences_is_refused(vae_run: Path) -> None:
    recipe = vae_run.parent / "recipe"
    with pytest.raises(ValueError, match="vae: a FrameVAE draws no sequences .* by seqmdn fit"):
        check_tasks(plan(recipe, ["vae"], 1, recipe / "out", []))


def test_what_scores_do_not_depend_on_may_differ(recipe: Path) -> None:
    assert len(swept(recipe, "data.batch_size=4,5", "data.window=3,null")) == 4


def test_the_hash_is_named_first() -> None:
    assert difference({"sha256": "a" * 20, "b": 1}, {"sha256": "a" * 20, "b": 1}) is None
    found = difference({"a": 1, "sha256": "a" * 20}, {"a": 2, "sha256": "b" * 20})
    assert found == f"expected sha256 {'a' * 12}, found {'b' * 12}"
    assert difference({"test frames": 1}, {}) == "expected test frames 1, found None"
