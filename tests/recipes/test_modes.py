"""The script that names the modes of a regression, and what the README says that it found."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq

from data_prep.inverse_sine import curve
from tests.recipes.scripts import ROOT, script
from tests.runs.test_conditional import write_run

RECIPE = ROOT / "recipes/regression/inverse_sine"


def test_both_branches_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, out = write_run(tmp_path), tmp_path / "a.json"
    capsys.readouterr()  # what the training said
    script("regression/modes.py").main([str(run), "--inputs", "0.5", "--out", str(out)])
    found = json.loads(out.read_text())
    modes = [mode for (mode,) in found["modes"]]
    assert sorted(modes) == pytest.approx([-15, 15], abs=1.5)
    assert found["density"] == sorted(found["density"], reverse=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{modes[0]:.4f} (density ") and lines[-1].startswith("mean: ")


def test_the_readme_names_the_modes_that_were_found() -> None:
    found = json.loads((RECIPE / "modes.json").read_text())
    modes = sorted(mode for (mode,) in found["modes"])
    readme = (RECIPE / "README.md").read_text()
    assert "{:.4f}, {:.4f} and {:.4f}".format(*modes) in readme
    ends = [(0, 0.3), (0.45, 0.55), (0.7, 1)]
    true = [brentq(lambda x: curve(np.array(x)) - 0.5, *each) for each in ends]
    assert modes == pytest.approx(true, abs=0.02)
    assert f"{true[0]:.4f}, 0.5 and {true[2]:.4f}" in readme
