"""Comparing from the command line: what is refused, and how it is stopped."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from seqmdn.cli import main
from seqmdn.compare import Task
from tests.small import checkpoint, hidden_files, metrics, write_store

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("words", "gpu", "jobs"),
    [([], False, 3), ([], True, 1), (["--jobs", "2"], True, 2), (["--jobs", "9"], False, 4)],
)
def test_jobs_are_cores_unless_there_is_a_gpu(
    clone: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    gpu: bool,
    jobs: int,
) -> None:
    asked: list[int] = []

    def note(tasks: list[Task], jobs: int, *_: Any) -> None:
        assert len(tasks) == 4
        asked.append(jobs)
        raise RuntimeError("enough")

    monkeypatch.setattr("seqmdn.cli.compare.train_all", note)
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    with pytest.raises(RuntimeError, match="enough"):
        main(["compare", str(clone), "--seeds", "2", "--out", str(tmp_path), *words, "--debug"])
    assert asked == [jobs]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--models", "rmdn", "foo"], "has no model 'foo': choose among rmdn, frmdn"),
        (["--seeds", "0"], "seeds must be at least 1, found 0"),
        (["--jobs", "0"], "expected --jobs of 1 or more trainings at a time, found 0: leave it"),
        (["--jobs", "-1"], "expected --jobs of 1 or more trainings at a time, found -1: leave"),
        (["--adapt", "0"], "expected a positive learning rate to adapt with, found 0.0"),
        (["--adapt", "nan"], "expected a positive learning rate to adapt with, found nan"),
        (["--sweep", "head.ranks=1"], "no model has a key 'head.ranks': the nearest are model.hea"),
        (["--sweep", "head.components=2,x"], "model.head.components: expected int, found x"),
        (["--sweep", "head.rank=0,9"], "2 of 4 models cannot be, nothing was trained: rmdn,head"),
        (["--possible", "--sweep", "head.rank=8,9"], "4 of 4 models cannot be, nothing was train"),
        (["--models", "rmdn", "foo.yaml"], "foo.yaml is not there: expected a YAML file"),
        (["--seconds", "9"], "expected --seconds with --budget seconds, found --budget steps"),
        (["--budget", "seconds", "--params", "9"], "expected --params with --budget params"),
        (["--budget", "params", "--params", "9"], "parameters within 1 %: 1 gives"),
        (["--trainer.max_stepz", "3"], "no option --trainer.max_stepz: did you mean --trainer.max"),
        (["--seedz", "3"], "there is no option --seedz: did you mean --seed?"),
        (["--model.init_args.head.init_args.rankk", "1"], "did you mean rank?"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_any_training(
    clone: Path,
    tmp_path: Path,
    refusal: Callable[..., str],
    words: list[str],
    message: str,
) -> None:
    assert message in refusal(clone, "--out", tmp_path / "out", *words)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_recipe_is_refused(tmp_path: Path, refusal: Callable[..., str]) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        assert "is not a recipe: expected a folder with base.yaml" in refusal(folder)


def test_an_out_that_cannot_be_written_is_refused(
    clone: Path, tmp_path: Path, refusal: Callable[..., str]
) -> None:
    (tmp_path / "file").write_text("old")
    message = refusal(clone, "--out", tmp_path / "file" / "out")
    assert str(tmp_path / "file") in message and "choose another" in message
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_training_that_fails_gives_its_last_words(
    clone: Path, tmp_path: Path, refusal: Callable[..., str]
) -> None:
    hot = ["--models", "rmdn", "rmdn", "--training.optimizer.init_args.lr", "1e30"]
    message = refusal(clone, "--out", tmp_path / "out", *hot)
    assert "the training of rmdn, seed 0 failed: seqmdn: the loss at step 1 is" in message
    assert "lower the learning rate" in message
    assert [path.name for path in (tmp_path / "out" / "runs").iterdir()] == ["rmdn-0"]
    assert not (tmp_path / "out" / "compare.json").exists() and not hidden_files(tmp_path)


@pytest.fixture
def long(clone: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[str], Path]]:
    """A comparison under way, as another process."""
    out = tmp_path / "out"
    words = ["compare", str(clone), "--jobs", "2", "--out", str(out)]
    words += ["--trainer.max_steps", "200", "--trainer.val_check_interval", "10"]
    # A shell starts what runs in the background deaf to Ctrl-C, and so would be all it starts.
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = f"{listening}; from seqmdn.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", command, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process, words, out
    process.kill()
    process.wait()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for processes in /proc")
def test_ctrl_c_stops_every_training_and_resume_goes_on(
    long: tuple[subprocess.Popen[str], list[str], Path],
) -> None:
    process, words, out = long
    runs = [out / "runs" / "rmdn-0", out / "runs" / "frmdn-0"]
    while not all((run / "checkpoints" / "last.ckpt").exists() for run in runs):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    assert len(trainings(out)) == 2
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in error
    assert "every training under way has written a checkpoint; go on by repeating" in error
    assert trainings(out) == [] and not hidden_files(out)
    steps = [checkpoint(run)["global_step"] for run in runs]
    assert all(10 <= step < 200 for step in steps)
    assert not (out / "compare.json").exists()
    main([*words, "--resume"])
    result = json.loads((out / "compare.json").read_text())
    assert list(result["models"]) == ["rmdn", "frmdn"]
    assert [checkpoint(run)["global_step"] for run in runs] == [200, 200]


def trainings(out: Path) -> list[int]:
    """The processes that train into a folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"fit" in line and any(word.startswith(os.fsencode(out)) for word in line):
            found.append(int(folder.name))
    return found


# --------------------------------------------------------------------------------------------------
# Grids and budgets
# --------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_grids_that_overlap_share_their_runs(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], refusal: Callable[..., str]
) -> None:
    """Of three cells in two grids and a comparison before them, each is trained once."""
    recipe, out = small_run.parent / "recipe", tmp_path / "out"
    shutil.copytree(small_run, out / "runs" / "rmdn-0")

    def swept(*words: str) -> tuple[dict[str, Any], list[str]]:
        before = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/checkpoints/*")}
        main(["compare", str(recipe), "--out", str(out), "--jobs", "2", *words])
        after = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/checkpoints/*")}
        assert {path: after[path] for path in before} == before, "trained again"
        new = sorted({path.parents[1].name for path in after.keys() - before.keys()})
        return json.loads((out / "sweep.json").read_text()), new

    result, new = swept("--models", "rmdn", "--sweep", "head.components=2,3", "head.rank=0")
    assert new == ["rmdn,head.components=3,head.rank=0-0"]
    cells = result["sweep"]["cells"]
    assert result["sweep"]["keys"] == ["head.components", "head.rank"]
    assert [cell["runs"] for cell in cells.values()] == [["rmdn-0"], *([name] for name in new)]
    assert list(result["models"]) == list(cells) and len(result["paired"]) == 1
    assert cells["rmdn,head.components=3,head.rank=0"]["settings"] == {
        "head.components": "3",
        "head.rank": "0",
    }
    assert result["models"]["rmdn,head.components=2,head.rank=0"]["nll"] == pytest.approx(
        metrics(small_run)["nll"], rel=1e-5
    )
    params = [entry["params"] for entry in result["models"].values()]
    assert params == [metrics(out / "runs" / name)["params"] for name in ["rmdn-0", *new]]
    names = {path.name for path in out.iterdir()}
    pictures = {"sweep.png", "sweep_pareto.png", "sweep_selection.png"}
    files = {"sweep.json", "sweep.md", "sweep.tex", *pictures}
    assert names == {"runs", *files}, "a comparison's own files are not touched"
    assert "sweep.png" in capsys.readouterr().out

    # A comparison's options are those of the grid's cells in any order, and its names are its own.
    other = shutil.copy(recipe / "frmdn.yaml", tmp_path / "other.yaml")
    words = ["--possible", "--sweep", "rank=0,9", "components=2"]
    result, new = swept("--models", "rmdn", str(other), *words)
    assert new == ["other,head.components=2,head.rank=0-0"]
    cells = result["sweep"]["cells"]
    assert [(cell["model"], cell["runs"]) for cell in cells.values()] == [
        ("rmdn", ["rmdn-0"]),
        ("other", new),
    ]
    nll, rmdn = (entry["nll"] for entry in result["models"].values())
    lines = (out / "sweep.md").read_text().splitlines()
    assert lines[0] == "| NLL, nats/frame | components 2, rank 0 |"
    assert f"{rmdn - nll:+.2f} ±".replace("-", "−") in lines[7] and "minus rmdn" in lines[5]
    assert "other,head.components=2,head.rank=9 cannot be, and is left out: covariance=" in (
        capsys.readouterr().err
    )
    _, new = swept("--models", "frmdn", "rmdn", "--sweep", "head.components=2")
    assert new == [], "the same model under another name"
    captured = capsys.readouterr()
    assert "rmdn" in captured.out and "another revision" not in captured.err

    store = small_run.parent / "walks.h5"
    old = store.read_bytes()
    try:
        write_store(store, seed=6)
        words = ["--models", "rmdn", "--sweep", "components=2", "--out", out]
        message = refusal(recipe, *words)
    finally:
        store.write_bytes(old)
    assert "rmdn-0 was trained on another store than" in message and "expected sha256" in message


def test_a_budget_of_seconds_decides_the_steps(
    clone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["compare", str(clone), "--budget", "seconds", "--out", str(out), "--jobs", "2"]
    main([*words, "--trainer.max_steps", "8"])
    result = json.loads((out / "compare.json").read_text())
    budget = result["budget"]
    assert budget["held"] == "seconds" and budget["clock"] == "processor"
    cost = budget["seconds_per_step"]
    assert budget["steps"]["rmdn"] == 8
    assert budget["steps"]["frmdn"] == round(8 * cost["rmdn"] / cost["frmdn"]) < 8
    for name, steps in budget["steps"].items():
        assert checkpoint(out / "runs" / f"{name}-0")["global_step"] == steps
    told = capsys.readouterr().err
    assert f"seqmdn: frmdn has {budget['steps']['frmdn']} steps" in told
    main([*words, "--trainer.max_steps", "8", "--resume"])
    assert json.loads((out / "compare.json").read_text())["budget"] == budget, "measured once"


def test_a_budget_of_parameters_is_told_and_kept(
    clone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["--budget", "params", "--params", "100000", "--trainer.max_steps", "2"]
    main(["compare", str(clone), *words, "--out", str(out), "--jobs", "2"])
    result = json.loads((out / "compare.json").read_text())
    assert result["budget"]["params"] == 100_000
    told = capsys.readouterr().err
    for name, entry in result["models"].items():
        assert entry["params"] == result["budget"]["counts"][name]
        assert abs(entry["params"] / 100_000 - 1) <= 0.01
        width = result["budget"]["widths"][name]
        assert f"{name} has {entry['params']:,} parameters by model.backbone.hidden {width}" in told
