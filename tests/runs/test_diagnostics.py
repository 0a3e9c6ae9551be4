"""Numbers of a run: those of evaluate, of all sequences or a sample, and what does not apply."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqmdn.data import Store
from seqmdn.runs import Diagnostics, diagnose, evaluate
from tests.images import train_images, write_images
from tests.pens import write_pen_recipe, write_pens
from tests.small import metrics, train, write_recipe, write_store

LEVELS: dict[str, Any] = {
    "class_path": "seqmdn.heads.DiscretisedMixtureHead",
    "init_args": {"hidden": 4},
}


@pytest.fixture(scope="module")
def found(small_run: Path) -> Diagnostics:
    return diagnose(small_run, draws=40)


def test_numbers_are_those_of_evaluate(found: Diagnostics, small_run: Path, tmp_path: Path) -> None:
    before = metrics(small_run)
    expected = evaluate(small_run / "checkpoints" / "best.ckpt", draws=40)
    assert found.likelihood["nll"] == pytest.approx(before["nll"])
    assert found.per_sequence == pytest.approx(before["nll_per_sequence"])
    assert found.about["seconds"] == before["seconds"]
    density = found.density
    assert density is not None
    assert density["crps"]["value"] == pytest.approx(expected["crps"], rel=1e-5)
    assert density["crps"]["stderr"] == pytest.approx(expected["crps_stderr"], rel=1e-4)
    assert density["intervals"][2]["central"] == pytest.approx(expected["coverage_90"])
    assert density["names"] == ["x0", "x1"] and density["unit"] == "m"
    assert density["frames"] == before["dataset"]["frames"]
    worst = int(np.argmax(before["nll_per_sequence"]))
    with Store(small_run.parent / "walks.h5") as store:
        assert found.worst[0].index == store.indices("test")[worst]
    assert found.curves["nll"][0] == [4, 8, 12] and found.left_out == {}
    assert metrics(small_run) == before, "a report changes no scores"


def test_it_is_the_same_again_and_of_plain_values(found: Diagnostics, small_run: Path) -> None:
    torch.manual_seed(17)
    again = diagnose(small_run, draws=40)
    assert json.loads(json.dumps(found.plain(), allow_nan=False)) == json.loads(
        json.dumps(again.plain(), allow_nan=False)
    )


def test_a_sample_is_of_whole_sequences_that_a_seed_chooses(small_run: Path) -> None:
    told: list[tuple[int, int]] = []
    few = diagnose(small_run, draws=40, frames=20, seed=1, looked=lambda *count: told.append(count))
    density = few.density
    assert density is not None and density["of_sequences"] == 10
    assert 0 < density["frames"] <= 20 and density["sequences"] < 10
    assert told[-1] == (density["sequences"], density["sequences"])
    assert len(few.per_sequence) == 10, "the likelihood is of all"
    others = [diagnose(small_run, draws=40, frames=20, seed=seed) for seed in (1, 2, 3)]
    assert others[0].density == density
    assert len({json.dumps(each.density) for each in others}) > 1
    one = diagnose(small_run, draws=40, frames=1).density
    assert one is not None and one["sequences"] == 1


def test_pens_leave_their_bits_to_the_likelihood(tmp_path: Path) -> None:
    recipe = write_pen_recipe(tmp_path / "recipe", write_pens(tmp_path / "pens.h5"))
    train(recipe, tmp_path / "run")
    pens = diagnose(tmp_path / "run", draws=40)
    assert pens.density is not None and pens.density["names"] == ["dx", "dy"]
    assert set(pens.left_out) == {"other columns"}
    assert pens.left_out["other columns"].startswith("eos, end of the sequence: ")
    assert pens.likelihood["bound"] == "levels are spread by uniform noise"
    assert pens.likelihood["unit"] == "nats/word"


def test_levels_have_no_density_of_frames(tmp_path: Path) -> None:
    store = write_images(tmp_path / "images.h5")
    levels = {"class_path": "seqmdn.data.Levels"}
    train_images(tmp_path, store, LEVELS, levels, noise=None)
    images = diagnose(tmp_path / "run", draws=40)
    assert images.density is None and "whole levels" in images.left_out["density"]
    assert images.likelihood["bound"] is None and images.likelihood["bits_per_dim"] > 0
    assert images.worst[0].median is None and images.worst[0].values.shape == (4, 6)


def test_a_bound_is_called_one_and_has_no_density(vae_run: Path) -> None:
    vae = diagnose(vae_run, draws=40)
    assert vae.density is None and vae.left_out["density"].startswith("a FrameVAE has no density")
    assert vae.likelihood["bound"]
    assert math.isfinite(vae.likelihood["nll"])


def test_what_is_missing_is_not_judged(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "recipe", write_store(tmp_path / "gaps.h5", missing=True))
    train(recipe, tmp_path / "run", "--model.missing", "true", "--trainer.max_steps=2")
    gaps = diagnose(tmp_path / "run", draws=40)
    density = gaps.density
    assert density is not None and density["values"] < 2 * density["frames"]
    assert {"component use", "size of regions"} <= set(gaps.left_out)
    assert gaps.worst[0].observed is not None


def test_continuous_values_have_no_bits(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "recipe", write_store(tmp_path / "walks.h5"))
    train(recipe, tmp_path / "run", "--data.noise", "null", "--trainer.max_steps=2", model="frmdn")
    found = diagnose(tmp_path / "run" / "checkpoints" / "best.ckpt", draws=40)
    assert "bits_per_dim" not in found.likelihood and found.likelihood["bound"] is None
    assert set(found.left_out) == {"bits/dim", "learning curves"}
    assert found.density is not None and found.density["exact"]["probabilities"] is False


def test_what_cannot_be_asked_is_refused(small_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="39 draws or more.*found 38 draws and 5 frames"):
        diagnose(small_run, draws=38, frames=5)
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        diagnose(tmp_path)
