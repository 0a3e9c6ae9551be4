"""Training a run."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch.distributions import Distribution

from seqmdn.configuration import fit_parser
from seqmdn.runs import fit, learning_curve
from tests.small import checkpoint, differing, hidden_files, metrics, outcome, train


@pytest.mark.parametrize(("steps", "interval", "expected"), [(3, 50, [3]), (6, 4, [4, 6])])
def test_a_budget_below_the_interval_is_no_loss(
    recipe: Path, tmp_path: Path, steps: int, interval: int, expected: list[int]
) -> None:
    options = [f"--trainer.max_steps={steps}", f"--trainer.val_check_interval={interval}"]
    train(recipe, tmp_path, *options)
    assert learning_curve(tmp_path)[0] == expected
    assert checkpoint(tmp_path)["global_step"] == steps


def test_the_seed_decides(recipe: Path, tmp_path: Path) -> None:
    torch.manual_seed(123)
    train(recipe, tmp_path / "again", "--seed", "3")
    torch.manual_seed(456)
    train(recipe, tmp_path / "first", "--seed", "3")
    train(recipe, tmp_path / "other", "--seed", "4")
    first, again, other = (outcome(tmp_path / name) for name in ("first", "again", "other"))
    assert differing(first, again) == []
    changed = differing(first["weights"], other["weights"])
    # All but the standardiser, whose frames' noise is the same for every seed.
    assert set(changed) == {f"/{name}" for name in first["weights"] if "transform" not in name}


def test_weights_batches_and_steps_have_the_seed_of_the_run(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Enough(Exception):
        pass

    begun: list[tuple[Any, Any]] = []

    def note(self: Trainer, module: Any, datamodule: Any, **_: Any) -> None:
        begun.append((module, datamodule))
        raise Enough

    monkeypatch.setattr(Trainer, "fit", note)
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        with pytest.raises(Enough):
            train(recipe, tmp_path / name, "--seed", str(seed))
    assert [(module.seed, data.seed) for module, data in begun] == [(3, 3), (3, 3), (4, 4)]
    first, again, other = (module.model.backbone.state_dict() for module, _ in begun)
    assert differing(first, again) == []
    assert differing(first, other)


def test_fitting_leaves_the_process_as_it_was(recipe: Path, tmp_path: Path) -> None:
    Distribution.set_default_validate_args(True)
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    train(recipe, tmp_path, model="frmdn")
    with pytest.raises(ValueError, match="scale"):
        torch.distributions.Normal(0.0, -1.0)
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    assert (torch.get_num_threads(), torch.get_default_dtype()) == (threads, dtype)
    assert not torch.are_deterministic_algorithms_enabled()


def test_nothing_is_overwritten_that_a_run_did_not_make(recipe: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "metrics.json").write_text("mine")
    with pytest.raises(FileExistsError, match=r"holds metrics\.json, but no checkpoint"):
        train(recipe, run)
    shutil.copy(recipe / "base.yaml", run / "config.yaml")
    (run / "metrics.json").unlink()
    config = fit_parser().parse_args(["-c", f"{run}/config.yaml", "-c", f"{recipe}/rmdn.yaml"])
    written = (run / "config.yaml").read_text()
    with pytest.raises(
        FileExistsError, match=r"config\.yaml, which this run is told by -c to read"
    ):
        fit(config, run)
    assert (run / "config.yaml").read_text() == written
    assert list(run.iterdir()) == [run / "config.yaml"]


def test_a_run_is_not_overwritten(small_run: Path) -> None:
    before = outcome(small_run)
    with pytest.raises(FileExistsError, match=f"seqmdn fit --resume {small_run}"):
        train(small_run.parent / "recipe", small_run)
    assert differing(outcome(small_run), before) == []


def test_a_run_that_never_began_may_begin_again(recipe: Path, tmp_path: Path) -> None:
    hot = "--training.optimizer.init_args.lr=1e30"
    with pytest.raises(FloatingPointError, match="at step 1 is"):
        train(recipe, tmp_path, hot)
    with pytest.raises(FileNotFoundError, match=r"last\.ckpt"):
        train(recipe, tmp_path, resume=True)
    train(recipe, tmp_path)
    assert metrics(tmp_path)["steps"] == 12


def test_training_that_fails_keeps_its_checkpoints(recipe: Path, tmp_path: Path) -> None:
    class Broken(Exception):
        pass

    def fail(step: int, steps: int, nll: float | None) -> None:
        if step == 7:
            raise Broken

    with pytest.raises(Broken):
        train(recipe, tmp_path, report=fail)
    assert checkpoint(tmp_path)["global_step"] == 4 and not hidden_files(tmp_path)
    train(recipe, tmp_path, resume=True)
    assert metrics(tmp_path)["steps"] == 12
