"""Frames in colours, row above row."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import FigureBase
from PIL import Image

from seqmdn.plotting import frames, save_frames
from seqmdn.plotting.page import INK, colour
from seqmdn.plotting.rows import Row

LOOK = {"kind": "frames", "height": 4, "width": 6, "channels": 3, "levels": 7}
RNG = np.random.default_rng(0)


def test_frames_stand_above_what_is_made_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Row] = []
    draw = frames.gallery

    def keep(figure: FigureBase, rows: list[Row], look: dict) -> None:
        assert look == {"kind": "image", "height": 4, "width": 6, "levels": 255}
        shown.extend(rows)
        draw(figure, rows, look)

    monkeypatch.setattr(frames, "gallery", keep)
    real, made = 255 * RNG.random((5, 72)), 255 * RNG.random((5, 72))
    save_frames(tmp_path / "a.png", {"real": real, "reconstructed": made}, LOOK, columns=3)
    assert [row.name for row in shown] == ["real", "reconstructed"] * 2
    assert [row.colour for row in shown] == [INK, colour(0)] * 2
    for row, expected in zip(shown, [real[:3], made[:3], real[3:], made[3:]], strict=True):
        np.testing.assert_array_equal(np.stack(row.sequences)[:, 0], expected)


def test_colours_are_kept(tmp_path: Path) -> None:
    red = np.tile([255.0, 0.0, 0.0], (1, 24))
    save_frames(tmp_path / "a.png", {"real": red}, LOOK)
    with Image.open(tmp_path / "a.png") as picture:
        found = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    assert (found == [255, 0, 0]).all(1).sum() > 5_000
    assert not (found == [0, 255, 255]).all(1).any()


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    one, two = np.zeros((1, 72)), np.zeros((2, 72))
    for name, each, look, message in [
        ("a.npz", {"real": one}, LOOK, r"ends in \.png or \.svg"),
        ("a.png", {"real": one, "drawn": two}, LOOK, "as many frames of each kind.*'drawn': 2"),
        ("a.png", {"real": one[:0]}, LOOK, "1 or more; found {'real': 0}"),
        ("a.png", {}, LOOK, "1 or more; found {}"),
        ("a.png", {"real": one}, {}, "attributes height and width"),
        ("a.png", {"real": one[:, :9]}, LOOK, "T \\* D = 4 x 6"),
    ]:
        with pytest.raises(ValueError, match=message):
            save_frames(tmp_path / name, each, look)
    assert not list(tmp_path.iterdir())
