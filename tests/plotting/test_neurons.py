"""Neurons as curves and as images: what is drawn is what was given."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from scipy.stats import norm

from seqmdn.plotting import neurons, save_neurons, save_responses
from seqmdn.plotting.page import GIVEN, INK

RNG = np.random.default_rng(0)
WEIGHTS = RNG.dirichlet(np.ones(9), size=5)
MEANS, SCALES = RNG.normal(size=(5, 9)), RNG.uniform(0.3, 2, (5, 9))
TITLES = [f"neuron {j}" for j in range(5)]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    found: list[Figure] = []
    write = neurons.write

    def keep(figure: Figure, path: Any) -> None:
        found.append(figure)
        write(figure, path)

    monkeypatch.setattr(neurons, "write", keep)
    return found


def test_curves_are_the_components_and_their_sum(tmp_path: Path, figures: list[Figure]) -> None:
    seen = RNG.normal(size=9)
    save_neurons(tmp_path / "a.png", WEIGHTS, MEANS, SCALES, TITLES, seen=seen, unit="m")
    shown = [axes for axes in figures[0].axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == TITLES
    axes = shown[2]
    z = axes.lines[-1].get_xdata()
    density = WEIGHTS[2] * norm.pdf(np.asarray(z)[:, None], MEANS[2], SCALES[2])
    np.testing.assert_allclose(axes.lines[-1].get_ydata(), density.sum(1))
    assert to_hex(axes.lines[-1].get_color()) == INK.lower()
    grey = [line for line in axes.lines if to_hex(line.get_color()) == GIVEN.lower()]
    assert len(grey) == 3, "all but the six of the largest weights"
    order = np.argsort(-WEIGHTS[2])
    named = [text.get_text() for text in axes.get_legend().get_texts()]
    assert named == [f"x{k + 1}" for k in order[:6]]
    curve = axes.lines[3]
    np.testing.assert_allclose(curve.get_ydata(), density[:, order[0]])
    point = next(line for line in axes.lines if line.get_marker() == "o")
    assert point.get_xdata()[0] == seen[order[0]]
    np.testing.assert_allclose(
        point.get_ydata()[0],
        WEIGHTS[2, order[0]] * norm.pdf(seen, MEANS[2, order[0]], SCALES[2, order[0]])[order[0]],
        rtol=1e-2,
    )


def test_a_far_component_without_weight_does_not_squeeze_the_others(
    tmp_path: Path, figures: list[Figure]
) -> None:
    save_neurons(tmp_path / "a.svg", [[0.6, 0.39, 0.01]], [[0, 1, 900]], [[1, 1, 1]], ["a"])
    assert figures[0].axes[0].get_xlim() == (-3, 4)


def test_many_small_components_are_magnified(tmp_path: Path, figures: list[Figure]) -> None:
    count = 500
    weights, means = np.full((1, count), 1 / count), RNG.normal(size=(1, count))
    save_neurons(tmp_path / "a.png", weights, means, np.ones((1, count)), ["a"])
    axes = figures[0].axes[0]
    mixture = np.max(axes.lines[-1].get_ydata())
    largest = max(np.max(line.get_ydata()) for line in axes.lines[:-1])
    times = int(axes.get_legend().get_title().get_text().removesuffix(" times"))
    assert times == 200 and 0.3 * mixture < largest <= mixture
    np.testing.assert_allclose(largest, times / count * norm.pdf(0), rtol=1e-3)


def test_images_are_the_shares(tmp_path: Path, figures: list[Figure]) -> None:
    shares = RNG.dirichlet(np.ones(12), size=10)
    save_responses(tmp_path / "a.png", shares, 3, 4)
    shown = [axes for axes in figures[0].axes if axes.get_visible()]
    assert len(shown) == 10
    np.testing.assert_array_equal(shown[7].images[0].get_array(), shares[7].reshape(3, 4))
    assert shown[7].get_xlabel() == f"{100 * shares[7].max():.2g} %"
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with pytest.raises(ValueError, match=r"one shape \(J, K\), found \(5, 9\), \(9,\), \(5, 9\)"):
        save_neurons(path, WEIGHTS, MEANS[0], SCALES, TITLES)
    with pytest.raises(ValueError, match="expected 5 titles, 9 names and 9 inputs seen, found 1"):
        save_neurons(path, WEIGHTS, MEANS, SCALES, ["a"])
    with pytest.raises(ValueError, match=r"found 5, 9 and \(2,\)"):
        save_neurons(path, WEIGHTS, MEANS, SCALES, TITLES, seen=[1, 2])
    with pytest.raises(ValueError, match=r"responses of shape \(J, 6\), found \(2, 5\)"):
        save_responses(path, np.zeros((2, 5)), 2, 3)
    with pytest.raises(ValueError, match="expected 2 titles, found 1"):
        save_responses(path, np.zeros((2, 6)), 2, 3, ["a"])
    for save in (lambda p: save_neurons(p, WEIGHTS, MEANS, SCALES, TITLES),):
        with pytest.raises(ValueError, match=r"ends in .png or .svg"):
            save(tmp_path / "a.jpg")
    assert not list(tmp_path.iterdir())
