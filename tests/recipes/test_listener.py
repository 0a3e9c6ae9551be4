"""The listener: it learns to hear, counts what it mishears, and its table is in the README."""

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from seqmdn.data import Store, StoreWriter, collate
from tests.recipes.scripts import ROOT, script
from tests.small import train, write_recipe

LABELS = ["digit 0", "digit 1", "speaker a", "speaker b"]
SIZE, RATE = 80, 8_000


@pytest.fixture(scope="module")
def listener() -> ModuleType:
    return script("speech/listener.py")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tones: the digit is their pitch, the speaker whether a higher one sounds along."""
    path = tmp_path_factory.mktemp("tones") / "tones.h5"
    rng = np.random.default_rng(0)
    attributes = {"kind": "audio", "sequence": "recording", "full_scale": 1000.0}
    names = [f"sample {place}" for place in range(SIZE)]
    with StoreWriter(
        path, names, "tones", "step", context=LABELS, sample_rate=RATE, attributes=attributes
    ) as writer:
        for split, count in {"train": 40, "valid": 8, "test": 16}.items():
            for place in range(count):
                digit, speaker, length = place % 2, place // 2 % 2, int(rng.integers(12, 20))
                time = np.arange(length * SIZE) / RATE + rng.random()
                sound = np.sin(2 * np.pi * (300 + 500 * digit) * time)
                sound += speaker * np.sin(2 * np.pi * 2500 * time)
                frames = np.rint(100 * (sound + 0.1 * rng.standard_normal(len(sound))))
                label = np.zeros((length, 4))
                label[:, [digit, 2 + speaker]] = 1
                writer.append(frames.reshape(length, SIZE), split, context=label)
    return path


def test_it_learns_to_hear_and_a_run_is_heard(
    listener: ModuleType, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(write_recipe(tmp_path / "recipe", store, batch_size=4), tmp_path / "rmdn-0")
    out, weights = tmp_path / "heard.json", tmp_path / "weights.pt"
    words = ["--data", str(store), "--out", str(out), "--weights", str(weights)]
    listener.main([*words, "--steps", "40"])
    found = json.loads(out.read_text())
    for kind in ("digit", "speaker"):
        assert found["test"][kind]["accuracy"] > 0.9 and found["test"][kind]["recordings"] == 16
    assert found["dataset"]["name"] == "tones" and found["versions"]["git"]
    listener.main([*words, "--runs", str(tmp_path / "rmdn-0"), "--num", "6", "--bias", "0", "1"])
    again = json.loads(out.read_text())
    assert again["test"] == found["test"], "the weights are taken up again"
    assert list(again["models"]["rmdn"]) == ["0", "1"]
    heard = again["models"]["rmdn"]["1"]["digit"]
    assert heard["recordings"] == 6 and 0 <= heard["accuracy"] <= 1
    table = capsys.readouterr().out
    assert "| said by | bias | digit heard, % | speaker heard, % |" in table
    assert f"| rmdn | 1 | {100 * heard['accuracy']:.1f} ± " in table


def test_what_is_heard_does_not_depend_on_how_loud_it_is(listener: ModuleType, store: Path) -> None:
    with Store(store) as opened:
        values, context = opened.read(0)
        sounds = []
        for loudness in (1.0, 3.0):
            batch = collate([(loudness * values, context, None)])
            sounds.append(listener.spectrograms(batch, opened)[0])
    assert sounds[0].max() == 1 and sounds[0].min() >= 0
    torch.testing.assert_close(sounds[1], sounds[0])


def test_labels_are_read_from_the_context(listener: ModuleType, store: Path) -> None:
    with Store(store) as opened:
        kinds = listener.kinds_of(opened)
        assert kinds == {"digit": [0, 1], "speaker": [2, 3]}
        batch = collate([(*opened.read(place), None) for place in range(4)])
    found = listener.labels_of(batch, kinds)
    assert found["digit"].tolist() == [0, 1, 0, 1] and found["speaker"].tolist() == [0, 0, 1, 1]


def test_a_store_without_labels_is_refused(listener: ModuleType, tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "a.h5", ["x"], "a", "m") as writer:
        writer.append([[0.0], [1.0]], "train")
    with pytest.raises(ValueError, match="expected labels as context, found none"):
        listener.kinds_of(Store(tmp_path / "a.h5"))


def test_readme_shows_what_was_heard(listener: ModuleType) -> None:
    folder = ROOT / "recipes/speech/fsdd_labels"
    if not (folder / "heard.json").exists():
        assert "heard, %" not in (folder / "README.md").read_text()
        return
    found = json.loads((folder / "heard.json").read_text())
    readme = (folder / "README.md").read_text()
    assert listener.markdown(found) in readme
    assert not found["versions"]["git"].endswith("-dirty")
