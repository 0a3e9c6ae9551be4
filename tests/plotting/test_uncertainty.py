"""Images beside probabilities: bars, the right one's colour, and the entropy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from seqmdn.plotting import save_uncertainty, uncertainty
from seqmdn.plotting.page import colour

IMAGES = np.random.default_rng(0).uniform(size=(5, 4, 3))
PROBABILITIES = np.array(
    [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.2, 0.7, 0.1], [0.25, 0.25, 0.5], [1 / 3, 1 / 3, 1 / 3]]
)


def test_bars_are_probabilities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Figure] = []
    write = uncertainty.write

    def keep(figure: Figure, path: Any) -> None:
        figures.append(figure)
        write(figure, path)

    monkeypatch.setattr(uncertainty, "write", keep)
    save_uncertainty(tmp_path / "a.png", IMAGES, PROBABILITIES, [0, 0, 2, 2, 1], ["x", "y", "z"])
    shown = [axes for axes in figures[0].axes if axes.get_visible()]
    pictures, bars = shown[::2], shown[1::2]
    assert len(pictures) == len(bars) == 5
    np.testing.assert_array_equal(pictures[3].images[0].get_array(), IMAGES[3])
    heights = [bar.get_height() for bar in bars[2].patches]
    np.testing.assert_allclose(heights, PROBABILITIES[2])
    colours = [to_hex(bar.get_facecolor()) for bar in bars[2].patches]
    assert colours[1] == colour(1).lower() and colours[2] == colour(0).lower(), "wrong, and right"
    said = [axes.get_title(loc="left") for axes in bars]
    assert said == ["0.69 nats", "0.00 nats", "0.80 nats", "1.04 nats", "1.10 nats"]
    assert [text.get_text() for text in bars[0].get_xticklabels()] == ["x", "y", "z"]


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    path, labels = tmp_path / "a.png", [0, 0, 2, 2, 1]
    with pytest.raises(ValueError, match=r"found \(4, 3\), \(5, 3\) and \(5,\)"):
        save_uncertainty(path, IMAGES[0], PROBABILITIES, labels)
    with pytest.raises(ValueError, match="sum to 1, found others: give no logits"):
        save_uncertainty(path, IMAGES, 2 * PROBABILITIES, labels)
    with pytest.raises(ValueError, match="expected 3 names, and labels below that, found 2"):
        save_uncertainty(path, IMAGES, PROBABILITIES, labels, ["a", "b"])
    with pytest.raises(ValueError, match="labels from 0 to 3"):
        save_uncertainty(path, IMAGES, PROBABILITIES, [0, 0, 2, 3, 1])
    with pytest.raises(ValueError, match=r"ends in .png or .svg"):
        save_uncertainty(tmp_path / "a.jpg", IMAGES, PROBABILITIES, labels)
    assert not list(tmp_path.iterdir())
