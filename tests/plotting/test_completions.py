"""Rows of completions: each in its place, tinted where nothing is known."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from seqmdn.plotting import completions, save_completions

LOOK = {"kind": "image", "height": 4, "width": 6, "levels": 256}
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("channels", [1, 3])
def test_rows_stand_where_their_names_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int
) -> None:
    figures: list[Figure] = []
    write = completions.write

    def keep(figure: Figure, path: Any) -> None:
        figures.append(figure)
        write(figure, path)

    monkeypatch.setattr(completions, "write", keep)
    images = 256 * RNG.random((2, 4, 6 * channels))
    given = np.where(np.arange(6 * channels) < 3 * channels, images, np.nan)
    deviation = 128 * RNG.random(images.shape)
    rows = {"few:": {"given": given, "deviation": deviation}, "many:": {"given": images}}
    save_completions(tmp_path / "a.png", images, rows, LOOK, "title")
    (axes,) = figures[0].axes
    sheet = np.asarray(axes.images[0].get_array())
    names = {
        label.get_text(): place
        for label, place in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True)
    }
    assert list(names) == ["few: given", "deviation", "many: given", "truth"]

    def shown(name: str, image: int) -> np.ndarray:
        top = round(names[name] - 1.5)
        return sheet[top : top + 4, 7 * image : 7 * image + 6]

    bright = images.reshape(2, 4, 6, channels) / 256
    expected = 1 - bright if channels == 1 else bright
    for image in range(2):
        truth = np.broadcast_to(expected[image], (4, 6, 3))
        np.testing.assert_allclose(shown("truth", image), truth)
        np.testing.assert_allclose(shown("many: given", image), truth)
        np.testing.assert_allclose(shown("few: given", image)[:, :3], truth[:, :3])
        unknown = shown("few: given", image)[:, 3:]
        assert (unknown == unknown[0, 0]).all() and unknown[0, 0, 2] > unknown[0, 0, 0]
        ink = 1 - deviation.reshape(2, 4, 6, channels)[image].mean(-1) / 128
        np.testing.assert_allclose(shown("deviation", image), np.stack([ink] * 3, axis=-1))


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    rows = {"few": {"mean": np.zeros((2, 4, 5))}}
    with pytest.raises(ValueError, match=r"shape \(2, 4, 6\); found mean of \(2, 4, 5\)"):
        save_completions(tmp_path / "a.png", np.zeros((2, 4, 6)), rows, LOOK)
    with pytest.raises(ValueError, match="rows of 1 image or more"):
        save_completions(tmp_path / "a.png", np.zeros((0, 4, 6)), {}, LOOK)
    assert not list(tmp_path.iterdir())
