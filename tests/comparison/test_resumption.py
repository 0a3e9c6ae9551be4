"""Whether a comparison can go on with what is there of it."""

import json
import shutil
from pathlib import Path

import pytest

from seqmdn.comparison import Task, check_resumable, resumption, revision_warning
from seqmdn.data import file_sha256
from seqmdn.runs import evaluate
from tests.small import words, write_store


@pytest.fixture
def task(small_run: Path, tmp_path: Path) -> Task:
    """A finished training, its store a copy that may be changed."""
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    shutil.copy(small_run.parent / "walks.h5", tmp_path / "walks.h5")
    config = run / "config.yaml"
    config.write_text(config.read_text().replace(f"{small_run.parent}/walks", f"{tmp_path}/walks"))
    path = f"--data.init_args.path={tmp_path / 'walks.h5'}"
    return Task("rmdn", 0, tuple(words(small_run.parent / "recipe", path)), run)


def shorts(*paths: Path) -> str:
    expected, found = (file_sha256(path)[:12] for path in paths)
    return f"expected sha256 {expected}, found {found}; .*or choose another --out"


def test_only_the_configuration_it_was_begun_under_goes_on(small_run: Path) -> None:
    recipe = small_run.parent / "recipe"
    new = Task("rmdn", 0, tuple(words(recipe, "--seed", "7")), small_run.parent / "new")
    check_resumable([Task("rmdn", 0, tuple(words(recipe)), small_run), new])
    longer = Task("rmdn", 0, tuple(words(recipe, "--trainer.max_steps", "13")), small_run)
    message = "run was begun under another configuration: expected trainer.max_steps 13, found 12"
    with pytest.raises(ValueError, match=message):
        check_resumable([new, longer])


@pytest.mark.parametrize("finished", [True, False])
def test_only_the_store_it_was_trained_on_goes_on(
    task: Task, tmp_path: Path, finished: bool, small_run: Path
) -> None:
    if not finished:
        (task.out / "metrics.json").unlink()
        (task.out / "checkpoints" / "best.ckpt").unlink()
    store = tmp_path / "walks.h5"
    check_resumable([task])
    write_store(store, seed=6)
    new = Task("frmdn", 0, task.arguments, tmp_path / "new")
    message = rf"run was trained on another store than {store} is now: "
    with pytest.raises(ValueError, match=message + shorts(small_run.parent / "walks.h5", store)):
        check_resumable([new, task])
    for path in task.out.rglob("*.ckpt"):
        path.unlink()
    if not finished:
        check_resumable([new, task])  # it begins again


def test_only_the_store_it_was_scored_on_goes_on(task: Task, tmp_path: Path) -> None:
    store, other = tmp_path / "walks.h5", write_store(tmp_path / "other.h5", seed=6)
    evaluate(task.out, data=other)
    message = f"run was scored on another store than {store} is now: {shorts(other, store)}"
    with pytest.raises(ValueError, match=message):
        check_resumable([task])


def test_a_store_that_is_gone_is_said_so_before_anything_starts(task: Task, tmp_path: Path) -> None:
    (tmp_path / "walks.h5").unlink()
    with pytest.raises(FileNotFoundError, match=r"walks.h5: .*found no such file"):
        check_resumable([task])


def test_another_revision_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def warning(before: str | None, now: str | None) -> str | None:
        path.write_text(json.dumps({"versions": {"git": before}}))
        monkeypatch.setattr(resumption, "git_revision", lambda: now)
        return revision_warning(tmp_path)

    path = tmp_path / "compare.json"
    assert revision_warning(tmp_path) is None, "nothing there"
    assert warning("a1", "a1") is None and warning(None, "b2") is None
    assert warning("a1", None) is None
    told = warning("a1", "b2")
    assert told is not None and "\n" not in told
    assert f"runs in {tmp_path} are of revision a1 of the code, those to come of b2" in told
