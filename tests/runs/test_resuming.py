"""Runs that stop and go on."""

import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from seqmdn.runs import Interrupted, learning_curve
from tests.small import (
    Interrupt,
    checkpoint,
    differing,
    hidden_files,
    metrics,
    outcome,
    train,
    worsening,
    write_recipe,
    write_store,
)


def stop_and_resume(recipe: Path, run: Path, step: int, *options: str, **more: Any) -> int:
    """Stop a run by Ctrl-C after a step, go on with it; return the step at which it stopped."""
    with pytest.raises(Interrupted, match=f"stopped at step {step}"):
        train(recipe, run, *options, report=Interrupt(step - 1), **more)
    stopped = checkpoint(run)["global_step"]
    assert not (run / "metrics.json").exists() and not hidden_files(run)
    train(recipe, run, *options, resume=True, **more)
    return stopped


@pytest.fixture(scope="module")
def whole(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a run has come to that was never stopped."""
    run = tmp_path_factory.mktemp("whole")
    train(recipe, run)
    return outcome(run)


# 5 steps make an epoch, 4 lie between validations.
@pytest.mark.parametrize("step", [2, 3, 4, 5, 6, 8, 10, 11, 12])
def test_a_resumed_run_is_the_one_never_stopped(
    recipe: Path, tmp_path: Path, whole: dict[str, Any], step: int
) -> None:
    assert stop_and_resume(recipe, tmp_path, step) == step
    assert differing(outcome(tmp_path), whole) == []


@pytest.mark.parametrize(
    ("options", "model", "step"),
    [
        (["--trainer.accumulate_grad_batches=2"], "rmdn", 5),
        (["--trainer.check_val_every_n_epoch=1", "--trainer.val_check_interval=1.0"], "rmdn", 7),
        (["--data.init_args.window=3", "--data.init_args.burn_in=1"], "rmdn", 6),
        (["--training.schedule=constant", "--trainer.max_epochs=2"], "rmdn", 7),
        ([], "frmdn", 7),
    ],
    ids=["accumulated", "validated by epoch", "windows", "epochs", "flow"],
)
def test_so_is_one_of_another_kind(
    recipe: Path, tmp_path: Path, options: list[str], model: str, step: int
) -> None:
    train(recipe, tmp_path / "whole", *options, model=model)
    stop_and_resume(recipe, tmp_path / "run", step, *options, model=model)
    assert differing(outcome(tmp_path / "run"), outcome(tmp_path / "whole")) == []


def test_a_run_may_be_stopped_again_and_again(
    recipe: Path, tmp_path: Path, whole: dict[str, Any]
) -> None:
    for step in (3, 5, 7, 9):
        with pytest.raises(Interrupted, match=f"step {step}"):
            train(recipe, tmp_path, report=Interrupt(step - 1), resume=step > 3)
    train(recipe, tmp_path, resume=True)
    assert differing(outcome(tmp_path), whole) == []


def test_an_impatient_user_loses_nothing_before_the_last_checkpoint(
    recipe: Path, tmp_path: Path, whole: dict[str, Any]
) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        train(recipe, tmp_path, report=Interrupt(8, times=2))  # twice at once, while validating
    assert not isinstance(caught.value, Interrupted)
    assert checkpoint(tmp_path)["global_step"] == 4 and not hidden_files(tmp_path)
    train(recipe, tmp_path, resume=True)
    assert differing(outcome(tmp_path), whole) == []


def test_the_best_of_both_parts_is_kept(recipe: Path, tmp_path: Path) -> None:
    for name, after, best in (("early", 6, 4), ("late", 12, 12)):
        stop_and_resume(recipe, tmp_path / name, 10, *worsening(after))
        assert checkpoint(tmp_path / name, "best")["global_step"] == best
        assert metrics(tmp_path / name)["steps"] == best


def test_a_run_goes_on_from_its_last_step_not_from_its_best(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        train(recipe, tmp_path, *worsening(6), report=Interrupt(9))
    assert checkpoint(tmp_path, "best")["global_step"] == 4
    told: list[int] = []
    train(recipe, tmp_path, *worsening(6), resume=True, report=lambda step, *_: told.append(step))
    assert told[0] == 11


def test_a_stop_is_no_chance_to_be_the_best(recipe: Path, tmp_path: Path) -> None:
    # The weights of step 2 are the best of all, but no validation is due there.
    stop_and_resume(recipe, tmp_path, 2, *worsening(2))
    assert learning_curve(tmp_path)[0] == [4, 8, 12]
    assert checkpoint(tmp_path, "best")["global_step"] == 4


def test_a_folder_that_was_moved_keeps_its_best(recipe: Path, tmp_path: Path) -> None:
    options = worsening(6)
    with pytest.raises(Interrupted):
        train(recipe, tmp_path / "run", *options, report=Interrupt(9))
    moved = (tmp_path / "run").rename(tmp_path / "moved")
    train(recipe, moved, *options, resume=True)
    assert checkpoint(moved, "best")["global_step"] == 4
    assert not (tmp_path / "run").exists()
    said = str(checkpoint(moved)["callbacks"])
    assert str(moved) in said and str(tmp_path / "run") not in said


def test_resuming_a_finished_run_changes_nothing(small_run: Path, tmp_path: Path) -> None:
    recipe = small_run.parent / "recipe"
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    train(recipe, run, resume=True)
    assert differing(outcome(run), outcome(small_run)) == []


def test_a_larger_budget_goes_on(small_run: Path, tmp_path: Path) -> None:
    recipe = small_run.parent / "recipe"
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    train(recipe, run, "--trainer.max_steps=18", resume=True)
    last = checkpoint(run)
    assert last["global_step"] == 18 and learning_curve(run)[0] == [4, 8, 12, 16, 18]
    assert differing(last["state_dict"], checkpoint(small_run)["state_dict"])
    assert metrics(run)["seconds"] > checkpoint(small_run)["seqmdn"]["seconds"]
    # The rate of the larger budget: after the warmup of 3, 15 steps of a half cosine, all done.
    assert last["lr_schedulers"][0]["last_epoch"] == 18
    assert last["optimizer_states"][0]["param_groups"][0]["lr"] == pytest.approx(0, abs=1e-9)


def test_a_run_that_goes_on_has_no_score_until_it_is_finished(
    small_run: Path, tmp_path: Path
) -> None:
    recipe = small_run.parent / "recipe"
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    with pytest.raises(Interrupted):
        train(recipe, run, "--trainer.max_steps=18", resume=True, report=Interrupt(13))
    assert not (run / "metrics.json").exists()


def test_optimiser_and_schedule_are_the_runs_own(recipe: Path, tmp_path: Path) -> None:
    """A run that begins after another one begins at the beginning."""
    train(recipe, tmp_path / "other", "--training.optimizer.init_args.lr=0.5")
    with pytest.raises(Interrupted):
        train(recipe, tmp_path / "run", report=Interrupt(5))
    state = checkpoint(tmp_path / "run")
    assert state["lr_schedulers"][0]["last_epoch"] == state["global_step"] == 6
    assert {float(s["step"]) for s in state["optimizer_states"][0]["state"].values()} == {6.0}
    factor = 0.5 * (1 + math.cos(math.pi * (6 - 3) / (12 - 3)))
    (group, *_) = state["optimizer_states"][0]["param_groups"]
    assert group["lr"] == pytest.approx(0.02 * factor)


def test_a_checkpoint_of_another_model_is_not_gone_on_from(recipe: Path, tmp_path: Path) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    train(recipe, run)
    train(recipe, other, model="frmdn")
    config = (run / "config.yaml").read_bytes()
    wider = "--model.init_args.backbone.init_args.hidden=9"
    with pytest.raises(ValueError, match=r"last\.ckpt holds the weights of another model"):
        train(recipe, run, wider, resume=True)
    assert (run / "config.yaml").read_bytes() == config, "the run can still be gone on with"
    train(recipe, run, resume=True)
    shutil.copy(other / "checkpoints" / "last.ckpt", run / "checkpoints" / "last.ckpt")
    with pytest.raises(ValueError, match=r"last\.ckpt holds the weights of another model"):
        train(recipe, run, resume=True)


def test_another_store_is_not_gone_on_with(tmp_path: Path) -> None:
    store = write_store(tmp_path / "walks.h5")
    recipe, run = write_recipe(tmp_path / "recipe", store, steps=8), tmp_path / "run"
    with pytest.raises(Interrupted):
        train(recipe, run, report=Interrupt(5))
    begun = shutil.move(store, tmp_path / "begun.h5")
    write_store(store, seed=6)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match=r"another store than .*walks\.h5 is now: expected sha256"):
        train(recipe, run, resume=True)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    # What counts is what the store holds, not where it lies.
    train(recipe, run, f"--data.init_args.path={begun}", resume=True)
    assert metrics(run)["steps"] == 8


def test_a_damaged_checkpoint_is_not_gone_on_from(small_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    for name in ("last.ckpt", "previous.ckpt"):
        kept = run / "checkpoints" / name
        kept.write_bytes(kept.read_bytes()[:5000])
    config = (run / "config.yaml").read_bytes()
    with pytest.raises(ValueError, match="is damaged or no checkpoint of seqmdn"):
        train(small_run.parent / "recipe", run, "--seed", "1", resume=True)
    assert (run / "config.yaml").read_bytes() == config
