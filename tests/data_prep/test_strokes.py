"""What pen preparations share: the store's form, splits, and what is left out."""

from pathlib import Path

import numpy as np
import pytest

from data_prep.strokes import PenSequence, drop_repeats, named, write_strokes
from seqmdn.data import Store, stroke_frames

FRAMES = stroke_frames([[[0, 0], [1, 2]], [[5, 5]]])


def save(out: Path, sequences: list[PenSequence], **more: object) -> list[str]:
    fixed = {"name": "pen", "unit": "pixel", "sequence": "word", "y_axis": "up", "source": []}
    fixed |= {"licence": "mine", "command": "python -m data_prep.pen", "left_out": []}
    return write_strokes(out, sequences, **{**fixed, **more})


def test_the_store_has_the_form_of_pen_data(tmp_path: Path) -> None:
    said = save(
        tmp_path / "a.h5",
        [PenSequence(FRAMES, "test", "zebra"), PenSequence(FRAMES, "train", "cab")],
        left_out=["x: no points"],
        text_is="transcription",
        resolution=2,
        attributes={"seed": 3},
    )
    assert said == ["1 words left out\n  x: no points"]
    store = Store(tmp_path / "a.h5")
    assert store.names == ["dx", "dy", "eos"] and store.unit == "pixel"
    expected = {"kind": "strokes", "sequence": "word", "step": "pen point", "y_axis": "up"}
    expected |= {"resolution": 2.0, "text_is": "transcription", "left_out": 1, "seed": 3}
    assert {key: store.attributes[key] for key in expected} == expected
    assert store.attributes["alphabet"] == "abc", "characters of training texts only"
    np.testing.assert_array_equal(store.read(0)[0], FRAMES)
    assert [store.text(index) for index in range(2)] == ["zebra", "cab"]


def test_points_off_a_grid_and_names_have_no_more_attributes(tmp_path: Path) -> None:
    save(tmp_path / "a.h5", [PenSequence(FRAMES, "train", "cat")], text_is="name")
    assert not {"resolution", "alphabet"} & set(Store(tmp_path / "a.h5").attributes)
    save(tmp_path / "b.h5", [PenSequence(FRAMES, "train")])
    assert "text_is" not in Store(tmp_path / "b.h5").attributes


def test_an_empty_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one sequence"):
        save(tmp_path / "a.h5", [])
    assert not list(tmp_path.iterdir())


def test_many_names_are_cut_short() -> None:
    lines = named("30 left out", [str(number) for number in range(30)]).split("\n")
    assert len(lines) == 22 and lines[-1] == "  and 10 more" and lines[20] == "  19"


def test_repeats_within_a_stroke_only() -> None:
    strokes = [np.array([[0.0, 0], [0, 0], [1, 0], [0, 0]]), np.array([[0.0, 0], [0, 0]])]
    kept, dropped = drop_repeats(strokes)
    assert dropped == 2
    assert [stroke.tolist() for stroke in kept] == [[[0, 0], [1, 0], [0, 0]], [[0, 0]]]
