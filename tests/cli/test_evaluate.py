"""Scoring a run from the command line."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from seqmdn.cli import main
from seqmdn.metrics import crps
from seqmdn.runs import load_run
from tests.small import (
    metrics,
    train,
    write_recipe,
    write_store,
)

Refused = Callable[..., str]


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


def test_evaluate_tells_what_adaptation_gives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = write_store(tmp_path / "walks.h5", noisy=True)
    recipe = write_recipe(tmp_path / "recipe", store, noise="seqmdn.data.GaussianLatents")
    train(recipe, tmp_path / "run", "--trainer.max_steps=2")
    capsys.readouterr()
    main(["evaluate", str(tmp_path / "run"), "--split", "valid", "--adapt", "0.001"])
    adapted = metrics(tmp_path / "run")["adapted"]
    told = capsys.readouterr()
    assert told.out.splitlines()[1] == (
        f"adapted while scored, at a rate of 0.001: {adapted['nll']:.4f} "
        f"± {adapted['stderr']:.4f} nats/frame, {adapted['bits_per_dim']:.4f} bits/dim, "
        f"{adapted['gap_to_limit']:.3f} above the limit"
    )
    assert "adapting" in told.err


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
