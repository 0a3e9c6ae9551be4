from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import FigureBase
from PIL import Image

from seqmdn.plotting import samples, save_samples, series_plot
from seqmdn.plotting.page import INK, colour
from seqmdn.plotting.rows import Row

IMAGES = {"kind": "image", "height": 8, "width": 8, "levels": 1}
RNG = np.random.default_rng(0)


def _ink(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return 255 - np.asarray(picture.convert("L"), dtype=int)  # (Y, X)


def test_images_of_different_ink_give_different_pictures(tmp_path: Path) -> None:
    full, half = np.ones((16, 8, 8)), np.ones((16, 8, 8))
    half[:, 4:] = 0.0
    save_samples(tmp_path / "full.png", full, None, IMAGES)
    save_samples(tmp_path / "half.png", half, None, IMAGES)
    assert _ink(tmp_path / "half.png").shape == _ink(tmp_path / "full.png").shape
    assert _ink(tmp_path / "full.png").sum() == pytest.approx(
        2 * _ink(tmp_path / "half.png").sum(), rel=0.05
    )


def test_real_images_stand_above_the_samples(tmp_path: Path) -> None:
    black, white = np.ones((20, 8, 8)), np.zeros((20, 8, 8))
    save_samples(tmp_path / "a.png", white, None, IMAGES, reference=black)
    ink = _ink(tmp_path / "a.png")[:, 100:]  # right of the names
    half = len(ink) // 2
    assert ink[:half].sum() > 1_000_000 and ink[half:].sum() == 0


def test_all_images_are_shown(tmp_path: Path) -> None:
    for count in (16, 32, 64):
        save_samples(tmp_path / f"{count}.png", np.ones((count, 8, 8)), None, IMAGES)
    dark = {count: (_ink(tmp_path / f"{count}.png") == 255).sum() for count in (16, 32, 64)}
    assert dark[32] == pytest.approx(2 * dark[16], rel=0.05)
    assert dark[64] == pytest.approx(4 * dark[16], rel=0.05)


@pytest.mark.parametrize("kind", ["strokes", "series", "audio"])
def test_frames_after_the_end_are_not_shown(tmp_path: Path, kind: str) -> None:
    values = RNG.normal(size=(5, 12, 3))
    other = values.copy()
    other[:, 7:] += 3.0
    for name, each, lengths in [("a", values, [7] * 5), ("b", other, [7] * 5), ("c", other, None)]:
        save_samples(tmp_path / f"{name}.png", each, lengths, {"kind": kind})
    a, b, c = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert a == b != c


def test_the_first_series_of_each_have_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Row] = []
    draw = samples.gallery

    def keep(figure: FigureBase, rows: list[Row], attributes: dict) -> None:
        shown.extend(rows)
        draw(figure, rows, attributes)

    monkeypatch.setattr(samples, "gallery", keep)
    values, real = RNG.normal(size=(5, 12, 3)), RNG.normal(size=(2, 9, 3))
    save_samples(
        tmp_path / "a.png", values, [12, 7, 3, 1, 1], {}, reference=real, reference_lengths=[9, 4]
    )
    assert [row.name for row in shown] == [
        "real 1",
        "real 2",
        "sampled 1",
        "sampled 2",
        "sampled 3",
    ]
    wanted = [real[0], real[1, :4], values[0], values[1, :7], values[2, :3]]
    for row, frames in zip(shown, wanted, strict=True):
        assert len(row.sequences) == 1
        np.testing.assert_array_equal(row.sequences[0], frames)


def test_titles_and_starts_are_those_of_the_samples(tmp_path: Path) -> None:
    values, look = RNG.normal(size=(2, 9, 4)), {"kind": "strokes"}
    pictures = {}
    for name, more in [("a", {}), ("b", {"titles": ["x", "y"]}), ("c", {"starts": [5, 0]})]:
        save_samples(tmp_path / f"{name}.png", values, None, look, values[:1], **more)
        pictures[name] = (tmp_path / f"{name}.png").read_bytes()
    assert len(set(pictures.values())) == 3
    with pytest.raises(ValueError, match="sampled: expected 2 titles, one a sequence; found 1"):
        save_samples(tmp_path / "d.png", values, None, look, titles=["x"])


def test_svg_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.svg"
    save_samples(path, RNG.normal(size=(2, 9, 3)), [9, 4], {"kind": "strokes"})
    assert "<svg" in path.read_text()


def test_bad_input_writes_nothing(tmp_path: Path) -> None:
    values = np.zeros((2, 8, 8))
    with pytest.raises(ValueError, match=r"ends in \.png or \.svg"):
        save_samples(tmp_path / "a.gif", values, None, IMAGES)
    with pytest.raises(ValueError, match="height and width"):
        save_samples(tmp_path / "a.png", values, None, {"kind": "image"})
    with pytest.raises(ValueError, match="sampled: expected 2 lengths"):
        save_samples(tmp_path / "a.png", values, [9, 9], IMAGES)
    with pytest.raises(ValueError, match="real: expected sequences"):
        save_samples(tmp_path / "a.png", values, None, IMAGES, reference=values[0])
    assert not list(tmp_path.iterdir())


def test_series_plot_gives_each_name_a_row_and_a_colour() -> None:
    frames = {name: RNG.normal(size=(6, 2)) for name in ("rmdn", "real", "frmdn")}
    figure = series_plot(frames, {"unit": "m", "kind": "image"})
    rows = np.array(figure.axes).reshape(3, 2)
    assert [axes.get_ylabel() for axes in rows[:, 0]] == ["rmdn", "real", "frmdn"]
    colours = [axes.lines[0].get_color() for axes in rows[:, 1]]
    assert colours == [colour(0), INK, colour(1)]
    np.testing.assert_array_equal(rows[2, 1].lines[0].get_ydata(), frames["frmdn"][:, 1])
