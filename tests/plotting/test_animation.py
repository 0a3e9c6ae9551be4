from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from seqmdn.plotting import save_pen_gif
from seqmdn.plotting.animation import _TIP
from seqmdn.plotting.page import GIVEN, PEN

STROKES = {"kind": "strokes"}


def _line(count: int) -> np.ndarray:
    """A zigzag to the right in one stroke."""
    frames = np.column_stack([np.ones(count), np.resize([1.0, -1.0], count), np.zeros(count)])
    return frames


def _pictures(path: Path) -> tuple[list[np.ndarray], list[int]]:
    pictures, pauses = [], []
    with Image.open(path) as found:
        assert found.format == "GIF" and found.info["loop"] == 0
        for index in range(found.n_frames):
            found.seek(index)
            pictures.append(np.asarray(found.convert("RGB"), dtype=int))
            pauses.append(found.info["duration"])
    return pictures, pauses


def _count(picture: np.ndarray, ink: str) -> int:
    return int((np.abs(picture - 255 * np.array(to_rgb(ink))).max(axis=-1) < 4).sum())


def test_ink_grows_and_the_tip_is_there_until_the_end(tmp_path: Path) -> None:
    save_pen_gif(tmp_path / "a.gif", [_line(30)], STROKES, seconds=1.0, frames_per_second=10)
    pictures, pauses = _pictures(tmp_path / "a.gif")
    assert len(pictures) == 10 and pauses == [100] * 9 + [1300]
    ink = [_count(picture, PEN) for picture in pictures]
    assert all(first < second for first, second in zip(ink, ink[1:], strict=False))
    tips = [_count(picture, _TIP) for picture in pictures]
    assert min(tips[:-1]) > 10 and tips[-1] == 0
    places = [
        np.argwhere(np.abs(p - 255 * np.array(to_rgb(_TIP))).max(-1) < 4) for p in pictures[:-1]
    ]
    middles = [place[:, 1].mean() for place in places]
    assert np.diff(middles) == pytest.approx(np.mean(np.diff(middles)), rel=0.1)


def test_all_are_written_at_once_and_shorter_ones_end_earlier(tmp_path: Path) -> None:
    frames = [_line(40), _line(20)]
    frames = [each * [1, 8, 1] for each in frames]
    save_pen_gif(tmp_path / "a.gif", frames, STROKES, seconds=1.0, frames_per_second=20)
    pictures, _ = _pictures(tmp_path / "a.gif")
    half = pictures[0].shape[1] // 2
    left = [_count(picture[:, :half], PEN) for picture in pictures]
    right = [_count(picture[:, half:], PEN) for picture in pictures]
    assert left[4] > 0 and right[4] > 0
    assert right[-1] == right[11] and left[-1] > 1.3 * left[11]


def test_a_drawing_shorter_than_its_pictures_takes_its_time(tmp_path: Path) -> None:
    save_pen_gif(tmp_path / "a.gif", [_line(5)], STROKES, seconds=1.0, frames_per_second=50)
    pictures, pauses = _pictures(tmp_path / "a.gif")
    assert len(pictures) == 5 and pauses[:-1] == [200] * 4


def test_given_frames_are_grey(tmp_path: Path) -> None:
    save_pen_gif(tmp_path / "a.gif", [_line(30)], STROKES, starts=[10], seconds=0.5)
    pictures, _ = _pictures(tmp_path / "a.gif")
    assert _count(pictures[0], GIVEN) > 0 and _count(pictures[0], PEN) == 0
    assert _count(pictures[-1], PEN) > 1.5 * _count(pictures[-1], GIVEN) > 0


def test_titles_are_drawn_and_files_are_the_same_each_time_and_small(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = [np.rint(2 * rng.normal(size=(300, 3))) * [1, 1, 0] for _ in range(8)]
    for name, titles in [("a", None), ("b", ["\u03b1\u03b2"] * 8), ("c", ["\u03b1\u03b2"] * 8)]:
        save_pen_gif(tmp_path / f"{name}.gif", frames, STROKES, titles=titles, seconds=2.0)
    a, b, c = ((tmp_path / f"{name}.gif").read_bytes() for name in "abc")
    assert a != b == c and len(b) < 1_000_000


def test_bad_input_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    for wrong in ({"seconds": 0.0}, {"frames_per_second": 51.0}, {"seconds": np.inf}):
        with pytest.raises(ValueError, match="expected seconds above 0"):
            save_pen_gif(path, [_line(5)], STROKES, **wrong)
    with pytest.raises(ValueError, match="drawing 0: expected finite frames; found nan"):
        save_pen_gif(path, [_line(5) * np.nan], STROKES)
    with pytest.raises(ValueError, match="kind 'strokes'"):
        save_pen_gif(path, [_line(5)], {})
    assert not list(tmp_path.iterdir())
    save_pen_gif(path, [np.zeros((0, 3))], STROKES)
    assert len(_pictures(path)[0]) == 1
