"""Runs of a world model: trained, scored in parts, drawn from, compared."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from seqmdn.cli import main
from seqmdn.data import Store
from seqmdn.models import WorldModel
from seqmdn.runs import draw, evaluate, load_run
from tests.small import metrics, train
from tests.small_worlds import LATENTS, write_world_recipe, write_worlds


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worlds")
    recipe = write_world_recipe(folder / "recipe", write_worlds(folder / "worlds.h5"))
    torch.manual_seed(0)
    train(recipe, folder / "run", model="frmdn")
    return folder / "run"


def test_its_parts_are_scored_and_add_up(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = metrics(run)
    parts = found["parts"]
    assert list(parts) == ["latents", "reward", "end"]
    assert sum(part["nll"] for part in parts.values()) == pytest.approx(found["nll"], rel=1e-5)
    every = np.array([part["nll_per_sequence"] for part in parts.values()])
    np.testing.assert_allclose(every.sum(0), found["nll_per_sequence"], rtol=1e-4)
    assert parts["end"]["nll"] > 0 and parts["end"]["stderr"] > 0
    # Nothing takes away the encoder's noise, nor that of a reward in its cell.
    made = load_run(run)
    rows = [made.data.store.read(i)[0] for i in made.data.store.indices("test")]
    of_latents = [
        (0.5 * (math.log(2 * math.pi * math.e) + each[:, LATENTS : 2 * LATENTS])).sum(1).mean()
        for each in rows
    ]
    assert found["limit"] == pytest.approx(np.mean(of_latents) + math.log(0.5), rel=1e-5)
    main(["evaluate", str(run), "--scores"])
    shown = capsys.readouterr().out
    assert f"latents: NLL {parts['latents']['nll']:.4f} ± " in shown and "end: NLL " in shown
    assert len(metrics(run)["calibration"]["pit"]["counts"]) == LATENTS


def test_it_is_rebuilt_and_drawn_from(run: Path, tmp_path: Path) -> None:
    made = load_run(run)
    assert isinstance(made.model, WorldModel) and made.model.rewarded
    assert made.data.names == ["mu 0", "mu 1", "reward", "end"]
    drawn, real = draw(made, 4, prime=2)
    assert torch.equal(drawn.values[:, :2], real.values[:, :2])
    assert set(drawn.values[..., -1].unique().tolist()) <= {0.0, 1.0}
    words = ["--num", "5", "--temperature", "0.5", "--out"]
    main(["sample", str(run), *words, str(tmp_path / "a.h5"), "--debug"])
    main(["sample", str(run), *words, str(tmp_path / "a.png"), "--debug"])
    with Store(tmp_path / "a.h5") as store:
        assert store.names == ["mu 0", "mu 1", "reward", "end"]
        assert store.context_names == ["previous steer"]


def test_the_same_recipe_takes_a_store_of_latents_alone(tmp_path: Path) -> None:
    recipe = write_world_recipe(
        tmp_path / "recipe", write_worlds(tmp_path / "worlds.h5", rewards=False)
    )
    train(recipe, tmp_path / "run")
    found = evaluate(tmp_path / "run")
    assert "parts" not in found and found["limit"] < found["nll"]
    assert load_run(tmp_path / "run").data.names == ["mu 0", "mu 1"]


@pytest.mark.long
def test_memories_are_compared(tmp_path: Path) -> None:
    recipe = write_world_recipe(tmp_path / "recipe", write_worlds(tmp_path / "worlds.h5"))
    main(["compare", str(recipe), "--out", str(tmp_path / "out"), "--debug"])
    found = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert set(found["models"]) == {"rmdn", "frmdn"}
