"""Densities of functions along their input: whose points are given, and what they integrate to."""

import csv
import json
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from data_prep.gaussian_process import write_tasks
from seqmdn.cli import main
from seqmdn.distributions import Flowed
from seqmdn.runs import load_run, look_functions
from tests.runs.test_conditional import write_run


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("functions")
    write_tasks(folder / "tasks.h5", (40, 2, 5))
    config = {
        "data": {
            "class_path": "seqmdn.data.SequenceDataModule",
            "init_args": {
                "path": str(folder / "tasks.h5"),
                "batch_size": 20,
                "points": {"least": 3, "most": 46},
            },
        },
        "model": {
            "class_path": "seqmdn.models.MixtureProcess",
            "init_args": {
                "encoder": {
                    "class_path": "seqmdn.models.AttentionEncoder",
                    "init_args": {"hidden": 16},
                },
                "head": {
                    "class_path": "seqmdn.heads.FlooredMixtureHead",
                    "init_args": {"components": 2, "narrowest": 0.05},
                },
            },
        },
        "training": {"optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.01}}},
        "trainer": {"max_steps": 5},
    }
    (folder / "base.yaml").write_text(yaml.safe_dump(config))
    main(["fit", "-c", str(folder / "base.yaml"), "--out", str(folder / "run")])
    return folder / "run"


def test_points_are_those_that_are_scored(source: Path) -> None:
    run = load_run(source)
    found = look_functions(run, 3, points=9)
    (batch,) = run.data.batches("test")
    assert batch.context is not None and batch.start is not None
    for row, (given, asked) in enumerate(zip(found.given, found.asked, strict=True)):
        both = torch.cat((batch.context[row], batch.values[row]), dim=1)
        assert torch.equal(torch.cat((given, asked)), both)
        assert len(given) == int(batch.start[row])


def test_densities_are_the_models_given_the_points(source: Path) -> None:
    run = load_run(source)
    found = look_functions(run, 2, points=7)
    step = found.y[1] - found.y[0]
    assert found.density.shape == (2, 7, len(found.y))
    torch.testing.assert_close(found.density.sum(-1) * step, torch.ones(2, 7), atol=0.05, rtol=0)
    # A point that is asked for there, in the batch of all tasks, has the same density.
    (batch,) = run.data.batches("test")
    assert batch.context is not None and batch.start is not None
    place, height = int(batch.start[0]), len(found.y) // 2
    batch.context[0, place], batch.values[0, place] = found.x[3], found.y[height]
    for start, same in ((batch.start, True), (torch.zeros_like(batch.start), False)):
        with torch.no_grad():
            density = Flowed(
                run.model.distributions(batch._replace(start=start))[0], run.model.transform
            )
            expected = density.log_prob(batch.values)[0, place].exp().item()
        assert (found.density[0, 3, height].item() == pytest.approx(expected, rel=1e-4)) == same


def test_what_the_weights_rest_on_is_logged(source: Path) -> None:
    (log,) = (source / "logs").rglob("metrics.csv")
    with log.open() as file:
        (row,) = [row for row in csv.DictReader(file) if row["train/effective draws"]]
    assert 1 <= float(row["train/effective draws"]) <= 32 and float(row["train/concentration"]) > 0


def test_the_truth_of_points_is_no_limit_of_all_together(source: Path) -> None:
    found = json.loads((source / "metrics.json").read_text())
    assert found["gap_to_limit"] == pytest.approx(found["nll"] - found["limit"])
    (joint,) = found["bounds"].values()
    assert "limit" not in joint and "gap_to_limit" not in joint and joint["nll"] != found["nll"]


def test_the_command_writes_the_picture(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.png"
    main(["sample", str(source), "--show", "functions", "--num", "4", "--out", str(path)])
    assert capsys.readouterr().out == f"densities of 4 functions: {path}\n"
    with Image.open(path) as picture:
        assert picture.format == "PNG"
    with pytest.raises(SystemExit):
        main(["sample", str(source), "--show", "functions", "--prime", "3", "--out", str(path)])
    assert "expected no --prime where functions are shown" in capsys.readouterr().err


def test_what_is_no_function_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="of the 5 of split 'test' .*found 6 and 200"):
        look_functions(load_run(source), 6)
    with pytest.raises(ValueError, match="expected a density of functions of one .*found a MDN"):
        look_functions(load_run(write_run(tmp_path, steps=1)), 1)
