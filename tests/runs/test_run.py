"""A run's folder, and the model that it becomes again."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from seqmdn.configuration import fit_parser
from seqmdn.runs import load_run
from tests.small import SPLITS, parse, train, write_recipe, write_store


def test_a_run_is_its_files(small_run: Path) -> None:
    files = {path.relative_to(small_run).as_posix() for path in small_run.rglob("*")}
    events = {name for name in files if name.startswith("logs/version_0/events")}
    assert len(events) == 1
    assert files - events == {
        "config.yaml",
        "metrics.json",
        "revision.txt",
        "frames.npz",
        "checkpoints",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "checkpoints/previous.ckpt",
        "logs",
        "logs/version_0",
        "logs/version_0/metrics.csv",
        "logs/version_0/hparams.yaml",
    }


def test_a_run_keeps_its_configuration_defaults_included(small_run: Path) -> None:
    again = fit_parser().parse_args(["-c", f"{small_run}/config.yaml"])
    wanted = parse(small_run.parent / "recipe")
    assert {key: value for key, value in again.items() if key != "config"} == {
        key: value for key, value in wanted.items() if key != "config"
    }
    kept = yaml.safe_load((small_run / "config.yaml").read_text())
    # Nobody named these; another version's defaults must not change them.
    assert kept["seed"] == 0 and kept["training"]["schedule"] == "cosine"
    assert "precision" in kept["trainer"] and "window" in kept["data"]["init_args"]
    assert "covariance" in kept["model"]["init_args"]["head"]["init_args"]


def test_a_checkpoint_says_what_it_was_trained_on(small_run: Path) -> None:
    said = load_run(small_run).description
    assert said["dataset"] == load_run(small_run).data.describe("train")
    assert said["dataset"]["sequences"] == SPLITS["train"]
    assert (said["features"], said["context"], said["unit"]) == (2, 0, "nats/frame")


def test_a_store_that_has_gone_is_told_with_the_run_that_needs_it(tmp_path: Path) -> None:
    store = write_store(tmp_path / "walks.h5")
    train(write_recipe(tmp_path / "recipe", store), tmp_path / "run")
    moved = shutil.move(store, tmp_path / "moved.h5")
    needed = re.escape(f"{tmp_path}/run/checkpoints/best.ckpt: {store}: expected a seqmdn store")
    with pytest.raises(FileNotFoundError, match=f"{needed}.*; or name another store by --data"):
        load_run(tmp_path / "run")
    store.write_text("no store")
    with pytest.raises(ValueError, match=f"{needed}, found no HDF5.*by --data"):
        load_run(tmp_path / "run")
    with pytest.raises(ValueError, match=f"^{re.escape(str(store))}: expected a seqmdn store"):
        load_run(tmp_path / "run", store)
    assert len(load_run(tmp_path / "run", moved).data.store) == 40
