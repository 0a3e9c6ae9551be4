"""Drawing from a run, from the command line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from seqmdn.cli import main
from seqmdn.data import Store, file_sha256
from seqmdn.runs import draw, load_run
from tests.small import (
    train,
    write_recipe,
    write_store,
)

Refused = Callable[..., str]


@pytest.mark.parametrize("ending", ["png", "svg", "npz", "h5"])
def test_sample_writes_what_the_ending_says(
    small_run: Path, tmp_path: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"drawn.{ending}"
    main(["sample", str(small_run), "--num", "3", "--length", "5", "--out", str(path)])
    assert capsys.readouterr().out == f"3 sequences of 5 frames: {path}\n"
    assert list(tmp_path.iterdir()) == [path]
    if ending == "npz":
        with np.load(path) as found:
            assert found["values"].shape == (3, 5, 2) and found["lengths"].tolist() == [5] * 3
    elif ending == "h5":
        with Store(path) as store:
            assert store.lengths.tolist() == [5] * 3 and store.names == ["x0", "x1"]
    elif ending == "png":
        with Image.open(path) as picture:
            assert picture.format == "PNG"
    else:
        assert "<svg" in path.read_text()


def test_a_drawn_store_can_be_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = write_store(tmp_path / "walks.h5", context=True, attributes={"sequence": "walk"})
    recipe = write_recipe(tmp_path / "recipe", store, noise=None, per="sequence")
    train(recipe, tmp_path / "run", "--trainer.max_steps=4")
    path = tmp_path / "drawn.h5"
    words = ["sample", str(tmp_path / "run"), "--num", "30", "--out", str(path)]
    main(words)
    run = load_run(tmp_path / "run")
    with Store(path) as found:
        assert found.attributes["command"] == " ".join(["seqmdn", *words])
        drawn_by = found.attributes["source"][0]
        assert drawn_by == {
            "file": "run/checkpoints/best.ckpt",
            "sha256": file_sha256(run.checkpoint),
        }
    capsys.readouterr()
    main(["evaluate", str(run.checkpoint), "--data", str(path)])
    with torch.no_grad():
        nll = -run.model.log_prob(draw(run, 30)[0]).mean()
    printed = capsys.readouterr().out
    assert f": test NLL {nll:.4f} ± " in printed and "nats/walk" in printed


def test_sample_takes_seed_prime_and_temperature(small_run: Path, tmp_path: Path) -> None:
    def sample(*options: str) -> np.ndarray:
        main(["sample", str(small_run), "--num", "40", "--out", f"{tmp_path}/a.npz", *options])
        with np.load(tmp_path / "a.npz") as found:
            return found["values"]

    plain = sample()
    assert np.array_equal(sample(), plain) and not np.array_equal(sample("--seed", "1"), plain)
    with Store(small_run.parent / "walks.h5") as store:
        first = store.read(int(store.indices("test")[0]))[0]
    primed = sample("--prime", "2")
    assert ((primed[0, :2] - first[:2] > 0) & (primed[0, :2] - first[:2] < 1)).all()
    cold = sample("--temperature", "0.01")
    assert np.array_equal(cold, sample("--mixing", "0.01", "--scale", "0.01"))
    assert cold[:, 0].std() < plain[:, 0].std()
    run = load_run(small_run)
    for part in ("mixing", "scale"):
        expected = draw(run, 40, **{part: 0.01})[0].values.numpy()
        assert np.array_equal(sample(f"--{part}", "0.01"), expected)
        assert not np.array_equal(expected, cold)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "a.wav"], "walks is not sound: choose another ending than .wav"),
        (["--out", "a.gif"], "walks holds no strokes: choose another ending than .gif"),
        (["--out", "a.jpg"], "must end in one of .png, .svg, .gif, .npz, .h5, .wav, .flac; found"),
        (["--out", "a.npz", "--prime", "9"], "prime must be a number of frames up to 4"),
        (["--out", "a.npz", "--temperature", "0"], "temperatures must be positive"),
        (["--out", "a.npz", "--length", "0"], "length must be at least 1, found 0"),
        (["--out", "a.npz", "--split", "tset"], "expected a split of train, valid, test"),
        (["--out", "a.npz", "--num", "0"], "expected at least one"),
    ],
)
def test_draws_that_make_no_sense(
    small_run: Path,
    tmp_path: Path,
    refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in refused("sample", small_run, *options)


def test_endings_are_looked_at_before_any_draw(
    small_run: Path, tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqmdn.cli.sample.draw", lambda *_, **__: pytest.fail("drawn in vain"))
    refused("sample", small_run, "--out", tmp_path / "a.gif")
