"""Scoring a run from the command line."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from seqmdn.cli import main
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


def test_evaluate_refuses_what_it_cannot_draw(
    small_run: Path, tmp_path: Path, refused: Refused
) -> None:
    before = metrics(small_run)
    assert "ends in .png or .svg" in refused("evaluate", small_run, "--out", tmp_path / "a.jpg")
    assert "19 draws or more" in refused("evaluate", small_run, "--scores", "--draws", 5)
    assert metrics(small_run) == before
