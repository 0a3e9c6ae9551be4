"""The script that completes images, and what the README says of it."""

import json
from pathlib import Path

import pytest

from seqmdn.cli import main
from tests.recipes.scripts import ROOT, script

RECIPE = ROOT / "recipes/ugmm/digits_generative"


def test_halves_and_classes_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("recipes", "data_prep"):
        (tmp_path / name).symlink_to(ROOT / name)
    files = [f"{RECIPE}/base.yaml", f"{RECIPE}/flat.yaml"]
    small = ["--trainer.max_steps", "2", "--trainer.val_check_interval", "2"]
    small += ["--model.head.components", "10", "--out", "run"]
    main(["fit", *[word for file in files for word in ("-c", file)], *small])
    words = ["run", "--out", "c.png", "--json", "c.json", "--num", "2", "--starts", "1"]
    script("ugmm/complete.py").main(words)
    found = json.loads((tmp_path / "c.json").read_text())
    assert (tmp_path / "c.png").stat().st_size > 1000
    assert found["rows"] == 359 and found["accuracy"] > found["accuracy_upper_half"] > 0.5
    assert found["lower_half"] < found["lower_half_given_upper"] < 0
    assert found["shown_likeliest"] > max(found["shown_drawn"], found["shown_real"])
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["parts"]["class"]["nll"] < 1


@pytest.mark.skipif(not (RECIPE / "completions.json").exists(), reason="no run is committed")
def test_the_readme_says_what_was_found() -> None:
    found = json.loads((RECIPE / "completions.json").read_text())
    readme = (RECIPE / "README.md").read_text()
    for key in ("accuracy", "accuracy_upper_half"):
        assert f"{100 * found[key]:.1f} %" in readme
    for key in ("lower_half", "lower_half_given_upper", "shown_likeliest", "shown_real"):
        assert f"{found[key]:.1f}" in readme
