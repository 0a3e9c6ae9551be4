"""Runs: a configuration becomes a folder, and the folder becomes the trained model again."""

import csv
import math
import os
import platform
import re
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
import yaml
from lightning.pytorch import Trainer
from torch.distributions import Distribution

import seqmdn
from seqmdn.configuration import fit_parser
from seqmdn.data import Store
from seqmdn.runs import (
    Interrupted,
    device_name,
    draw,
    evaluate,
    fit,
    learning_curve,
    load_run,
    versions,
)
from seqmdn.scoring import score_densities
from tests.small import (
    SPLITS,
    Interrupt,
    checkpoint,
    differing,
    hidden_files,
    metrics,
    outcome,
    parse,
    train,
    worsening,
    write_recipe,
    write_store,
)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    return write_recipe(folder, write_store(folder / "walks.h5"))


# --------------------------------------------------------------------------------------------------
# Fit and evaluate
# --------------------------------------------------------------------------------------------------


def test_a_run_is_its_files(small_run: Path) -> None:
    files = {path.relative_to(small_run).as_posix() for path in small_run.rglob("*")}
    events = {name for name in files if name.startswith("logs/version_0/events")}
    assert len(events) == 1
    assert files - events == {
        "config.yaml",
        "metrics.json",
        "checkpoints",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "logs",
        "logs/version_0",
        "logs/version_0/metrics.csv",
        "logs/version_0/hparams.yaml",
    }


def test_a_run_keeps_its_configuration_defaults_included(small_run: Path) -> None:
    again = fit_parser().parse_args(["-c", f"{small_run}/config.yaml"])
    wanted = parse(small_run.parent / "recipe")
    assert {key: value for key, value in again.items() if key != "config"} == {
        key: value for key, value in wanted.items() if key != "config"
    }
    kept = yaml.safe_load((small_run / "config.yaml").read_text())
    # Nobody named these; another version's defaults must not change them.
    assert kept["seed"] == 0 and kept["training"]["schedule"] == "cosine"
    assert "precision" in kept["trainer"] and "window" in kept["data"]["init_args"]
    assert "covariance" in kept["model"]["init_args"]["head"]["init_args"]


def test_a_checkpoint_says_what_it_was_trained_on(small_run: Path) -> None:
    said = load_run(small_run).description
    assert said["dataset"] == load_run(small_run).data.describe("train")
    assert said["dataset"]["sequences"] == SPLITS["train"]
    assert (said["features"], said["context"], said["unit"]) == (2, 0, "nats/frame")


def by_hand(run: Path, split: str) -> tuple[list[float], list[int]]:
    """Each sequence's NLL in nats, alone and frame by frame, and its number of frames."""
    made = load_run(run)
    nats, lengths = [], []
    for index in made.data.store.indices(split):
        batch = made.data.sequences(split, [index])
        total, previous, state = torch.zeros(()), None, None
        with torch.no_grad():
            z, ladj = made.model.transform.call_and_ladj(batch.values)
            for t in range(batch.values.shape[1]):
                density, state = made.model.step(previous, state=state)
                total = total + (density.log_prob(z[:, t]) + ladj[:, t]).sum()
                previous = z[:, t]
        nats.append(-float(total))
        lengths.append(batch.values.shape[1])
    return nats, lengths


@pytest.mark.parametrize("per", ["frame", "sequence"])
def test_metrics_are_those_of_the_model(tmp_path: Path, per: str) -> None:
    store = write_store(tmp_path / "walks.h5", attributes={"sequence": "walk"})
    recipe = write_recipe(tmp_path / "recipe", store, per=per)
    run = tmp_path / "run"
    train(recipe, run)
    nats, lengths = by_hand(run, "test")
    assert len(set(lengths)) > 2
    values = [n / t for n, t in zip(nats, lengths, strict=True)] if per == "frame" else nats
    found = metrics(run)
    assert found["nll_per_sequence"] == pytest.approx(values, rel=1e-5)
    assert found["nll"] == pytest.approx(np.mean(values), rel=1e-5)
    assert found["stderr"] == pytest.approx(np.std(values, ddof=1) / math.sqrt(10), rel=1e-4)
    assert found["bits_per_dim"] == pytest.approx(
        sum(nats) / sum(lengths) / 2 / math.log(2), rel=1e-5
    )
    assert found["unit"] == {"frame": "nats/frame", "sequence": "nats/walk"}[per]
    model = load_run(run).model
    assert found["params"] == sum(p.numel() for p in model.parameters())
    with Store(store) as opened:
        assert found["dataset"] == {
            "name": "walks",
            "sha256": opened.sha256,
            "sequences": 10,
            "frames": sum(lengths),
        }
    assert found["split"] == "test" and found["steps"] == 12 and found["seed"] == 0
    assert found["checkpoint"] == "best.ckpt" and found["versions"] == versions()
    assert found["device"] and 0 < found["seconds"] < 600
    assert "limit" not in found


def test_scores_are_added_where_they_are_asked_for(small_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    before = evaluate(run, "valid")
    found = evaluate(run, "valid", draws=30)
    assert metrics(run) == found
    assert {key: found[key] for key in before} == before
    made = load_run(run)
    report = score_densities(made.model, made.data.batches("valid"), draws=30).compute()
    assert {key: found[key] for key in report} == report
    assert report.keys() == found.keys() - before.keys()
    assert {"crps", "energy_score", "coverage_90"} <= report.keys()
    assert found["crps_estimator"] == "exact" and len(found["crps_per_sequence"]) == 6
    assert evaluate(run, "valid", draws=30) == found, "the draws are the same each time"
    assert evaluate(run, "valid") == before


def test_a_run_on_frames_with_missing_features(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "recipe", write_store(tmp_path / "gaps.h5", missing=True))
    with pytest.raises(ValueError, match="made for frames without missing features.*missing true"):
        train(recipe, tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
    train(recipe, tmp_path / "run", "--model.missing", "true")
    made = load_run(tmp_path / "run")
    assert made.model.missing, "a checkpoint rebuilds the model as it was"
    nats, frames, values = [], [], 0
    for index in made.data.store.indices("test"):
        batch = made.data.sequences("test", [index])
        assert batch.observed is not None
        with torch.no_grad():
            nats.append(-made.model.log_prob(batch).item())
        frames.append(batch.values.shape[1])
        values += int(batch.observed.sum())
    assert values < 2 * sum(frames)
    found = evaluate(tmp_path / "run")
    assert found["nll"] == pytest.approx(np.mean(np.divide(nats, frames)), abs=1e-5)
    assert found["bits_per_dim"] == pytest.approx(sum(nats) / values / math.log(2), abs=1e-5)
    drawn, real = draw(made, num=3)
    assert drawn.values.isfinite().all() and real.observed is not None
    with pytest.raises(ValueError, match="prime must be 0 where features"):
        draw(made, num=10, prime=2)


def test_the_limit_is_told_where_it_is_known(tmp_path: Path) -> None:
    store = write_store(tmp_path / "noisy.h5", noisy=True, context=True)
    recipe = write_recipe(tmp_path / "recipe", store, noise="seqmdn.data.GaussianLatents")
    run = tmp_path / "run"
    train(recipe, run)
    for split, found in {"test": metrics(run), "valid": evaluate(run, "valid")}.items():
        with Store(store) as opened:
            rows = [opened.read(i)[0][:, 2:].astype(np.float64) for i in opened.indices(split)]
        entropy = np.mean([(0.5 * (np.log(2 * np.pi * np.e) + r)).sum(1).mean() for r in rows])
        assert found["limit"] == pytest.approx(entropy)
        assert found["gap_to_limit"] == pytest.approx(found["nll"] - entropy)
        assert entropy < found["nll"]


def test_the_scored_weights_are_the_best_ones(recipe: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(recipe, run, *worsening(6))
    steps, curve = learning_curve(run)
    assert steps == [4, 8, 12] and curve[0] < curve[1] < curve[2]
    assert metrics(run)["steps"] == checkpoint(run, "best")["global_step"] == 4
    assert checkpoint(run)["global_step"] == 12
    until = [checkpoint(run, name)["seqmdn"]["seconds"] for name in ("best", "last")]
    assert until[0] < until[1] < metrics(run)["seconds"], "the time is that of all steps"
    assert evaluate(run, "valid")["nll"] == pytest.approx(curve[0], rel=1e-6)
    last = run / "checkpoints" / "last.ckpt"
    before = metrics(run)
    assert evaluate(last, "valid")["nll"] == pytest.approx(curve[2], rel=1e-6)
    assert metrics(run) == before, "only a run's folder is written to"


def test_evaluate_rewrites_the_metrics(small_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    before = metrics(run)
    evaluate(run, "train")
    found = metrics(run)
    assert found["split"] == "train" and len(found["nll_per_sequence"]) == SPLITS["train"]
    assert found["dataset"]["sequences"] == SPLITS["train"]
    assert found["seconds"] == before["seconds"] and found["nll"] != before["nll"]
    (run / "metrics.json").unlink()
    evaluate(run)
    again = metrics(run)
    assert again.pop("seconds") == checkpoint(run, "best")["seqmdn"]["seconds"]
    assert again == {key: value for key, value in before.items() if key != "seconds"}


def test_evaluate_takes_other_data(small_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    other = write_store(tmp_path / "other.h5", seed=6)
    found = evaluate(run, data=other)
    with Store(other) as opened:
        assert found["dataset"]["sha256"] == opened.sha256
    assert found["nll"] != metrics(small_run)["nll"]
    wide = write_store(tmp_path / "wide.h5", features=3)
    with pytest.raises(ValueError, match="a model of 2 features, the data have 3: name the right"):
        evaluate(run, data=wide)


def test_the_curve_is_that_of_the_logs(small_run: Path) -> None:
    with (small_run / "logs" / "version_0" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    logged = [(int(float(r["step"])), float(r["val/nll"])) for r in rows if r["val/nll"]]
    steps, values = learning_curve(small_run)
    assert list(zip(steps, values, strict=True)) == logged and steps == [4, 8, 12]
    assert evaluate(small_run / "checkpoints" / "last.ckpt", "valid")["nll"] == pytest.approx(
        values[-1], rel=1e-6
    )


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


def test_versions_are_those_in_use() -> None:
    assert versions() == {
        "seqmdn": seqmdn.__version__,
        "torch": torch.__version__,
        "lightning": lightning.__version__,
        "zuko": metadata.version("zuko"),
        "python": platform.python_version(),
    }


def test_a_device_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.fullmatch(r"\w.* CPU, 1 thread", device_name(torch.device("cpu")))
    torch.set_num_threads(2)
    assert device_name(torch.device("cpu")).endswith(" CPU, 2 threads")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"Abacus {device.index}")
    assert device_name(torch.device("cuda", 1)) == "Abacus 1"


def test_a_curve_is_of_all_parts_the_later_ones_first(tmp_path: Path) -> None:
    parts = {"version_9": "4,1.0,\n6,,0.5\n8,2.0,\n", "version_10": "8,3.0,\n12,4.0,\n"}
    for time, (name, rows) in enumerate(parts.items()):
        path = tmp_path / "logs" / name / "metrics.csv"
        path.parent.mkdir(parents=True)
        path.write_text(f"step,val/nll,train/loss\n{rows}")
        os.utime(path, (time, time))
    assert learning_curve(tmp_path) == ([4, 8, 12], [1.0, 3.0, 4.0])


def test_fitting_leaves_the_process_as_it_was(recipe: Path, tmp_path: Path) -> None:
    Distribution.set_default_validate_args(True)
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    train(recipe, tmp_path, model="frmdn")
    with pytest.raises(ValueError, match="scale"):
        torch.distributions.Normal(0.0, -1.0)
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    assert (torch.get_num_threads(), torch.get_default_dtype()) == (threads, dtype)
    assert not torch.are_deterministic_algorithms_enabled()


# --------------------------------------------------------------------------------------------------
# Stop and resume
# --------------------------------------------------------------------------------------------------


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


def test_a_damaged_checkpoint_is_not_gone_on_from(small_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    last = run / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:5000])
    config = (run / "config.yaml").read_bytes()
    with pytest.raises(ValueError, match="is damaged or no checkpoint of seqmdn"):
        train(small_run.parent / "recipe", run, "--seed", "1", resume=True)
    assert (run / "config.yaml").read_bytes() == config


def test_a_run_is_not_overwritten(small_run: Path) -> None:
    before = outcome(small_run)
    with pytest.raises(FileExistsError, match=f"seqmdn fit --resume {small_run}"):
        train(small_run.parent / "recipe", small_run)
    assert differing(outcome(small_run), before) == []


def test_a_run_that_never_began_may_begin_again(recipe: Path, tmp_path: Path) -> None:
    hot = "--training.optimizer.init_args.lr=1e30"
    with pytest.raises(FloatingPointError, match="loss at step 1"):
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


# --------------------------------------------------------------------------------------------------
# Draws
# --------------------------------------------------------------------------------------------------


def test_draws_are_like_real_sequences(small_run: Path) -> None:
    run = load_run(small_run)
    longest = int(run.data.store.lengths[run.data.store.indices("test")].max())
    drawn, real = draw(run, num=12, seed=1)
    assert drawn.values.shape == (12, longest, 2) and drawn.lengths.tolist() == [longest] * 12
    assert drawn.values.isfinite().all()
    assert torch.equal(real.values[:2], real.values[10:]), "10 real ones, again in turn"
    assert torch.equal(draw(run, num=12, seed=1)[0].values, drawn.values)
    assert not torch.equal(draw(run, num=12, seed=2)[0].values, drawn.values)
    assert draw(run, num=2, length=3)[0].values.shape == (2, 3, 2)


def test_primed_draws_begin_as_real_ones(small_run: Path) -> None:
    run = load_run(small_run)
    drawn, real = draw(run, num=3, prime=2, split="valid")
    assert torch.equal(drawn.values[:, :2], real.values[:, :2])
    assert not torch.equal(drawn.values[:, 2:4], real.values[:, 2:4])
    with pytest.raises(ValueError, match="prime must be at most 4, found 5"):
        draw(run, num=10, prime=5)


def test_real_sequences_are_those_of_the_split(small_run: Path) -> None:
    run = load_run(small_run)
    for split in SPLITS:
        own = run.data.sequences(split, run.data.store.indices(split)[:3])
        assert torch.equal(draw(run, num=3, split=split)[1].values, own.values)


def test_draws_know_the_context(tmp_path: Path) -> None:
    store = write_store(tmp_path / "walks.h5", context=True)
    train(write_recipe(tmp_path / "recipe", store), tmp_path / "run")
    drawn, real = draw(load_run(tmp_path / "run"), num=10)
    assert drawn.context is not None
    assert torch.equal(drawn.context, real.context)
    # Behind the end of a sequence its context says nothing.
    assert torch.equal(drawn.lengths, real.lengths) and len(set(real.lengths.tolist())) > 1
    assert torch.equal(drawn.values.ne(0).any(2), drawn.mask())
    short, _ = draw(load_run(tmp_path / "run"), num=10, length=5)
    assert torch.equal(short.lengths, real.lengths.clamp(max=5))


def test_given_columns_are_drawn_under_and_handed_back(tmp_path: Path) -> None:
    store = write_store(tmp_path / "walks.h5", features=3, context=True)
    recipe = write_recipe(tmp_path / "recipe", store, given=["x1"])
    run = train(recipe, tmp_path / "run")
    assert (run.model.features, run.model.context) == (2, 2)
    drawn, real = draw(load_run(tmp_path / "run"), num=4, prime=2)
    with Store(store) as opened:
        for row, index in enumerate(opened.indices("test")[:4].tolist()):
            values, context = opened.read(index)
            end = len(values)
            for batch in (drawn, real):
                assert torch.equal(batch.context[row, :end], torch.from_numpy(context))
                assert torch.equal(batch.values[row, :end, 1], torch.from_numpy(values[:, 1]))
            # The other columns are dequantised above their level.
            floors = real.values[row, :end, [0, 2]].floor().numpy()
            np.testing.assert_array_equal(floors, values[:, [0, 2]])
    assert torch.equal(drawn.values[:, :2], real.values[:, :2])
    assert not torch.equal(drawn.values[:, 2:4, 0], real.values[:, 2:4, 0])
