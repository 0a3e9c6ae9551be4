"""A sweep by whose numbers one chooses how many components there are."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqmdn.cli import main
from seqmdn.compare import Task
from seqmdn.runs import fit, load_run
from tests.gaussians import write_recipe, write_rows
from tests.small import metrics


def train_here(tasks: Sequence[Task], *_: Any) -> None:
    """Train in this process: another one takes longer to start than this to end."""
    for task in tasks:
        if not (task.out / "metrics.json").exists():
            fit(task.config, task.out)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("rows") / "rows.h5")


@pytest.fixture(scope="module")
def swept(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished sweep with two folds, and another one of it without."""
    folder = tmp_path_factory.mktemp("sweep")
    recipe = write_recipe(folder / "recipe", store, steps=6)
    words = ["compare", str(recipe), "--models", "mdn", "--sweep", "head.components=3,12"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqmdn.cli.compare.train_all", train_here)
        main([*words, "--folds", "2", "--out", str(folder / "out")])
        (folder / "out" / "sweep_selection.png").rename(folder / "folds.png")
        (folder / "out" / "sweep.json").rename(folder / "folds.json")
        (folder / "out" / "sweep.md").rename(folder / "folds.md")
        main([*words, "--out", str(folder / "out")])
    return folder


@pytest.fixture
def result(swept: Path) -> dict[str, Any]:
    return json.loads((swept / "folds.json").read_text())


def test_every_cell_has_its_criteria(swept: Path, result: dict[str, Any]) -> None:
    runs = swept / "out" / "runs"
    assert len(list(runs.iterdir())) == 6
    for name, entry in result["models"].items():
        train = metrics(runs / f"{name}-0")["train"]
        assert entry["bic"] == train["bic"] and entry["components"] == train["components"]
        folds = [metrics(runs / f"{name}-0-fold{k}of2") for k in (1, 2)]
        scored = np.concatenate([found["nll_per_sequence"] for found in folds])
        assert len(scored) == 500
        assert entry["cross_validation"] == pytest.approx(scored.mean())
        error = scored.std(ddof=1) / np.sqrt(500)
        assert entry["cross_validation_stderr"] == pytest.approx(error)
    assert result["cross_validation"] == {"folds": 2, "seed": 0, "sequences": 500}
    text = (swept / "folds.md").read_text()
    assert "| cross-validation, nats/frame |" in text and "| BIC, nats |" in text
    assert "- mdn has its minimum of " in text
    assert (swept / "folds.png").stat().st_size > 1000


def test_folds_leave_the_test_split_alone(swept: Path, store: Path) -> None:
    held: list[set[int]] = []
    for k in (1, 2):
        run = load_run(swept / "out" / "runs" / f"mdn,head.components=3-0-fold{k}of2")
        kept = {split: set(run.data.store.indices(split)) for split in ("train", "valid", "test")}
        assert not kept["test"] & (kept["train"] | kept["valid"])
        held.append(kept["test"])
        rows = run.data.store.lengths[sorted(set.union(*kept.values()))]
        assert len(rows) == metrics(run.checkpoint.parents[1])["dataset"]["sequences"] + 250
    whole = load_run(swept / "out" / "runs" / "mdn,head.components=3-0").data.store
    own = {*whole.indices("train"), *whole.indices("valid")}
    assert held[0] | held[1] == own and not held[0] & held[1]


def test_without_folds_nothing_else_is_another(swept: Path, result: dict[str, Any]) -> None:
    plain = json.loads((swept / "out" / "sweep.json").read_text())
    assert not {"cross_validation", "paired_cross_validation"} & {*plain}
    for name, entry in plain["models"].items():
        more = {"cross_validation", "cross_validation_stderr"}
        assert entry == {k: v for k, v in result["models"][name].items() if k not in more}
    assert "ross-validation" not in (swept / "out" / "sweep.md").read_text()
    assert len(list((swept / "out" / "runs").iterdir())) == 6, "all runs were used again"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--folds", "3"], "expected --folds with --sweep, found no --sweep: add one"),
        (["--sweep", "head.components=1,2", "--folds", "1"], "expected --folds of 2 or more"),
        (["--sweep", "head.components=1,2", "--folds", "501"], "found 500 sequences of training"),
    ],
)
def test_folds_that_cannot_be_are_refused_before_any_training(
    store: Path, tmp_path: Path, refusal: Callable[..., str], words: list[str], message: str
) -> None:
    recipe = write_recipe(tmp_path / "recipe", store, steps=2)
    out = tmp_path / "out"
    assert message in refusal(recipe, "--models", "mdn", "--out", out, *words)
    assert not out.exists()


@pytest.mark.long
def test_three_gaussians_are_three_by_every_criterion(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = write_recipe(tmp_path / "recipe", store, steps=200)
    monkeypatch.setattr("seqmdn.cli.compare.train_all", train_here)
    words = ["--models", "mdn", "--folds", "3", "--sweep", "head.components=1,2,3,4"]
    main(["compare", str(recipe), *words, "--out", str(tmp_path / "out")])
    found = json.loads((tmp_path / "out" / "sweep.json").read_text())
    for key in ("nll", "bic", "cross_validation"):
        values = [entry[key] for entry in found["models"].values()]
        assert min(range(4), key=values.__getitem__) == 2, (key, values)
    text = (tmp_path / "out" / "sweep.md").read_text()
    assert "of test NLL, BIC and cross-validation: head.components 3." in text
