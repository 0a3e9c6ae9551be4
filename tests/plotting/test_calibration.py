from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from PIL import Image

from seqmdn.plotting import CalibrationSummary, calibration_figure
from seqmdn.plotting.page import colour

RNG = np.random.default_rng(0)
LEVELS = [0.25, 0.5, 0.75]


def _model(features: int = 2, rosenblatt: bool = False) -> CalibrationSummary:
    model = CalibrationSummary(
        levels=LEVELS,
        central=[0.2, 0.4, 0.7],
        central_stderr=[0.01, 0.02, 0.03],
        highest_density=[0.3, 0.6, 0.8],
        highest_density_stderr=[0.01] * 3,
        pit={"counts": RNG.integers(90, 110, (features, 10)).tolist()},
    )
    if rosenblatt:
        model["rosenblatt"] = {"counts": RNG.integers(90, 110, (features, 10)).tolist()}
    return model


def test_what_is_on_the_page(drawn: list[Figure]) -> None:
    models = {"rmdn": _model(rosenblatt=True), "frmdn": _model()}
    calibration_figure("a.png", models, title="digits")
    (figure,) = drawn
    coverage, *panels = [axes for axes in figure.axes if axes.axison]
    assert figure.get_suptitle() == "digits"
    assert [axes.get_title("left") for axes in panels] == [
        "rmdn, PIT",
        "frmdn, PIT",
        "rmdn, Rosenblatt",
    ]
    diagonal, *curves = coverage.lines
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    for index, name in enumerate(models):
        for offset, key in enumerate(("central", "highest_density")):
            line = curves[2 * index + offset]
            assert line.get_label().startswith(f"{name}, ")
            assert same_color(line.get_color(), colour(index))
            np.testing.assert_allclose(line.get_xydata().T, [LEVELS, models[name][key]])
            edges = coverage.collections[2 * index + offset].get_paths()[0].vertices[:, 1]
            errors = np.array(models[name][f"{key}_stderr"])
            assert edges.max() == pytest.approx((np.array(models[name][key]) + 2 * errors).max())
            assert edges.min() == pytest.approx((np.array(models[name][key]) - 2 * errors).min())


def test_histograms_are_densities_with_the_band_of_chance(drawn: list[Figure]) -> None:
    model = _model()
    calibration_figure("a.png", {"rmdn": model})
    _, axes, *rest = drawn[0].axes
    counts = np.array(model["pit"]["counts"])
    mean, *features = (patch for patch in axes.patches if hasattr(patch, "get_data"))
    np.testing.assert_allclose(mean.get_data().values, (10 * counts / 1000).mean(0), rtol=0.2)
    for patch, each in zip(features, counts, strict=True):
        np.testing.assert_allclose(patch.get_data().values, 10 * each / each.sum())
    (band,) = (patch for patch in axes.patches if not hasattr(patch, "get_data"))
    frames = counts.sum(1).min()
    spread = 1.96 * np.sqrt(0.1 * 0.9 / frames) / 0.1
    assert band.get_y() == pytest.approx(1 - spread) and band.get_height() == pytest.approx(
        2 * spread
    )
    assert len(features) == 2


def test_the_band_holds_what_it_says(drawn: list[Figure]) -> None:
    counts = RNG.multinomial(2000, [0.05] * 20, size=400)
    model = _model() | {"pit": {"counts": counts.tolist()}}
    calibration_figure("a.png", {"rmdn": model})
    axes = drawn[0].axes[1]
    (band,) = (patch for patch in axes.patches if not hasattr(patch, "get_data"))
    density = 20 * counts / 2000
    inside = (density > band.get_y()) & (density < band.get_y() + band.get_height())
    assert inside.mean() == pytest.approx(0.95, abs=0.015)


def test_features_that_were_seen_less_often_or_never(drawn: list[Figure]) -> None:
    counts = [[30, 50], [100, 300], [0, 0]]
    calibration_figure("a.png", {"rmdn": _model() | {"pit": {"counts": counts}}})
    axes = drawn[0].axes[1]
    mean, *features = (patch for patch in axes.patches if hasattr(patch, "get_data"))
    np.testing.assert_allclose(mean.get_data().values, [0.625, 1.375])
    assert [patch.get_data().values.tolist() for patch in features] == [[0.75, 1.25], [0.5, 1.5]]
    (band,) = (patch for patch in axes.patches if not hasattr(patch, "get_data"))
    assert band.get_height() == pytest.approx(2 * 1.96 / np.sqrt(80))


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_nothing_lies_outside_the_page_or_on_something_else(
    drawn: list[Figure], count: int
) -> None:
    models = {f"frmdn_spline_{i}": _model(8, rosenblatt=i % 2 == 0) for i in range(count)}
    calibration_figure("a.png", models, title="a")
    (figure,) = drawn
    page, boxes = figure.bbox, [axes.get_tightbbox() for axes in figure.axes if axes.axison]
    assert len(boxes) == 1 + count + (count + 1) // 2
    for box in boxes:
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])


def test_the_file_is_small_and_the_same_each_time(tmp_path: Path) -> None:
    model = _model()
    for name in ("a", "b"):
        calibration_figure(tmp_path / f"{name}.png", {"rmdn": model})
    first, second = (tmp_path / f"{name}.png" for name in "ab")
    assert first.read_bytes() == second.read_bytes() and first.stat().st_size < 100_000
    with Image.open(first) as picture:
        assert picture.size[0] > 600
    calibration_figure(tmp_path / "a.svg", {"rmdn": model})
    assert "<svg" in (tmp_path / "a.svg").read_text()


def test_bad_input_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with pytest.raises(ValueError, match="at least one model"):
        calibration_figure(path, {})
    with pytest.raises(ValueError, match=r"ends in \.png or \.svg"):
        calibration_figure(tmp_path / "a.jpg", {"rmdn": _model()})
    with pytest.raises(ValueError, match=r"rmdn: expected central of the levels' shape \(3,\)"):
        calibration_figure(path, {"rmdn": _model() | {"central": [0.5]}})
    with pytest.raises(ValueError, match=r"pit counts \(D, bins\).*found \(10,\)"):
        calibration_figure(path, {"rmdn": _model() | {"pit": {"counts": [1] * 10}}})
    with pytest.raises(ValueError, match=r"found \(1, 10\) with \[0.0\] frames"):
        calibration_figure(path, {"rmdn": _model() | {"pit": {"counts": [[0] * 10]}}})
    assert list(tmp_path.iterdir()) == []
