"""Training one model from the command line."""

import json
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from seqmdn.cli import main
from tests.small import (
    checkpoint,
    hidden_files,
    metrics,
    words,
    write_recipe,
    write_store,
)

ROOT = Path(__file__).parents[2]
Refused = Callable[..., str]


def test_fit_tells_what_it_does(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    main(["fit", *words(recipe), "--out", str(run)])
    printed = capsys.readouterr()
    *steps, last = printed.out.splitlines()
    assert [line.split(",")[0] for line in steps] == [f"step {s} of 12" for s in (4, 8, 12)]
    found = metrics(run)
    assert last == (
        f"{run}: test NLL {found['nll']:.4f} ± {found['stderr']:.4f} nats/frame, "
        f"{found['bits_per_dim']:.4f} bits/dim"
    )
    assert printed.err == "", "libraries' advice is not for the user"


def test_a_run_without_a_name_is_called_by_its_date(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    main(["fit", *words(recipe, "--trainer.max_steps=1")])
    (run,) = (tmp_path / "runs").iterdir()
    assert len(run.name) == 15 and (run / "metrics.json").exists()


def test_resume_goes_on_under_the_runs_own_configuration(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    main(["fit", "--resume", str(run)])
    assert checkpoint(run)["global_step"] == 12
    main(["fit", f"--resume={run}", "--trainer.max_steps", "14"])
    assert checkpoint(run)["global_step"] == 14
    assert yaml.safe_load((run / "config.yaml").read_text())["trainer"]["max_steps"] == 14
    assert "step 14 of 14" in capsys.readouterr().out


def test_a_misspelt_option_or_key(recipe: Path, tmp_path: Path, refused: Refused) -> None:
    out = ["--out", tmp_path / "run"]
    message = refused("fit", *words(recipe), "--trainer.max_stepz", "3", *out, status=2)
    assert message == "there is no option --trainer.max_stepz: did you mean --trainer.max_steps?"
    (tmp_path / "more.yaml").write_text("trainer: {max_stepz: 3}\n")
    message = refused("fit", *words(recipe), "-c", tmp_path / "more.yaml", *out, status=2)
    assert message == "there is no key 'trainer.max_stepz': did you mean trainer.max_steps?"


def test_an_unknown_class(recipe: Path, tmp_path: Path, refused: Refused) -> None:
    head = ["--model.init_args.head.class_path", "seqmdn.heads.MixtureHat"]
    message = refused("fit", *words(recipe), *head, "--out", tmp_path / "run", status=2)
    assert "module 'seqmdn.heads' has no attribute 'MixtureHat'" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"components": 0}, "components must be at least 1, found 0"),
        (
            {"covariance": "lowrank", "rank": 3},
            "a rank between 1 and the number of features, 2; fo",
        ),
        ({"covariance": "lowrank"}, "a rank between 1 and"),
        ({"components": 1000}, "1000 components need at least 1000 frames"),
    ],
)
def test_a_head_that_cannot_be(
    recipe: Path, tmp_path: Path, refused: Refused, options: dict[str, object], message: str
) -> None:
    head = [f"--model.init_args.head.init_args.{key}={value}" for key, value in options.items()]
    assert message in refused("fit", *words(recipe), *head, "--out", tmp_path / "run")


def missing(path: Path) -> None:
    path.unlink()


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def no_hdf5(path: Path) -> None:
    path.write_text("x, y\n1, 2\n")


def other_version(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file.attrs["version"] = 99


def other_kind(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["data"] = np.zeros(3)


def not_finite(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["values"][file["offsets"][3] + 2, 1] = np.nan


def empty_sequence(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["offsets"][3] = file["offsets"][2]


def no_valid(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["split"][file["split"][:] == 1] = 0


def no_test(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["split"][file["split"][:] == 2] = 0


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (missing, ["found no such file", "data_prep"]),
        (truncated, ["truncated or damaged", "again"]),
        (no_hdf5, ["found no HDF5 file", "data_prep script wrote"]),
        (other_version, ["expected format version 1 or 2, found 99", "again"]),
        (other_kind, ["expected a seqmdn store", "data_prep script wrote"]),
        (not_finite, ["sequence 3", "found nan at frame 2, feature 'x1'", "mend"]),
        (empty_sequence, ["expected offsets that rise", "again"]),
        (no_valid, ["expected sequences of split 'valid', found none"]),
        (no_test, ["expected sequences of split 'test', found none"]),
    ],
)
def test_a_store_that_is_none(
    tmp_path: Path, refused: Refused, damage: Callable[[Path], None], expected: list[str]
) -> None:
    store = write_store(tmp_path / "walks.h5")
    recipe = write_recipe(tmp_path / "recipe", store)
    damage(store)
    message = refused("fit", *words(recipe), "--out", tmp_path / "run")
    assert message.startswith(str(store)) and all(part in message for part in expected)


def test_a_run_that_cannot_be_gone_on_with(
    small_run: Path, tmp_path: Path, refused: Refused
) -> None:
    message = refused("fit", "--resume", tmp_path / "none")
    assert message.startswith(f"{tmp_path / 'none'} holds no run to go on with")
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    message = refused("fit", *words(small_run.parent / "recipe"), "--out", run)
    assert "holds a run already" in message and f"seqmdn fit --resume {run}" in message
    wider = "--model.init_args.backbone.init_args.hidden=9"
    assert "holds the weights of another model" in refused("fit", "--resume", run, wider)
    kept = [run / "checkpoints" / name for name in ("last.ckpt", "previous.ckpt")]
    for path in kept:
        path.write_bytes(b"PK")
    assert "damaged or no checkpoint" in refused("fit", "--resume", run)
    for path in kept:
        path.unlink()
    assert "there is no checkpoint" in refused("fit", "--resume", run)


def test_a_run_goes_on_in_its_own_folder_only(
    small_run: Path, tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    other = tmp_path / "other"
    for options in (["--resume", run, "--out", other], [f"--out={other}", f"--resume={run}"]):
        message = refused("fit", *options, status=2)
        assert f"own folder {run}, found --out {other}: leave --out away, or copy" in message
    assert checkpoint(run)["global_step"] == 12 and metrics(run) == metrics(small_run)
    monkeypatch.chdir(tmp_path)
    main(["fit", "--resume", str(run), "--out", "run", "--trainer.max_steps=13"])
    assert checkpoint(run)["global_step"] == 13, "its own folder, by another name"


def test_a_loss_that_is_not_finite(recipe: Path, tmp_path: Path, refused: Refused) -> None:
    run = tmp_path / "run"
    run.mkdir()
    hot = "--training.optimizer.init_args.lr=1e30"
    with pytest.raises(SystemExit):
        main(["fit", *words(recipe, hot), "--out", str(run)])
    assert not (run / "metrics.json").exists() and not hidden_files(run)
    for path in (run / "logs").rglob("*"):
        path.unlink() if path.is_file() else None


def test_ctrl_c_in_a_training(recipe: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    endless = ["--trainer.max_steps=100000", "--trainer.val_check_interval=7"]
    with subprocess.Popen(
        [sys.executable, "-m", "seqmdn", "fit", *words(recipe, *endless)]
        + ["--out", str(run), "--progress", "json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        seen = 0
        for line in process.stdout:
            seen = json.loads(line)["step"]
            if seen >= 10:
                break
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=120)
    assert process.returncode == 130 and "Traceback" not in error
    stopped = checkpoint(run)["global_step"]
    assert stopped >= seen
    assert error == f"seqmdn: stopped at step {stopped}; go on by: seqmdn fit --resume {run}\n"
    assert not hidden_files(run) and not (run / "metrics.json").exists()
    main(["fit", "--resume", str(run), f"--trainer.max_steps={stopped + 3}"])
    assert checkpoint(run)["global_step"] == stopped + 3


def test_a_fallback_is_told(small_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    last = run / "checkpoints" / "last.ckpt"
    last.write_bytes(b"PK")
    with pytest.warns(UserWarning, match="damaged") as warned:
        main(["fit", "--resume", str(run)])
    message = (
        f"{last} is damaged: going on from the one before it, {last.with_name('previous.ckpt')}, "
        "of step 8"
    )
    assert [str(each.message) for each in warned] == [message]
    # As it is told: without the place in the code.
    assert warnings.formatwarning(message, UserWarning, "a.py", 1) == f"seqmdn: {message}\n"
