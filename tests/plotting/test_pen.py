from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from seqmdn.plotting import save_pen_svg
from seqmdn.plotting.page import GIVEN, INK, PEN

RNG = np.random.default_rng(0)
STROKES = {"kind": "strokes"}
SVG = "{http://www.w3.org/2000/svg}"


def _drawing(count: int = 40, step: float = 1.0) -> np.ndarray:
    """Two strokes and a dot, with a fourth column."""
    frames = np.zeros((count, 4))
    frames[:, :2] = step * (RNG.normal(size=(count, 2)) + 0.5)
    frames[[count // 2, -2, -1], 2] = 1
    return frames


def _parsed(path: Path) -> ElementTree.Element:
    return ElementTree.parse(path).getroot()


def test_a_group_a_drawing_and_a_path_a_stroke(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.svg"
    save_pen_svg(path, [_drawing(), _drawing(30)], STROKES, widths=False)
    root = _parsed(path)
    _, _, view_x, view_y = map(float, root.get("viewBox").split())
    assert int(root.get("width")) / int(root.get("height")) == pytest.approx(view_x / view_y, 0.01)
    pen = root.findall(f"{SVG}g")[-1]
    assert pen.get("stroke-linecap") == pen.get("stroke-linejoin") == "round"
    assert [len(drawing.findall(f"{SVG}path")) for drawing in pen] == [3, 3]
    assert {stroke.get("stroke") for stroke in pen.iter(f"{SVG}path")} == {PEN}
    assert not any(stroke.get("stroke-width") for stroke in pen.iter(f"{SVG}path"))
    assert [each.name for each in path.parent.iterdir()] == ["a.svg"]


def test_widths_change_along_a_stroke_where_points_are_dense(tmp_path: Path) -> None:
    dense, sparse = np.repeat([[0.05, 0.02, 0], [0.3, 0.2, 0]], 60, axis=0), _drawing(step=20.0)
    dense[60:, 1] *= -1
    for name, frames in [("dense", dense), ("sparse", sparse)]:
        save_pen_svg(tmp_path / f"{name}.svg", [frames, frames], STROKES)
    found = [
        {each.get("stroke-width") for each in _parsed(tmp_path / f"{name}.svg").iter(f"{SVG}path")}
        for name in ("dense", "sparse")
    ]
    assert len(found[0]) > 2 and found[1] == {None}


def test_noise_below_the_grid_is_not_seen(tmp_path: Path) -> None:
    levels = np.rint(4 * _drawing())
    noisy = levels + RNG.uniform(-0.4, 0.4, size=levels.shape) * [1, 1, 0, 1]
    for name, frames in [("a", levels), ("b", noisy)]:
        save_pen_svg(tmp_path / f"{name}.svg", [frames], {**STROKES, "resolution": 1.0})
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_titles_are_words_whatever_they_hold(tmp_path: Path) -> None:
    titles = ['<b> & "c" \u03b1', "a\x00b"]
    save_pen_svg(tmp_path / "a.svg", [_drawing(), _drawing()], STROKES, titles=titles)
    words = [each.text for each in _parsed(tmp_path / "a.svg").iter(f"{SVG}text")]
    assert words == [titles[0], "a b"]


def test_inks_say_what_is_real_given_and_drawn(tmp_path: Path) -> None:
    save_pen_svg(
        tmp_path / "a.svg",
        [_drawing(), _drawing()],
        STROKES,
        starts=[5, 0],
        reference=[_drawing()],
    )
    root = _parsed(tmp_path / "a.svg")
    pen = root.findall(f"{SVG}g")[-1]
    inks = [{stroke.get("stroke") for stroke in drawing.iter(f"{SVG}path")} for drawing in pen]
    assert inks == [{INK}, {GIVEN, PEN}, {PEN}]
    assert [each.text for each in root.iter(f"{SVG}text")] == ["real", "sampled"]


def test_a_file_is_small(tmp_path: Path) -> None:
    turns = np.linspace(0, 40, 700)
    frames = np.column_stack(
        [np.rint(3 * np.cos(turns) + 1), np.rint(3 * np.sin(turns)), turns * 0]
    )
    save_pen_svg(tmp_path / "a.svg", [frames] * 16, {**STROKES, "resolution": 1.0})
    assert (tmp_path / "a.svg").stat().st_size < 12 * 16 * 700


def test_bad_input_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    path.write_text("old")
    bad = _drawing()
    bad[7, 0] = np.inf
    with pytest.raises(ValueError, match=r"sampled drawing 1 \(b\): .* found inf in frame 7"):
        save_pen_svg(path, [_drawing(), bad], STROKES, titles=["a", "b"])
    with pytest.raises(ValueError, match="expected 1 titles"):
        save_pen_svg(path, [_drawing()], STROKES, titles=["a", "b"])
    with pytest.raises(ValueError, match="kind 'strokes'; found 'image'"):
        save_pen_svg(path, [_drawing()], {"kind": "image"})
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1
