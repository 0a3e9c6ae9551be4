"""Runs of strokes: draws that say something in a manner, and likelihoods in other units."""

from pathlib import Path

import numpy as np
import pytest
import torch

from seqmdn.adaptation import adaptive_log_prob
from seqmdn.data import Batch, decode
from seqmdn.runs import Run, draw, evaluate, load_run
from tests.pens import write_pen_recipe, write_pens
from tests.small import metrics, train


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a model that reads texts and says where drawings end."""
    folder = tmp_path_factory.mktemp("pens")
    recipe = write_pen_recipe(folder / "recipe", write_pens(folder / "pens.h5"))
    train(recipe, folder / "run")
    return folder / "run"


@pytest.fixture
def run(folder: Path) -> Run:
    """The run, with draws that do not end by themselves."""
    return never_ending(load_run(folder))


def never_ending(run: Run) -> Run:
    with torch.no_grad():
        run.model.head.bits.bias[1] = -1e4
    return run


def noted(run: Run, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Notes what a model is told to say."""
    said: list[list[str]] = []
    begin = run.model.begin
    monkeypatch.setattr(
        run.model, "begin", lambda text: (said.append(decode(text)), begin(text))[1]
    )
    return said


def test_draws_say_what_real_ones_say_or_what_they_are_told(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = noted(run, monkeypatch)
    drawn, real = draw(run, num=7)
    test = run.data.store.indices("test")
    texts = [run.data.store.text(index) for index in np.resize(test, 7)]
    longest = int(run.data.store.lengths.max())
    assert drawn.values.shape == (7, 2 * longest, 3), "the mark of the end is no column of a store"
    assert said.pop() == texts and real.values.shape[2] == 3 and drawn.start is None
    draw(run, num=2, text="ba", length=3)
    draw(run, num=2, text=["é", "bab"], length=3)
    assert said == [["ba", "ba"], ["é", "bab"]]


@pytest.mark.parametrize("prime", [0.4, 0.99, 2, 1])
def test_primes_are_shares_or_numbers_of_frames(run: Run, prime: float) -> None:
    drawn, real = draw(run, num=5, prime=prime)
    expected = [int(n * prime) if prime < 1 else prime for n in real.lengths.tolist()]
    assert drawn.start is not None and drawn.start.tolist() == expected
    for i, first in enumerate(expected):
        assert torch.equal(drawn.values[i, :first], real.values[i, :first])
        assert not torch.equal(drawn.values[i, first, :2], real.values[i, first, :2])
    assert len(set(expected)) > 1 or prime >= 1


def style_of(run: Run) -> Batch:
    style = run.data.sequences("valid", run.data.store.indices("valid")[:2].tolist())
    open_end = style.values.clone()
    open_end[..., -1] = 0
    return style._replace(values=open_end)


def test_a_style_is_gone_on_from(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    said, style = noted(run, monkeypatch), style_of(run)
    drawn, real = draw(run, num=3, style=style, text="bab")
    first, second = decode(style.text)
    assert said == [[f"{first}bab", f"{second}bab", f"{first}bab"]]
    lengths = style.lengths[[0, 1, 0]]
    assert drawn.start is not None and torch.equal(drawn.start, lengths)
    assert torch.equal(real.lengths, lengths)
    for i, length in enumerate(lengths.tolist()):
        assert torch.equal(drawn.values[i, :length], style.values[[0, 1, 0]][i, :length, :3])
    most = int(style.lengths.max()) + 2 * int(run.data.store.lengths.max())
    assert drawn.values.shape[1] == most, "the style, and twice as much room as anything takes"
    draw(run, num=2, style=style, text=["a", "b"], length=20)
    assert said[-1] == [f"{first}a", f"{second}b"]
    with pytest.raises(ValueError, match=r"a style or a prime, found both \(a prime of 0.5\)"):
        draw(run, num=2, style=style, prime=0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prime": -1}, r"up to \d, or a share below 1, found -1"),
        ({"prime": 1.5}, r"up to \d, or a share below 1, found 1.5"),
        ({"prime": 9}, r"up to \d, or a share below 1, found 9"),
        ({"text": ""}, "the text is empty: write at least one character"),
        ({"text": ["a", "b", "", "a", "b"]}, "the text is empty"),
        ({"text": "abc"}, "the model never saw 'c'"),
    ],
)
def test_what_does_not_fit_is_refused(run: Run, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(run, num=5, **options)


def test_a_model_that_reads_no_text_says_so(tmp_path: Path) -> None:
    recipe = write_pen_recipe(tmp_path / "recipe", write_pens(tmp_path / "pens.h5"), reads=False)
    train(recipe, tmp_path / "run")
    mute = never_ending(load_run(tmp_path / "run"))
    with pytest.raises(ValueError, match="the model reads no texts: train one that does"):
        draw(mute, num=2, text="ab")
    drawn, real = draw(mute, num=3)
    assert real.text is None and drawn.values.shape == (3, 2 * int(real.lengths.max()), 3)


def test_nats_a_frame_and_in_standardised_units_stand_beside_those_of_a_word(
    folder: Path,
) -> None:
    found = metrics(folder)
    made = load_run(folder)
    nats, latent, frames = [], [], []
    with torch.no_grad():
        for index in made.data.store.indices("test"):
            batch = made.data.sequences("test", [index])
            density, _ = made.model.distributions(batch)
            z = torch.cat(
                (
                    (batch.values[..., :2] - made.model.transform.first.mean)
                    / made.model.transform.first.std,
                    batch.values[..., 2:],
                ),
                dim=-1,
            )
            latent.append(-float(density.log_prob(z).sum()))
            frames.append(z.shape[1])
            scale = float(made.model.transform.first.std.log().sum())
            nats.append(latent[-1] + frames[-1] * scale)
    assert found["unit"] == "nats/word" and found["frame_unit"] == "nats/pen point"
    assert found["nll"] == pytest.approx(np.mean(nats), rel=1e-5)
    assert found["nll_per_frame"] == pytest.approx(sum(nats) / sum(frames), rel=1e-5)
    assert found["normalised"]["nll"] == pytest.approx(np.mean(latent), rel=1e-5)
    assert found["normalised"]["nll_per_frame"] == pytest.approx(
        sum(latent) / sum(frames), rel=1e-5
    )
    assert found["normalised"]["nll"] < found["nll"] - 1


def test_other_units_are_told_where_they_are_known_only(small_run: Path, tmp_path: Path) -> None:
    assert not {"frame_unit", "nll_per_frame", "normalised"} & metrics(small_run).keys()
    store = write_pens(tmp_path / "pens.h5")
    curved = {"class_path": "seqmdn.data.Logit", "init_args": {"low": -9.0, "high": 9.0}}
    recipe = write_pen_recipe(tmp_path / "recipe", store)
    options = ["--model.transform.transform", str(curved)]
    train(recipe, tmp_path / "run", *options)
    found = metrics(tmp_path / "run")
    assert "nll_per_frame" in found and "normalised" not in found


def test_weights_adapt_to_what_is_said(folder: Path) -> None:
    made = load_run(folder)
    batch = made.data.sequences("test", made.data.store.indices("test").tolist())
    slow = adaptive_log_prob(made.model, batch, 1e-12)
    with torch.no_grad():
        torch.testing.assert_close(slow, made.model.frame_log_prob(batch), rtol=1e-4, atol=1e-4)
    assert not torch.equal(adaptive_log_prob(made.model, batch, 1e-2), slow)
    assert "adapted" in evaluate(folder / "checkpoints" / "last.ckpt", adapt=1e-3)


def test_strokes_are_scored_by_their_offsets(folder: Path) -> None:
    found = evaluate(folder / "checkpoints" / "last.ckpt", draws=20)
    assert found["crps_estimator"] == "exact" and len(found["calibration"]["pit"]["counts"]) == 2
