"""Writing from the command line: texts, bias, styles, and what the model saw."""

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from seqmdn.cli import main
from seqmdn.data import Store
from seqmdn.generation import bias
from seqmdn.runs import draw, load_run
from tests.pens import write_pen_recipe, write_pens
from tests.small import train

Refused = Callable[..., str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pens")
    recipe = write_pen_recipe(folder / "recipe", write_pens(folder / "pens.h5"))
    train(recipe, folder / "run", "--trainer.max_steps=2")
    return folder / "run"


def values(run: Path, folder: Path, *options: str) -> np.ndarray:
    out = folder / "drawn.npz"
    main(["sample", str(run), "--num", "6", "--length", "9", "--out", str(out), *options])
    with np.load(out) as found:
        return found["values"]


def test_texts_stand_above_what_is_written(run: Path, tmp_path: Path) -> None:
    words = ["sample", str(run), "--num", "3", "--text", "ab", "<b&é", "--out"]
    with pytest.raises(SystemExit):
        main([*words, str(tmp_path / "a.svg")])  # the model never saw two of these
    words[5:7] = ["ab", "bé"]
    for name in ("a.svg", "a.gif", "a.png", "a.h5"):
        main([*words, str(tmp_path / name)])
    shown = [each.text for each in ElementTree.parse(tmp_path / "a.svg").iter() if each.text]
    assert [text for text in shown if text in ("ab", "bé")] == ["ab", "bé", "ab"]
    assert any("real" in text for text in shown)
    main([*words, str(tmp_path / "alone.svg"), "--alone"])
    assert "real" not in (tmp_path / "alone.svg").read_text()
    with Image.open(tmp_path / "a.gif") as moving:
        assert moving.n_frames > 1
    drawn, _ = draw(load_run(run), 3, text=["ab", "bé"])
    with Store(tmp_path / "a.h5") as store:
        assert [store.text(index) for index in range(len(store))] == ["ab", "bé", "ab"]
        assert store.lengths.tolist() == drawn.lengths.tolist()
        assert "left_out" not in store.attributes
        assert store.names == ["dx", "dy", "eos"], "the mark of the end stays inside the model"


def test_bias_and_temperature_are_those_of_their_papers(run: Path, tmp_path: Path) -> None:
    found = load_run(run)
    for options, expected in (
        (["--bias", "1.5"], bias(1.5)),
        (["--temperature", "0.3"], {"mixing": 0.3, "scale": 0.3, "bits": 0.3}),
        (["--bits", "0.2"], {"bits": 0.2}),
    ):
        drawn, _ = draw(found, 6, 9, **expected)
        np.testing.assert_array_equal(values(run, tmp_path, *options), drawn.values.numpy())


def test_a_style_goes_first(run: Path, tmp_path: Path) -> None:
    strokes = [[[0, 0], [3, 12]], [[8, 1], [9, 6]]]
    (tmp_path / "mine.json").write_text(json.dumps({"text": "ab", "strokes": strokes}))
    found = values(run, tmp_path, "--style", str(tmp_path / "mine.json"), "--text", "b")
    frames = [[0, 0, 0], [3, 12, 1], [5, -11, 0], [1, 5, 1]]
    assert (found[:, :4] == np.array(frames)).all() and not (found[:, 4] == found[0, 4]).all()


@pytest.mark.parametrize("what", ["attention", "density"])
def test_what_the_model_saw_is_shown(run: Path, tmp_path: Path, what: str) -> None:
    out = tmp_path / "seen.png"
    main(["sample", str(run), "--num", "1", "--text", "abba", "--show", what, "--out", str(out)])
    with Image.open(out) as picture:
        assert picture.width > 300


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--text", "abc"], "the model never saw 'c': write texts of the characters 'abé'"),
        (["--text", ""], "the text is empty: write at least one character"),
        (["--text", "a", ""], "the text is empty"),
        (["--style", "99"], "expected a style from 0 to 4 of the split 'test', found 99"),
        (["--style", "none.json"], "expected a file of pen strokes, found no such file"),
        (["--style", "a.doc"], "expected the number of a sequence, a store .h5, or strokes"),
        (["--style", "0", "--prime", "2"], "expected a style or a prime, found both"),
        (["--bias", "-1"], "a bias is 0 or more, found -1.0"),
        (["--bias", "1", "--scale", "2"], "expected one way to sharpen the draws, found"),
        (["--bias", "1", "--temperature", "2"], "found --temperature and --bias"),
        (["--prime", "2", "--show", "attention"], "leave out the style or the prime"),
    ],
)
def test_what_cannot_be_written_is_one_line(
    run: Path,
    tmp_path: Path,
    refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in refused("sample", run, "--out", "a.png", *options)


def test_other_models_say_what_they_lack(
    small_run: Path, tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for options, message in (
        (["--text", "a"], "the model reads no texts"),
        (["--style", "0"], "a style is for models of whole pen strokes"),
        (["--bits", "0.5"], "--bits is for models whose frames"),
        (["--show", "density"], "only a model with a StrokeHead"),
    ):
        assert message in refused("sample", small_run, "--out", "a.png", *options)
