"""Prediction from given points: both sides see the same tasks, and steps are as many as it says."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch

from benchmarks import functions, readme
from benchmarks.measure import Comparison
from data_prep.gaussian_process import write_tasks
from seqmdn.cli import main
from seqmdn.data import Batch
from seqmdn.models import AdaptedProcess, ConvolutionalEncoder, MixtureProcess

SMALL = {"maml": ["--model.hidden", "8"], "deterministic": ["--model.encoder.hidden", "8"]}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    write_tasks(folder / "tasks.h5", (8, 2, 5))
    words = ["--data.path", str(folder / "tasks.h5"), "--data.prepare", "null"]
    words += ["--data.batch_size", "4", "--trainer.max_steps", "1"]
    words += ["--trainer.val_check_interval", "1"]
    for name, size in SMALL.items():
        files = [word for f in ("base", name) for word in ("-c", f"{functions.RECIPE}/{f}.yaml")]
        main(["fit", *files, *words, *size, "--out", str(folder / name)])
    return [folder / name for name in SMALL][::-1]


def test_models_are_those_of_the_recipe() -> None:
    made = functions.models([functions.OURS, *functions.THEIRS])
    ours, *theirs = made.values()
    assert isinstance(ours, MixtureProcess) and isinstance(ours.encoder, ConvolutionalEncoder)
    assert [model.adapts for model in theirs] == ["weights", "context"]
    batch = functions.tasks()
    assert batch.start.min() == 3 and batch.start.max() == 46 and len(batch.values) == 24
    assert (batch.lengths == 64).all() and batch.context.abs().max() <= 2


@pytest.mark.parametrize(("at_once", "sizes"), [(1, [1] * 24), (24, [24])])
def test_all_points_are_predicted_after_as_many_steps(
    at_once: int, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = AdaptedProcess(1, 1, hidden=4, layers=1, steps=2)
    seen: list[int] = []

    def distributions(batch: Batch) -> None:
        assert model.steps == 7 and not torch.is_grad_enabled()
        assert batch.start is not None and batch.context is not None
        seen.append(len(batch.values))

    monkeypatch.setattr(model, "distributions", distributions)
    functions.predicting(model, functions.tasks(), at_once, steps=7)()
    assert seen == sizes


def test_ratios_are_theirs_by_ours_and_times_of_one_task(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Comparison(0.024, 0.24, 0.024, 0.12, 10.0, 5.0)
    monkeypatch.setattr(functions, "compare", lambda ours, theirs, repeats: found)
    made = {name: AdaptedProcess(1, 1, hidden=4) for name in ("ours", "theirs")}
    lines = list(functions.times(1, made))
    assert len(lines) == 2 + 2 * len(functions.STEPS)
    assert lines[2] == "| 1 | theirs | 1 | 1.00 | 10.00 | 10.00 | 5.00 |"
    assert all(line.count("|") == functions.TIMES.count("|") for line in lines)


def test_each_number_of_steps_is_scored_on_the_same_tasks(runs: list[Path]) -> None:
    lines = [line.split(" | ") for line in functions.accuracy(runs, 1, long=(0, 3, 4))][2:]
    assert [line[0] for line in lines] == ["| deterministic"] + ["| maml"] * 4
    assert [line[1] for line in lines[1:4]] == ["0", "3, as trained", "4"]
    nlls = [float(line[2]) for line in lines[:4]]
    for line, nll in zip(lines[1:4], nlls[1:], strict=True):
        assert float(line[3].split(" ± ")[0]) == pytest.approx(nll - nlls[0], abs=2e-3)
    assert len(set(nlls)) == 4
    least = ("0", "3", "4")[nlls[1:].index(min(nlls[1:]))]
    assert lines[-1][1].startswith(f"lowest at {least}, level with ours ")
    few = list(functions.few(iter(functions.load_run(runs[0]).data.batches("test")), 3))
    assert sum(len(batch.values) for batch in few) == 3
    with pytest.raises(ValueError, match="expected a run of AdaptedProcess, found determini"):
        list(functions.accuracy(runs[::-1], 1))


def test_a_run_writes_its_tables(
    runs: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    copy = tmp_path / "README.md"
    copy.write_text(f"before\n{functions.BEGIN}\nold\n{functions.END}\nafter\n")
    monkeypatch.setattr(functions, "put", partial(readme.put, readme=copy))
    monkeypatch.setattr(functions, "STEPS", (1,))
    monkeypatch.setattr(functions, "LONG", (0,))
    words = ["--repeats", "1", "--runs", *map(str, runs), "--tasks", "3", "--write"]
    functions.main(words)
    text, printed = copy.read_text(), capsys.readouterr().out
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    for header in (functions.TIMES, functions.SCORES):
        head, line, row = text[text.index(header) :].splitlines()[:3]
        assert head.count("|") == line.count("|") == row.count("|") and row in printed


def test_the_readme_holds_every_row() -> None:
    text = Path(functions.__file__).with_name("README.md").read_text()
    table = text.split(functions.BEGIN)[1].split(functions.END)[0]
    for at_once in (1, functions.TASKS):
        for name in functions.THEIRS:
            for steps in functions.STEPS:
                assert f"| {at_once} | {name} | {steps} |" in table
