"""Regression through all commands: fit, evaluate, sample and compare."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from seqmdn.cli import main
from seqmdn.data import Store, StoreWriter
from seqmdn.models import MDN, Ensemble
from seqmdn.runs import draw, load_run
from seqmdn.scoring import score_components, score_densities
from tests.small import metrics

ROWS = {"train": 200, "valid": 40, "test": 60}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of y = +-(x + 1) + noise, and of the same plus the second input."""
    folder = tmp_path_factory.mktemp("regression")
    rng = np.random.default_rng(0)
    with StoreWriter(folder / "rows.h5", ["y", "z"], "rows", "m", ["x", "w"]) as writer:
        for split, count in ROWS.items():
            for _ in range(count):
                x, w = rng.uniform(0, 2), 100 * rng.standard_normal()
                y = rng.choice([-1, 1]) * (x + 1) + 0.1 * rng.standard_normal()
                writer.append([[y, y + w / 100]], split, context=[[x, w]])
    recipe = folder / "recipes" / "rows" / "small"
    recipe.mkdir(parents=True)
    network = {"class_path": "seqmdn.backbones.MLPBackbone", "init_args": {"hidden": [16]}}
    base = {
        "data": {
            "class_path": "seqmdn.data.SequenceDataModule",
            "init_args": {"path": str(folder / "rows.h5"), "batch_size": 50},
        },
        "training": {
            "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.02}},
        },
        "trainer": {"max_steps": 60, "val_check_interval": 20},
    }
    mixture = {"class_path": "seqmdn.heads.MixtureHead", "init_args": {"components": 2}}
    members = {
        "mdn": {"backbone": network, "head": mixture},
        "squared_error": {
            "backbone": network,
            "head": {"class_path": "seqmdn.heads.SquaredErrorHead"},
        },
    }
    content = {
        name: {"class_path": "seqmdn.models.MDN", "init_args": arguments}
        for name, arguments in members.items()
    }
    content["ensemble"] = {
        "class_path": "seqmdn.models.Ensemble",
        "init_args": {"members": 2, "model": content["mdn"]},
    }
    (recipe / "base.yaml").write_text(yaml.safe_dump(base))
    for name, model in content.items():
        (recipe / f"{name}.yaml").write_text(yaml.safe_dump({"model": model}))
    main(["compare", str(recipe), "--scores", "--out", str(folder / "out")])
    return folder


def test_one_table_of_mixtures_an_ensemble_and_squared_errors(folder: Path) -> None:
    found = json.loads((folder / "out" / "compare.json").read_text())
    assert found["dataset"]["test_sequences"] == found["dataset"]["test_frames"] == 60
    entries = found["models"]
    assert set(entries) == {"mdn", "ensemble", "squared_error"}
    assert entries["mdn"]["nll"] < entries["squared_error"]["nll"] - 0.3
    for entry in entries.values():
        for key in ("crps", "energy_score", "coverage_90", "r2", "mae", "rmse"):
            assert np.isfinite(entry[key]), key
    assert (folder / "out" / "compare.png").stat().st_size > 1000


@pytest.mark.parametrize(("name", "kind"), [("mdn-0", MDN), ("ensemble-0", Ensemble)])
def test_a_run_is_whole(folder: Path, name: str, kind: type, tmp_path: Path) -> None:
    source = folder / "out" / "runs" / name
    run = load_run(source)
    assert type(run.model) is kind
    before = metrics(source)["nll"]
    main(["evaluate", str(source)])
    assert metrics(source)["nll"] == before
    with np.load(source / "frames.npz") as frames:
        assert frames["log_prob"].shape == (60,)
        assert -frames["log_prob"].mean() == pytest.approx(before, abs=1e-5)
    drawn, real = draw(run, 60, seed=1)
    again, _ = draw(run, 60, seed=1)
    assert drawn.values.equal(again.values) and drawn.values.shape == (60, 1, 2)
    assert drawn.context.equal(real.context)
    # What is drawn follows the inputs of the row: z - y is w / 100.
    gap = (drawn.values[:, 0, 1] - drawn.values[:, 0, 0]).numpy()
    assert np.corrcoef(gap, real.context[:, 0, 1].numpy())[0, 1] > 0.5
    main(["sample", str(source), "--num", "5", "--out", str(tmp_path / "a.h5")])
    main(["sample", str(source), "--num", "5", "--out", str(tmp_path / "a.png")])
    with Store(tmp_path / "a.h5") as store:
        assert store.lengths.tolist() == [1] * 5 and store.context_names == ["x", "w"]
        np.testing.assert_array_equal(store.read(2)[1], real.context[2].numpy())


def test_components_and_scores_are_those_of_the_model(folder: Path) -> None:
    run = load_run(folder / "out" / "runs" / "ensemble-0")
    found = score_components(run.model, run.data.batches("train"))
    assert found is not None
    assert len(found["responsibility"]) == 4 and sum(found["responsibility"]) == pytest.approx(1)
    report = score_densities(run.model, run.data.batches("test"), draws=50).compute()
    assert report["crps_estimator"] == "exact" and len(report["point"]["mae"]) == 2


def test_the_same_run_twice_is_the_same(folder: Path, tmp_path: Path) -> None:
    recipe = folder / "recipes" / "rows" / "small"
    words = ["fit", "-c", f"{recipe}/base.yaml", "-c", f"{recipe}/ensemble.yaml"]
    main([*words, "--out", str(tmp_path / "whole"), "--trainer.max_steps", "6"])
    expected = metrics(tmp_path / "whole")["nll_per_sequence"]
    main([*words, "--out", str(tmp_path / "again"), "--trainer.max_steps", "6"])
    assert metrics(tmp_path / "again")["nll_per_sequence"] == expected
