"""A run's folder, and the model that it becomes again."""

from pathlib import Path

import yaml

from seqmdn.configuration import fit_parser
from seqmdn.runs import load_run
from tests.small import SPLITS, parse


def test_a_run_is_its_files(small_run: Path) -> None:
    files = {path.relative_to(small_run).as_posix() for path in small_run.rglob("*")}
    events = {name for name in files if name.startswith("logs/version_0/events")}
    assert len(events) == 1
    assert files - events == {
        "config.yaml",
        "metrics.json",
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
