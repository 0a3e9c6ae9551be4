"""Films: every frame is shown, side by side, at its time."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from seqmdn.plotting import save_film

pages = ImageSequence.Iterator


def film(level: int, length: int = 4) -> np.ndarray:
    frames = np.zeros((length, 6, 5, 3), np.uint8)
    for t in range(length):
        frames[t, :, :, t % 3] = level
    return frames


def test_frames_are_shown_beside_each_other_one_after_another(tmp_path: Path) -> None:
    path = tmp_path / "deep/a.gif"
    save_film(path, {"real": film(250), "dreamt": film(120)}, frames_per_second=20, scale=10)
    with Image.open(path) as shown:
        assert shown.info["loop"] == 0
        each = [(np.asarray(p.convert("RGB")).copy(), p.info["duration"]) for p in pages(shown)]
    pictures, pauses = zip(*each, strict=True)
    assert len(pictures) == 4
    height, width, _ = pictures[0].shape
    for t, picture in enumerate(pictures):
        left, right = picture[height - 5, 5], picture[height - 5, width - 5]
        expected = np.eye(3)[t % 3]
        np.testing.assert_allclose(left, 250 * expected, atol=8)
        np.testing.assert_allclose(right, 120 * expected, atol=8)
    assert pauses[:3] == (50, 50, 50) and pauses[3] > 500


def test_what_is_given_is_said_while_it_is(tmp_path: Path) -> None:
    save_film(tmp_path / "a.gif", {"real": film(250), "dreamt": film(200)}, scale=20, given=2)
    with Image.open(tmp_path / "a.gif") as shown:
        titles = [np.asarray(each.convert("L"))[:32].copy() for each in pages(shown)]
    half = titles[0].shape[1] // 2
    assert (titles[0] == titles[1]).all() and (titles[2] == titles[3]).all()
    assert (titles[0][:, :half] == titles[2][:, :half]).all()
    assert (titles[0][:, half:] != titles[2][:, half:]).any()


@pytest.mark.parametrize(
    ("films", "options", "message"),
    [
        ({}, {}, "expected films of one shape"),
        ({"a": film(1), "b": film(1, 5)}, {}, "expected films of one shape"),
        ({"a": film(1)[..., :1]}, {}, "expected films of one shape"),
        ({"a": film(1)}, {"frames_per_second": 51}, "at most 50"),
        ({"a": film(1)}, {"scale": 0}, "a scale of 1 or more"),
        ({"a": film(1)}, {"given": 5}, "given within 4 frames"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    tmp_path: Path, films: dict, options: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        save_film(tmp_path / "a.gif", films, **options)
    assert not (tmp_path / "a.gif").exists()


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a film's name ends in .gif"):
        save_film(tmp_path / "a.mp4", {"a": film(1)})
