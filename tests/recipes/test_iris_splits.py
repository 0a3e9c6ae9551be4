"""The comparison over splits of iris, and what the README says of it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris

from tests.recipes.scripts import ROOT, script

RECIPE = ROOT / "recipes/ugmm/iris"


def test_each_model_is_scored_on_the_same_splits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    splits = script("ugmm/iris/splits.py")
    monkeypatch.setattr(splits, "STRUCTURES", dict(list(splits.STRUCTURES.items())[:1]))
    monkeypatch.setattr(splits, "PRIORS", (20.0, 1e4))
    monkeypatch.setattr(splits, "FOLDS", 2)
    out = tmp_path / "splits.json"
    splits.main(["--splits", "2", "--steps", "3", "--out", str(out)])
    found = json.loads(out.read_text())
    assert splits.table(found) in capsys.readouterr().out
    assert sum(found["chosen"].values()) == found["splits"] == 2
    network, linear = (
        found["models"][name] for name in (splits.NETWORK, "linear discriminant analysis")
    )
    difference = network["accuracy"]["mean"] - linear["accuracy"]["mean"]
    assert linear["network - this"]["mean"] == pytest.approx(difference)
    assert "joint" not in found["models"]["logistic regression"]
    assert 85 < network["accuracy"]["mean"] <= 100 and -4 < network["joint"]["mean"] < 0


def test_a_batch_of_networks_learns_what_each_learns_alone() -> None:
    splits = script("ugmm/iris/splits.py")
    train, test = splits.split(0)
    fits = [splits.Fit(train, test, 20.0), splits.Fit(train[:80], test, 5.0)]
    structure = splits.STRUCTURES["one node a class"]

    # Few steps: what is rounded in another way, as a batch is, grows with each of them.
    for order in (fits, fits[::-1]):
        torch.manual_seed(0)  # with the same start, of which the first has the first numbers
        alone = splits.fit_networks(order[:1], structure, 8)
        torch.manual_seed(0)
        together = splits.fit_networks(order, structure, 8)
        np.testing.assert_allclose(together[0], alone[0], atol=1e-4)


def test_a_prior_of_many_rows_is_linear_discriminant_analysis() -> None:
    splits = script("ugmm/iris/splits.py")
    train, test = splits.split(0)
    _, classes = load_iris(return_X_y=True)
    structure = splits.STRUCTURES["one node a class"]
    (joint,) = splits.fit_networks([splits.Fit(train, test, 1e5)], structure, 60)
    expected = splits.classical(train, test)["linear discriminant analysis"]["joint"]
    own = (np.arange(len(test)), classes[test])
    # scikit-learn's class shares and spread are these, up to what a class leaks into others.
    np.testing.assert_allclose(joint[own].mean(), expected[own].mean(), atol=0.05)
    assert (joint.argmax(1) == expected.argmax(1)).all()


def test_the_readme_says_what_was_found() -> None:
    splits = script("ugmm/iris/splits.py")
    found = json.loads((RECIPE / "splits.json").read_text())
    readme = (RECIPE / "README.md").read_text()
    assert splits.table(found) in readme and found["command"] in readme
    assert found["device"] in readme and found["splits"] == 50
    network = found["models"][splits.NETWORK]["accuracy"]["mean"]
    assert network >= found["models"]["linear discriminant analysis"]["accuracy"]["mean"]
