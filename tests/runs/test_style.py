"""Styles: sequences to go on from, of the run's data, of stores and of one's own files."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from seqmdn.data import StoreWriter, decode
from seqmdn.runs import Run, draw, load_run, read_style
from tests.pens import write_pen_recipe, write_pens
from tests.small import train, write_recipe, write_store

DRAWING = {"strokes": [[[5, 5], [6, 7]], [[6, 0], [9, 1], [9, 9]]], "text": "ab"}
FRAMES = [[0, 0, 0], [1, 2, 1], [0, -7, 0], [3, 1, 0], [0, 8, 1]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("pens")
    recipe = write_pen_recipe(folder / "recipe", write_pens(folder / "pens.h5"))
    return train(recipe, folder / "run", "--trainer.max_steps=2")


def test_a_number_is_a_sequence_of_the_split(run: Run) -> None:
    for split in ("test", "valid"):
        style = read_style(run, "1", split)
        index = int(run.data.store.indices(split)[1])
        real = run.data.sequences(split, [index])
        assert torch.equal(style.values[..., :3], real.values[..., :3])
        assert real.values[0, -1, -1] == 1 and (style.values[..., -1] == 0).all(), "it goes on"
        assert style.text is not None and decode(style.text) == [run.data.store.text(index)]
    with pytest.raises(ValueError, match="from 0 to 4 of the split 'test', found 10"):
        read_style(run, "10")


def test_ones_own_strokes_are_a_style(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(json.dumps([DRAWING, DRAWING]))
    style = read_style(run, str(tmp_path / "mine.json"))
    assert style.values.tolist() == [[[*frame, 0] for frame in FRAMES]] * 2
    assert style.text is not None and decode(style.text) == ["ab", "ab"]
    drawn, real = draw(run, 3, style=style, text="b", length=9)
    assert drawn.start is not None and drawn.start.tolist() == [5, 5, 5]
    assert drawn.values[2, :5].tolist() == FRAMES and drawn.text is not None
    assert decode(drawn.text) == ["b"] * 3 and real.values.tolist() == [FRAMES] * 3


def test_a_store_of_strokes_is_a_style(run: Run, tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "a.h5", ["dx", "dy", "eos"], name="mine", unit="m") as store:
        store.append(np.array(FRAMES), "test", text="ba")
    style = read_style(run, str(tmp_path / "a.h5"))
    assert style.values.tolist() == [[[*frame, 0] for frame in FRAMES]]
    assert style.text is not None and decode(style.text) == ["ba"]


def test_what_is_no_style_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the number of a sequence, a store .h5, or .*'a.txt'"):
        read_style(run, "a.txt")
    with pytest.raises(FileNotFoundError):
        read_style(run, str(tmp_path / "none.json"))
    with pytest.raises(FileNotFoundError):
        read_style(run, str(tmp_path / "none.h5"))
    (tmp_path / "mute.json").write_text(json.dumps({"strokes": DRAWING["strokes"]}))
    with pytest.raises(ValueError, match="mute.json: expected what each of the strokes says"):
        read_style(run, str(tmp_path / "mute.json"))
    other = write_store(tmp_path / "walks.h5")
    with pytest.raises(ValueError, match=r"expected strokes \[dx, dy, eos\], found \['x0', 'x1'\]"):
        read_style(run, str(other))
    train(write_recipe(tmp_path / "recipe", other), tmp_path / "run", "--trainer.max_steps=2")
    with pytest.raises(ValueError, match="a style is for models of whole pen strokes"):
        read_style(load_run(tmp_path / "run"), "0")
