"""The command: what it prints, how it ends, and what it leaves behind."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import seqmdn
from seqmdn.cli import main
from seqmdn.data import Store, file_sha256
from seqmdn.metrics import crps
from seqmdn.runs import draw, load_run
from tests.small import (
    checkpoint,
    hidden_files,
    metrics,
    train,
    words,
    write_recipe,
    write_store,
)

ROOT = Path(__file__).parents[1]

Refused = Callable[..., str]


@pytest.fixture(scope="module")
def recipe(small_run: Path) -> Path:
    return small_run.parent / "recipe"


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Refused:
    """Run a command that must fail; return its one message."""

    def run(*arguments: object, status: int = 1) -> str:
        command = [str(word) for word in arguments]
        before = sorted(tmp_path.rglob("*"))
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main(command)
        assert caught.value.code == status
        printed = capsys.readouterr()
        assert printed.out == "" and "Traceback" not in printed.err
        assert printed.err.startswith("seqmdn: ") and printed.err.endswith("\n")
        message = printed.err.removeprefix("seqmdn: ")
        assert message.count("\n") == 1 and message.strip(), f"not one line: {message!r}"
        # With --debug, the error itself.
        with pytest.raises(Exception) as error:  # noqa: B017, PT011
            main([*command, "--debug"])
        assert not isinstance(error.value, SystemExit)
        assert sorted(tmp_path.rglob("*")) == before, "something was left behind"
        return message.strip()

    return run


# --------------------------------------------------------------------------------------------------
# Words
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_names_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(arguments)
    printed = capsys.readouterr().out
    for command in ("compare", "fit", "evaluate", "sample"):
        assert f"\n  {command} " in printed


@pytest.mark.parametrize(
    ("command", "option"),
    [("compare", "--seeds"), ("fit", "--resume"), ("evaluate", "--split"), ("sample", "--prime")],
)
def test_every_command_has_help(
    command: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert not caught.value.code
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: seqmdn {command}") and option in printed


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--version"])
    assert capsys.readouterr().out == f"{seqmdn.__version__}\n"


def test_an_unknown_command_is_refused_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["evalute"])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert "there is no command 'evalute'" in error and "evaluate RUN" in error


# --------------------------------------------------------------------------------------------------
# Fit, evaluate, sample
# --------------------------------------------------------------------------------------------------


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


def test_fit_tells_programs_in_json(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["fit", *words(recipe), "--out", str(tmp_path / "run"), "--progress", "json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(set(line) == {"step", "steps", "nll"} for line in lines)
    assert lines[-1]["step"] == lines[-1]["steps"] == 12 and lines[-1]["nll"] is not None


def test_fit_shows_a_bar(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["fit", *words(recipe), "--out", str(tmp_path / "run"), "--progress", "bar"])
    printed = capsys.readouterr()
    assert "12/12" in printed.err and "validation NLL" in printed.err


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


def test_evaluate_says_split_and_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = write_store(tmp_path / "walks.h5", noisy=True)
    recipe = write_recipe(tmp_path / "recipe", store, noise="seqmdn.data.GaussianLatents")
    train(recipe, tmp_path / "run", "--trainer.max_steps=2")
    capsys.readouterr()
    main(["evaluate", str(tmp_path / "run"), "--split", "valid"])
    found = metrics(tmp_path / "run")
    assert found["split"] == "valid"
    assert capsys.readouterr().out == (
        f"{tmp_path / 'run'}: valid NLL {found['nll']:.4f} ± {found['stderr']:.4f} nats/frame, "
        f"{found['bits_per_dim']:.4f} bits/dim, {found['gap_to_limit']:.3f} above the limit\n"
    )


def test_evaluate_tells_scores_and_draws_the_calibration(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    main(["evaluate", str(run), "--draws", "30"])
    assert "crps" not in metrics(run) and "CRPS" not in capsys.readouterr().out
    main(["evaluate", str(run), "--scores", "--draws", "30"])
    found = metrics(run)
    assert found["calibration"]["draws"] == 30
    assert capsys.readouterr().out.splitlines()[1] == (
        f"CRPS {found['crps']:.4f} ± {found['crps_stderr']:.4f} (exact), "
        f"energy score {found['energy_score']:.4f} ± {found['energy_score_stderr']:.4f}, "
        f"90 % intervals hold {100 * found['coverage_90']:.1f} "
        f"± {100 * found['coverage_90_stderr']:.1f} %"
    )
    main(["evaluate", str(run / "checkpoints" / "best.ckpt"), "--out", str(tmp_path / "a.png")])
    assert "90 % intervals" in capsys.readouterr().out
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
    assert metrics(run) == found, "only a run's folder is written to"


def test_evaluate_scores_what_was_observed_of_frames_with_missing_features(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path / "recipe", write_store(tmp_path / "gaps.h5", missing=True))
    run = tmp_path / "run"
    train(recipe, run, "--model.missing", "true")
    main(["evaluate", str(run), "--out", str(tmp_path / "a.png"), "--draws", "30"])
    found = metrics(run)
    assert f"CRPS {found['crps']:.4f}" in capsys.readouterr().out
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
    # Frame by frame and feature by feature, from the marginals.
    made, scores, counts = load_run(run), [], np.zeros(2, dtype=int)
    slope = made.model.transform.std
    for index in made.data.store.indices("test"):
        batch = made.data.sequences("test", [index])
        assert batch.observed is not None
        with torch.no_grad():
            density, _ = made.model.distributions(batch)
            z, _ = made.model.transform.call_and_ladj(batch.values, batch.observed)
            for d in range(2):
                seen = batch.observed[0, :, d]
                each = crps(density.marginal([d]), z[..., [d]])[0, seen, 0]
                scores.append(each * slope[d])
                counts[d] += int(seen.sum())
    assert found["crps"] == pytest.approx(torch.cat(scores).mean().item(), rel=1e-4)
    assert np.sum(found["calibration"]["pit"]["counts"], axis=1).tolist() == counts.tolist()
    assert np.sum(found["calibration"]["rosenblatt"]["counts"], axis=1).tolist() == counts.tolist()


def test_evaluate_refuses_what_it_cannot_draw(
    small_run: Path, tmp_path: Path, refused: Refused
) -> None:
    before = metrics(small_run)
    assert "ends in .png or .svg" in refused("evaluate", small_run, "--out", tmp_path / "a.jpg")
    assert "19 draws or more" in refused("evaluate", small_run, "--scores", "--draws", 5)
    assert metrics(small_run) == before


@pytest.mark.parametrize("ending", ["png", "svg", "npz", "h5"])
def test_sample_writes_what_the_ending_says(
    small_run: Path, tmp_path: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"drawn.{ending}"
    main(["sample", str(small_run), "--num", "3", "--length", "5", "--out", str(path)])
    assert capsys.readouterr().out == f"3 sequences of 5 frames: {path}\n"
    assert list(tmp_path.iterdir()) == [path]
    if ending == "npz":
        with np.load(path) as found:
            assert found["values"].shape == (3, 5, 2) and found["lengths"].tolist() == [5] * 3
    elif ending == "h5":
        with Store(path) as store:
            assert store.lengths.tolist() == [5] * 3 and store.names == ["x0", "x1"]
    elif ending == "png":
        with Image.open(path) as picture:
            assert picture.format == "PNG"
    else:
        assert "<svg" in path.read_text()


def test_a_drawn_store_can_be_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = write_store(tmp_path / "walks.h5", context=True, attributes={"sequence": "walk"})
    recipe = write_recipe(tmp_path / "recipe", store, noise=None, per="sequence")
    train(recipe, tmp_path / "run", "--trainer.max_steps=4")
    path = tmp_path / "drawn.h5"
    words = ["sample", str(tmp_path / "run"), "--num", "30", "--out", str(path)]
    main(words)
    run = load_run(tmp_path / "run")
    with Store(path) as found:
        assert found.attributes["command"] == " ".join(["seqmdn", *words])
        drawn_by = found.attributes["source"][0]
        assert drawn_by == {
            "file": "run/checkpoints/best.ckpt",
            "sha256": file_sha256(run.checkpoint),
        }
    capsys.readouterr()
    main(["evaluate", str(run.checkpoint), "--data", str(path)])
    with torch.no_grad():
        nll = -run.model.log_prob(draw(run, 30)[0]).mean()
    printed = capsys.readouterr().out
    assert f": test NLL {nll:.4f} ± " in printed and "nats/walk" in printed


def test_sample_takes_seed_prime_and_temperature(small_run: Path, tmp_path: Path) -> None:
    def sample(*options: str) -> np.ndarray:
        main(["sample", str(small_run), "--num", "40", "--out", f"{tmp_path}/a.npz", *options])
        with np.load(tmp_path / "a.npz") as found:
            return found["values"]

    plain = sample()
    assert np.array_equal(sample(), plain) and not np.array_equal(sample("--seed", "1"), plain)
    with Store(small_run.parent / "walks.h5") as store:
        first = store.read(int(store.indices("test")[0]))[0]
    primed = sample("--prime", "2")
    assert ((primed[0, :2] - first[:2] > 0) & (primed[0, :2] - first[:2] < 1)).all()
    cold = sample("--temperature", "0.01")
    assert np.array_equal(cold, sample("--mixing", "0.01", "--scale", "0.01"))
    assert cold[:, 0].std() < plain[:, 0].std()
    run = load_run(small_run)
    for part in ("mixing", "scale"):
        expected = draw(run, 40, **{part: 0.01})[0].values.numpy()
        assert np.array_equal(sample(f"--{part}", "0.01"), expected)
        assert not np.array_equal(expected, cold)


# --------------------------------------------------------------------------------------------------
# Bad input
# --------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("command", ["evaluate", "sample"])
def test_a_run_that_is_none(
    small_run: Path, tmp_path: Path, refused: Refused, command: str
) -> None:
    def run(path: Path) -> str:
        out = ["--out", tmp_path / "a.npz"] if command == "sample" else []
        return refused(command, path, *out)

    for path in (tmp_path / "missing", tmp_path):
        message = run(path)
        assert (
            message.startswith("there is no checkpoint") and "train one by `seqmdn fit`" in message
        )
    best = small_run / "checkpoints" / "best.ckpt"
    (tmp_path / "half.ckpt").write_bytes(best.read_bytes()[:5000])
    (tmp_path / "text.ckpt").write_text("hello\n")
    torch.save({"state_dict": torch.nn.Linear(2, 2).state_dict()}, tmp_path / "other.ckpt")
    content = torch.load(best, weights_only=True)
    content["seqmdn"]["model"]["init_args"]["head"]["init_args"]["components"] = 7
    torch.save(content, tmp_path / "mixed.ckpt")
    for name, expected in {
        "half.ckpt": "damaged or no checkpoint of seqmdn",
        "text.ckpt": "damaged or no checkpoint of seqmdn",
        "other.ckpt": "is no checkpoint of this version of seqmdn",
        "mixed.ckpt": "holds the weights of another model",
    }.items():
        message = run(tmp_path / name)
        assert message.startswith(str(tmp_path / name)) and expected in message


def test_data_that_are_not_the_models(small_run: Path, tmp_path: Path, refused: Refused) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    wide = write_store(tmp_path / "wide.h5", features=3)
    assert "name the right store by --data" in refused("evaluate", run, "--data", wide)
    for command in (["evaluate", run], ["sample", run, "--out", tmp_path / "a.npz"]):
        assert "found no such file" in refused(*command, "--data", tmp_path / "none.h5")


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
    (run / "checkpoints" / "last.ckpt").write_bytes(b"PK")
    assert "damaged or no checkpoint" in refused("fit", "--resume", run)
    (run / "checkpoints" / "last.ckpt").unlink()
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


def test_an_out_that_cannot_be_written(small_run: Path, tmp_path: Path, refused: Refused) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    recipe = small_run.parent / "recipe"
    for out in (file, file / "run"):
        message = refused("fit", *words(recipe), "--out", out)
        assert str(file) in message and "choose another" in message and "Errno" not in message
    for ending in ("png", "npz", "h5"):
        message = refused("sample", small_run, "--out", file / f"a.{ending}")
        assert str(file) in message and "Errno" not in message
    assert file.read_text() == "old"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "a.wav"], "walks is not sound: choose another ending than .wav"),
        (["--out", "a.gif"], "--out must end in one of .png, .svg, .npz, .h5, .wav; found 'a.gif'"),
        (["--out", "a.npz", "--prime", "9"], "prime must be at most 4, found 9"),
        (["--out", "a.npz", "--temperature", "0"], "temperatures must be positive"),
        (["--out", "a.npz", "--length", "0"], "length must be at least 1, found 0"),
        (["--out", "a.npz", "--split", "tset"], "expected a split of train, valid, test"),
        (["--out", "a.npz", "--num", "0"], "expected at least one"),
    ],
)
def test_draws_that_make_no_sense(
    small_run: Path,
    tmp_path: Path,
    refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in refused("sample", small_run, *options)


def test_endings_are_looked_at_before_any_draw(
    small_run: Path, tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqmdn.cli.draw", lambda *_, **__: pytest.fail("drawn in vain"))
    refused("sample", small_run, "--out", tmp_path / "a.gif")


def test_usage_errors_end_with_status_2(
    small_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (
        ["sample", str(small_run)],
        ["evaluate"],
        ["evaluate", str(small_run), "--split", "tset"],
        ["evaluate", str(small_run), "--splitt", "test"],
        ["compare"],
        ["fit"],
        ["fit", "--resume"],
    ):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2, arguments
        error = capsys.readouterr().err
        assert "Traceback" not in error and error.strip()


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


@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_ctrl_c_elsewhere(
    small_run: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    debug: list[str],
) -> None:
    def press(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("seqmdn.cli.evaluate", press)
    with pytest.raises(KeyboardInterrupt if debug else SystemExit) as caught:
        main(["evaluate", str(small_run), *debug])
    if not debug:
        assert isinstance(caught.value, SystemExit) and caught.value.code == 130
        assert capsys.readouterr().err == "seqmdn: interrupted\n"
