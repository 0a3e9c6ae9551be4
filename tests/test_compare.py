"""Several models, one data set, one budget: one table."""

import json
import math
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import seqmdn
import seqmdn.compare
from seqmdn.cli import main
from seqmdn.compare import Task, compare, markdown_table, plan, score_all, train_all
from seqmdn.comparison import pictures, read_frames
from seqmdn.data import Store
from seqmdn.provenance import git_revision
from seqmdn.runs import learning_curve, load_run, score
from tests.small import cells, hidden_files, metrics, write_store

ROOT = Path(__file__).parents[1]
RUNS = ["frmdn-0", "frmdn-1", "rmdn-0", "rmdn-1"]


@pytest.fixture(scope="module")
def command(clone: Path) -> list[str]:
    out = clone.parents[2] / "results"
    options = ["--seeds", "2", "--jobs", "2", "--out", str(out), "--trainer.max_steps", "8"]
    return ["compare", str(clone), *options]


@pytest.fixture(scope="module")
def out(command: list[str]) -> Path:
    """A finished comparison of two models with two seeds."""
    main(command)
    return Path(command[command.index("--out") + 1])


@pytest.fixture
def copied(out: Path, command: list[str], tmp_path: Path) -> tuple[Path, list[str]]:
    """The finished comparison once more, to be changed, and its command."""
    copy = Path(shutil.copytree(out, tmp_path / "out"))
    return copy, [str(copy) if word == str(out) else word for word in command]


@pytest.fixture(scope="module")
def result(out: Path) -> dict[str, Any]:
    return json.loads((out / "compare.json").read_text())


# --------------------------------------------------------------------------------------------------
# What a comparison writes
# --------------------------------------------------------------------------------------------------


def test_the_files_are_there(out: Path) -> None:
    assert sorted(path.name for path in out.iterdir()) == [
        "compare.json",
        "compare.md",
        "compare.png",
        "curves.png",
        "pareto.png",
        "runs",
        "table.md",
        "table.tex",
    ]
    assert sorted(path.name for path in (out / "runs").iterdir()) == RUNS
    assert not hidden_files(out)
    for name in ("compare", "curves", "pareto"):
        with Image.open(out / f"{name}.png") as picture:
            assert picture.format == "PNG"
            assert 600 < picture.size[0] < 3000 and 300 <= picture.size[1] < 3000


def test_the_result_has_the_keys_of_the_design(
    result: dict[str, Any], clone: Path, command: list[str]
) -> None:
    assert list(result) == [
        "recipe",
        "dataset",
        "unit",
        "limit",
        "limit_valid",
        "budget",
        "models",
        "paired",
        "paired_ensemble",
        "draw",
        "versions",
        "device",
        "command",
    ]
    assert result["recipe"] == clone.as_posix()
    assert set(result["dataset"]) == {"name", "sha256", "test_sequences", "test_frames"}
    assert result["dataset"]["name"] == "walks" and result["dataset"]["test_sequences"] == 10
    assert result["unit"] == "nats/frame"
    assert list(result["models"]) == ["rmdn", "frmdn"]  # the RMDNs first
    entry = {"nll", "stderr", "bits_per_dim", "params", "seconds", "seeds", "gap_to_limit"}
    entry |= {"draw_seconds", "ensemble"}
    for found in result["models"].values():
        assert set(found) == entry and len(found["seeds"]) == 2
    assert set(result["paired"]) == {"frmdn - rmdn"}
    pair = {"delta", "stderr", "share_of_sequences_better"}
    pair |= {"sequences_better", "sequences_worse", "sign_test_p"}
    assert set(result["paired"]["frmdn - rmdn"]) == pair
    assert set(result["paired_ensemble"]["frmdn - rmdn"]) == pair
    assert result["budget"] == {"held": "steps", "steps": 8}
    assert result["draw"]["unit"] == "s/frame" and "seconds" not in result["draw"]
    assert {"seqmdn", "torch", "lightning", "zuko", "python", "git"} == set(result["versions"])
    assert result["versions"]["git"] == git_revision()
    assert result["device"]
    assert result["command"] == " ".join(["seqmdn", *command])


def test_the_numbers_are_those_of_the_runs(out: Path, result: dict[str, Any]) -> None:
    found = {name: metrics(out / "runs" / name) for name in RUNS}
    values = {
        model: np.array([found[f"{model}-{seed}"]["nll_per_sequence"] for seed in (0, 1)])
        for model in ("rmdn", "frmdn")
    }
    assert values["rmdn"].shape == (2, 10) and np.ptp(values["rmdn"], axis=0).min() > 0
    for model, entry in result["models"].items():
        runs = [found[f"{model}-{seed}"] for seed in (0, 1)]
        assert entry["nll"] == pytest.approx(np.mean([run["nll"] for run in runs]), rel=1e-5)
        assert entry["stderr"] == pytest.approx(spread(values[model]))
        assert entry["bits_per_dim"] == pytest.approx(np.mean([r["bits_per_dim"] for r in runs]))
        assert entry["seconds"] == pytest.approx(np.mean([run["seconds"] for run in runs]))
        assert entry["params"] == runs[0]["params"]
        assert entry["gap_to_limit"] == pytest.approx(entry["nll"] - result["limit"])
        for seed, (kept, run) in enumerate(zip(entry["seeds"], runs, strict=True)):
            assert kept["seed"] == seed
            assert kept == {key: run[key] for key in kept}
            assert {"nll", "stderr", "bits_per_dim", "seconds", "steps"} < set(kept)
    difference = values["frmdn"] - values["rmdn"]
    paired = result["paired"]["frmdn - rmdn"]
    models = result["models"]
    assert paired["delta"] == pytest.approx(difference.mean())
    assert paired["delta"] == pytest.approx(models["frmdn"]["nll"] - models["rmdn"]["nll"])
    assert paired["stderr"] == pytest.approx(spread(difference))
    better = [a < b for a, b in zip(*(values[m].mean(0) for m in ("frmdn", "rmdn")), strict=True)]
    assert paired["share_of_sequences_better"] == sum(better) / 10
    assert result["limit"] == found["rmdn-0"]["limit"] == found["frmdn-1"]["limit"]
    data = load_run(out / "runs" / "rmdn-0").data
    assert result["limit_valid"] == data.limit("valid") != data.limit("test")
    assert result["dataset"]["test_frames"] == data.describe("test")["frames"]


def test_the_picture_shows_what_the_result_says(
    out: Path,
    clone: Path,
    result: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[dict[str, Any]] = []

    def keep(path: Path, models: dict[str, Any], **others: Any) -> None:
        shown.append({"path": path, "models": models} | others)

    monkeypatch.setattr(pictures, "comparison_figure", keep)
    tasks = plan(clone, ["rmdn", "frmdn"], 2, out, ["--trainer.max_steps", "8"])
    again = compare(clone, tasks, tmp_path, result["command"], result["budget"])
    assert again == result
    (page,) = shown
    assert page["path"] == tmp_path / "compare.png" and page["unit"] == result["unit"]
    assert (page["limit"], page["limit_valid"]) == (result["limit"], result["limit_valid"])
    with Store(clone.parents[2] / "walks.h5") as store:
        lengths = np.resize(store.lengths[store.indices("test")], 12)
    assert page["real_lengths"].tolist() == lengths.tolist()
    assert page["real"].shape == (12, lengths.max(), 2) and page["attributes"]["name"] == "walks"
    assert list(page["models"]) == ["rmdn", "frmdn"]
    for name, model in page["models"].items():
        assert (model["nll"], model["stderr"]) == tuple(
            result["models"][name][key] for key in ("nll", "stderr")
        )
        curves = [learning_curve(out / "runs" / f"{name}-{seed}") for seed in (0, 1)]
        assert model["curve"] == curves and curves[0] != curves[1]
        assert model["samples"].shape == (12, lengths.max(), 2)
    samples = [model["samples"] for model in page["models"].values()]
    assert not np.array_equal(*samples)


def spread(values: np.ndarray) -> float:
    """Standard error over sequences and seeds: the variances of both means, added."""
    sequences = np.std(values.mean(axis=0), ddof=1) / math.sqrt(values.shape[1])
    seeds = np.std(values.mean(axis=1), ddof=1) / math.sqrt(values.shape[0])
    return math.hypot(sequences, seeds)


def test_the_table_says_what_the_result_says(out: Path, result: dict[str, Any]) -> None:
    text = (out / "compare.md").read_text()
    assert text == markdown_table(result)
    head, line, *rows = cells(text)
    assert head == [
        "model",
        "NLL, nats/frame",
        "bits/dim",
        "minus best, nats/frame",
        "above the limit, nats/frame",
        "together",
        "parameters",
        "training, s",
    ]
    assert set("".join(line)) == {"-", ":"} and {len(row) for row in (line, *rows)} == {8}
    models = result["models"]
    best = min(models, key=lambda name: models[name]["nll"])
    assert [row[0].strip("*") for row in rows] == list(models)
    for row, model in zip(rows, models, strict=True):
        name, nll, bits, delta, gap, together, params, seconds = row
        entry = models[model]
        assert together.strip("*").startswith(f"{entry['ensemble']['nll']:.3f} ±")
        assert name.startswith("**") == (model == best)
        assert nll == f"{entry['nll']:.3f} ± {entry['stderr']:.3f}"
        assert bits == f"{entry['bits_per_dim']:.3f}" and gap == f"{entry['gap_to_limit']:.3f}"
        assert params == f"{entry['params']:,}" and seconds == f"{entry['seconds']:.0f}"
        # The same pair may stand the other way round in the result.
        away = entry["nll"] - models[best]["nll"]
        assert delta == ("" if model == best else f"{away:+.3f} ± {expected_error(result):.3f}")
    words = text.split("\n\n")[1]
    frames = result["dataset"]["test_frames"]
    assert f"Test part of walks: 10 sequences, {frames} frames." in words
    assert f"No model can be below {result['limit']:.2f} nats/frame." in words


def expected_error(result: dict[str, Any]) -> float:
    return result["paired"]["frmdn - rmdn"]["stderr"]


# --------------------------------------------------------------------------------------------------
# Trainings
# --------------------------------------------------------------------------------------------------


class Process:
    """Stands in for a training that tells two lines and ends well."""

    begun: list[tuple[list[str], dict[str, str]]]

    def __init__(self, command: list[str], *, env: dict[str, str], **_: Any) -> None:
        self.begun.append((command, env))
        self.stdout = ["advice\n", '{"step": 2, "steps": 8, "nll": null}\n']
        self.returncode = 0

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(("jobs", "threads"), [(1, None), (2, "1")])
def test_trainings_side_by_side_have_a_thread_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int, threads: str | None
) -> None:
    begun: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(Process, "begun", begun, raising=False)
    monkeypatch.setattr(seqmdn.compare.subprocess, "Popen", Process)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("WITNESS", "here")
    tasks = [Task(name, 0, ("-c", f"{name}.yaml"), tmp_path / name) for name in "ab"]
    told: list[Any] = []
    train_all(tasks, jobs, report=lambda name, **words: told.append((name, words)))
    assert len(begun) == 2
    for (command, environment), task in zip(sorted(begun), tasks, strict=True):
        assert command[:4] == [sys.executable, "-m", "seqmdn", "fit"]
        assert command[4:6] == list(task.arguments)
        assert command[6:] == ["--out", str(task.out), "--progress", "json"]
        assert environment.get("OMP_NUM_THREADS") == threads and environment["WITNESS"] == "here"
    assert sorted(told, key=lambda words: words[0]) == [
        (f"{name}, seed 0", {"step": 2, "steps": 8, "nll": None}) for name in "ab"
    ]


# --------------------------------------------------------------------------------------------------
# Again
# --------------------------------------------------------------------------------------------------


def times(out: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in out.glob("runs/*/*/*.ckpt")}


def test_finished_runs_are_kept(
    out: Path, command: list[str], capsys: pytest.CaptureFixture[str], refusal: Callable[..., str]
) -> None:
    before, old = times(out), (out / "compare.json").read_text()
    assert len(before) == 12  # of four runs, the best, the last and the one before
    assert "keep its runs by --resume" in refusal(*command[1:])
    main([*command, "--resume"])
    assert times(out) == before
    new = json.loads((out / "compare.json").read_text())
    assert new.pop("command") == json.loads(old)["command"] + " --resume"
    assert new == {key: value for key, value in json.loads(old).items() if key != "command"}
    printed = capsys.readouterr().out
    assert f"{new['models']['rmdn']['nll']:.3f} ± " in printed and "compare.png" in printed


def test_the_folder_is_called_as_the_recipe_by_default(
    clone: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    refusal: Callable[..., str],
) -> None:
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "results" / "walks" / "small" / "runs" / "rmdn-0"
    run.mkdir(parents=True)
    (run / "config.yaml").touch()
    assert "results/walks/small holds a comparison already" in refusal(clone)


def test_other_options_are_no_resumption(
    out: Path, command: list[str], refusal: Callable[..., str]
) -> None:
    words = [word.replace("8", "9") if word == "8" else word for word in command[1:]]
    message = refusal(*words, "--resume")
    assert "begun under another configuration: expected trainer.max_steps 9, found 8" in message


def test_a_store_or_code_that_changed_is_told(
    copied: tuple[Path, list[str]],
    out: Path,
    clone: Path,
    capsys: pytest.CaptureFixture[str],
    refusal: Callable[..., str],
) -> None:
    copy, words = copied
    found = json.loads((copy / "compare.json").read_text())
    found["versions"]["git"] = "a1b2c3"
    (copy / "compare.json").write_text(json.dumps(found))
    for note in copy.glob("runs/*/revision.txt"):
        assert note.read_text().strip() == git_revision()
        note.write_text("a1b2c3\n")
    capsys.readouterr()
    main([*words, "--resume"])
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("seqmdn: ")]
    now = git_revision()
    assert now is None or (
        len(lines) == 1 and f"revision a1b2c3 of the code, those to come of {now}" in lines[0]
    )
    store = clone.parents[2] / "walks.h5"
    old = store.read_bytes()
    try:
        write_store(store, noisy=True, seed=6)
        message = refusal(*words[1:], "--resume")
    finally:
        store.write_bytes(old)
    assert f"rmdn-0 was trained on another store than {store} is now" in message
    assert message.endswith("choose another --out")


def test_what_was_missing_is_trained(
    copied: tuple[Path, list[str]],
    out: Path,
    clone: Path,
) -> None:
    """A run that was killed before its first checkpoint, and one that was before its score."""
    copy, words = copied
    shutil.rmtree(copy / "runs" / "rmdn-0" / "checkpoints")
    (copy / "runs" / "rmdn-0" / "metrics.json").unlink()
    (copy / "runs" / "rmdn-1" / "metrics.json").unlink()
    kept = {path: mtime for path, mtime in times(copy).items() if "/frmdn-" in str(path)}
    main([*words, "--resume"])
    assert {path: times(copy)[path] for path in kept} == kept
    for name in ("rmdn-0", "rmdn-1"):
        again, before = metrics(copy / "runs" / name), metrics(out / "runs" / name)
        assert again["nll_per_sequence"] == before["nll_per_sequence"]
        assert again["steps"] == before["steps"]


def test_seeds_are_worth_more_together(out: Path, result: dict[str, Any]) -> None:
    for name, entry in result["models"].items():
        frames = [read_frames(out / "runs" / f"{name}-{seed}") for seed in (0, 1)]
        log_prob = np.logaddexp(*[each["log_prob"].astype(float) for each in frames]) - np.log(2)
        starts = np.cumsum(frames[0]["lengths"]) - frames[0]["lengths"]
        nll = -np.add.reduceat(log_prob, starts) / frames[0]["lengths"]
        assert entry["ensemble"]["nll"] == pytest.approx(nll.mean())
        assert entry["ensemble"]["nll"] <= entry["nll"]
    assert "| together |" in (out / "compare.md").read_text()


def test_runs_that_are_finished_adapt_where_that_is_asked_for(
    copied: tuple[Path, list[str]],
    out: Path,
    command: list[str],
    result: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy, words = copied
    main([*words, "--resume", "--adapt", "0.001"])
    assert "| adapted | together | together, adapted |" in (copy / "compare.md").read_text()
    capsys.readouterr()
    new = json.loads((copy / "compare.json").read_text())
    runs = {name: metrics(copy / "runs" / name) for name in RUNS}
    for name, found in runs.items():
        old = metrics(out / "runs" / name)
        assert {key: found[key] for key in old} == old
        assert (
            found["adapted"] == score(load_run(copy / "runs" / name), "test", None, 1e-3)["adapted"]
        )
    for name, entry in new["models"].items():
        adapted, together = entry.pop("adapted"), entry.pop("ensemble_adapted")
        assert entry == result["models"][name]
        own = [runs[f"{name}-{seed}"]["adapted"]["nll"] for seed in (0, 1)]
        assert adapted["nll"] == pytest.approx(np.mean(own))
        assert together["members"] == 2 and together["nll"] < adapted["nll"]
    assert list(new["paired_adapted"]) == list(new["paired"])

    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(seqmdn.compare, "score", lambda _, *how, **more: asked.append(how) or {})
    tasks = plan(Path(command[1]), ["rmdn", "frmdn"], 2, copy, ["--trainer.max_steps", "8"])
    score_all(tasks, draws=None, adapt=1e-3)
    assert asked == [], "done already"
    score_all(tasks, draws=None, adapt=1e-2)
    assert asked == [("test", None, 1e-2)] * 4, "another rate"
    assert "adapted" not in metrics(copy / "runs" / "rmdn-0")


def test_scores_are_added_to_what_is_finished(
    copied: tuple[Path, list[str]],
    out: Path,
    clone: Path,
    result: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy, words = copied
    before = times(copy)
    main([*words, "--resume", "--scores"])
    assert times(copy) == before
    assert "compare.md, compare.png, calibration.png" in capsys.readouterr().out
    with Image.open(copy / "calibration.png") as picture:
        assert picture.format == "PNG"
    new = json.loads((copy / "compare.json").read_text())
    runs = {name: metrics(copy / "runs" / name) for name in RUNS}
    for name, found in runs.items():
        old = metrics(out / "runs" / name)
        assert {key: found[key] for key in old} == old and "crps" not in old
        model = load_run(copy / "runs" / name)
        assert found["crps"] == score(model, "test", 200)["crps"]
    for name, entry in new["models"].items():
        own = [runs[f"{name}-{seed}"] for seed in (0, 1)]
        for key in ("crps", "energy_score", "coverage_90"):
            assert entry.pop(key) == pytest.approx(np.mean([run[key] for run in own]))
            assert entry.pop(f"{key}_stderr") > 0
        for key in ("r2", "mae", "rmse"):
            assert entry.pop(key) == pytest.approx(np.mean([run[key] for run in own]))
        assert entry == result["models"][name]
    assert "| CRPS |" in (copy / "compare.md").read_text()

    shown: list[tuple[Path, dict[str, Any]]] = []
    monkeypatch.setattr(seqmdn.compare, "calibration_figure", lambda *page: shown.append(page))
    monkeypatch.setattr(pictures, "comparison_figure", lambda *_, **__: None)
    monkeypatch.setattr(seqmdn.compare, "score", lambda *_, **__: pytest.fail("scored already"))
    tasks = plan(clone, ["rmdn", "frmdn"], 2, copy, ["--trainer.max_steps", "8"])
    told: list[Task] = []
    score_all(tasks, scored=told.append)
    assert told == tasks
    compare(clone, tasks, copy, "")
    first = {name: runs[f"{name}-0"]["calibration"] for name in ("rmdn", "frmdn")}
    assert shown == [(copy / "calibration.png", first)]
    for name in RUNS:
        shutil.copy(out / "runs" / name / "metrics.json", copy / "runs" / name)
    again = compare(clone, tasks, copy, "")
    assert again["models"] == result["models"], "figures of drawing included"
    # A picture of that name may be anybody's.
    picture = (copy / "calibration.png").read_bytes()
    assert len(shown) == 1 and picture.startswith(b"\x89PNG")
    capsys.readouterr()
    main([*words, "--resume"])
    written, note = capsys.readouterr().out.splitlines()[-2:]
    assert written.endswith("table.md, table.tex") and "calibration" not in written
    assert note.endswith("calibration.png is not of these runs: draw one of them by --scores")
    assert (copy / "calibration.png").read_bytes() == picture
