"""Images above maps of nats: each map below its image, and one scale for all of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from seqmdn.plotting import save_surprise, surprise

LOOK = {"kind": "image", "height": 4, "width": 6, "levels": 256}
RNG = np.random.default_rng(0)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    figures: list[Figure] = []
    write = surprise.write

    def keep(figure: Figure, path: Any) -> None:
        figures.append(figure)
        write(figure, path)

    monkeypatch.setattr(surprise, "write", keep)
    return figures


@pytest.mark.parametrize("channels", [1, 3])
def test_each_map_stands_below_its_image(
    tmp_path: Path, drawn: list[Figure], channels: int
) -> None:
    images = 256 * RNG.random((5, 4, 6 * channels))
    nats = RNG.normal(size=(5, 4, 6))
    save_surprise(tmp_path / "a.png", images, nats, LOOK, "of each pixel", columns=3)
    (figure,) = drawn
    shown = [axes.images[0] for axes in figure.axes[:4]]
    maps = [np.asarray(image.get_array().filled(np.nan)) for image in shown[1::2]]
    for place in range(5):
        line, left = maps[place // 3], 7 * (place % 3)
        np.testing.assert_array_equal(line[:, left : left + 6], nats[place])
        sheet = np.asarray(shown[2 * (place // 3)].get_array())[:, left : left + 6]
        bright = images[place].reshape(4, 6, channels) / 256
        np.testing.assert_allclose(sheet.reshape(4, 6, -1), 1 - bright if channels == 1 else bright)
    assert len({image.get_clim() for image in shown[1::2]}) == 1
    assert figure.get_suptitle() == "of each pixel"
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"


def test_one_value_and_none_that_is_finite_are_drawn(tmp_path: Path) -> None:
    for number in (0.0, np.nan):
        save_surprise(tmp_path / "a.svg", np.zeros((1, 4, 6)), np.full((1, 4, 6), number), LOOK)
        assert "<svg" in (tmp_path / "a.svg").read_text()


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nats of 1 image or more \(2, 4, 6\); found \(2, 6, 4\)"):
        save_surprise(tmp_path / "a.png", np.zeros((2, 4, 6)), np.zeros((2, 6, 4)), LOOK)
    with pytest.raises(ValueError, match="ends in .png or .svg"):
        save_surprise(tmp_path / "a.npz", np.zeros((1, 4, 6)), np.zeros((1, 4, 6)), LOOK)
