"""The recogniser: it learns to read, counts what it misreads, and its table is in the README."""

import json
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from seqmdn.data import SequenceDataModule, StoreWriter, collate
from tests.pens import write_pen_recipe
from tests.recipes.scripts import ROOT, script
from tests.small import train

SHAPES = {"a": [[5, 0, 0], [0, 5, 1]], "b": [[0, -6, 0], [-4, 0, 0], [7, 2, 1]]}


@pytest.fixture(scope="module")
def recogniser() -> ModuleType:
    return script("handwriting/recogniser.py")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Words of two letters that are always drawn alike."""
    path = tmp_path_factory.mktemp("words") / "words.h5"
    rng = np.random.default_rng(0)
    attributes = {"kind": "strokes", "sequence": "word", "resolution": 1.0}
    with StoreWriter(path, ["dx", "dy", "eos"], "ab", "pixel", attributes=attributes) as writer:
        for split, count in {"train": 120, "valid": 10, "test": 20}.items():
            for _ in range(count):
                text = "".join(rng.choice(["a", "b"], size=int(rng.integers(1, 5))))
                writer.append(np.concatenate([SHAPES[sign] for sign in text]), split, text=text)
    return path


def test_it_learns_to_read_and_a_run_is_read(
    recogniser: ModuleType,
    store: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    train(write_pen_recipe(tmp_path / "recipe", store), tmp_path / "rmdn-0")
    out, weights = tmp_path / "legibility.json", tmp_path / "weights.pt"
    words = ["--data", str(store), "--out", str(out), "--weights", str(weights)]
    recogniser.main([*words, "--steps", "200"])
    found = json.loads(out.read_text())
    assert found["test"]["cer"] < 0.05 and found["test"]["words"] == 20
    assert found["dataset"]["name"] == "ab" and found["versions"]["git"]
    recogniser.main([*words, "--runs", str(tmp_path / "rmdn-0"), "--num", "5", "--bias", "0", "1"])
    again = json.loads(out.read_text())
    assert again["test"] == found["test"], "the weights are taken up again"
    assert list(again["models"]["rmdn"]) == ["0", "1"]
    assert again["models"]["rmdn"]["0"]["cer"] > 0.3, "what an untrained model writes is illegible"
    shown = capsys.readouterr().out
    assert "| people's test words | | 0.0 ± 0.0 |" in shown and "| rmdn | 1 |" in shown


def test_errors_are_those_of_characters(recogniser: ModuleType) -> None:
    found = recogniser.error_rate(["abc", "xb", ""], ["abc", "ab", "c"])
    assert found["cer"] == pytest.approx(2 / 6) and found["words"] == 3
    residuals = np.array([0 - 3 / 3, 1 - 2 / 3, 1 - 1 / 3])
    assert found["stderr"] == pytest.approx(residuals.std(ddof=1) / 2 / math.sqrt(3))


def test_padding_is_not_read(recogniser: ModuleType, store: Path) -> None:
    data = SequenceDataModule(store, text=True)
    data.setup()
    torch.manual_seed(0)
    model = recogniser.Recogniser("ab", hidden=8).eval()
    model.standardise.fit(data.sample_frames()[:, :2])
    frames = [np.array(SHAPES["a"] + SHAPES["b"], float), np.array(SHAPES["b"], float)]
    together = model(collate([(each, None, None) for each in frames]))
    alone = model(collate([(frames[1], None, None)]))
    torch.testing.assert_close(together[1, :2], alone[0])


@pytest.mark.parametrize(
    "file", sorted(ROOT.glob("recipes/handwriting/*/legibility.json")), ids=lambda p: p.parent.name
)
def test_the_readme_shows_the_committed_legibility(recogniser: ModuleType, file: Path) -> None:
    result, readme = json.loads(file.read_text()), (file.parent / "README.md").read_text()
    assert recogniser.markdown(result) in readme
    assert result["command"] in readme.replace(" \\\n    ", " ")
    assert result["device"] in readme and not result["versions"]["git"].endswith("-dirty")
