from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure, FigureBase
from PIL import Image

from seqmdn.plotting import comparison, comparison_figure
from seqmdn.plotting.comparison import ModelSummary
from seqmdn.plotting.page import colour
from seqmdn.plotting.rows import Row

RNG = np.random.default_rng(0)
STEPS = np.arange(10, 201, 10)
IMAGES = {"kind": "image", "height": 8, "width": 8, "levels": 1}


def _model(nll: float, seeds: int = 1, samples: bool = True) -> ModelSummary:
    curves = [(STEPS, nll + 100.0 * np.exp(-STEPS / 20.0) + seed) for seed in range(seeds)]
    model = ModelSummary(nll=nll, stderr=0.25, curve=curves)
    if samples:
        model["samples"] = RNG.random((20, 8, 8))
    return model


def test_what_is_on_the_page(drawn: list[Figure]) -> None:
    models = {"rmdn": _model(-90.0), "frmdn": _model(-80.5)}
    comparison_figure(
        "a.png",
        models,
        "nats/image",
        real=RNG.random((20, 8, 8)),
        attributes=IMAGES,
        limit=-93.25,
        limit_valid=-95.5,
        title="pixels/digits",
    )
    (figure,) = drawn
    curves, dots, pictures = figure.axes
    assert figure.get_suptitle() == "pixels/digits"
    assert curves.get_xlabel() == "step" and curves.get_ylabel() == "validation NLL (nats/image)"
    assert dots.get_xlabel() == "NLL (nats/image), lower is better"
    assert [text.get_text() for text in dots.get_yticklabels()] == ["rmdn", "frmdn"]
    words = [text.get_text() for text in dots.texts]
    assert words == ["−90.00 ± 0.50", "−80.50 ± 0.50", "limit −93.25"]
    assert [text.get_text() for text in pictures.get_yticklabels()] == ["real", "rmdn", "frmdn"]
    for index, (line, model) in enumerate(zip(curves.lines, models.values(), strict=False)):
        assert same_color(line.get_color(), colour(index))
        np.testing.assert_array_equal(line.get_xdata(), STEPS)
        np.testing.assert_array_equal(line.get_ydata(), model["curve"][0][1])
        place = dots.containers[index].lines[0].get_xydata().tolist()
        assert place == [[model["nll"], index]]
        (bar,) = dots.containers[index].lines[2][0].get_segments()
        np.testing.assert_allclose(bar[:, 0], [model["nll"] - 0.5, model["nll"] + 0.5])
    assert curves.lines[-1].get_ydata() == [-95.5, -95.5]  # each split's own
    assert dots.lines[-1].get_xdata() == [-93.25, -93.25]


def test_the_limit_of_the_test_is_none_of_the_validation(drawn: list[Figure]) -> None:
    comparison_figure("a.png", {"rmdn": _model(5.0, samples=False)}, "nats/frame", limit=-4.0)
    curves, dots = drawn[0].axes
    assert len(curves.lines) == 1 and curves.get_ylim()[0] > 0.0
    assert dots.lines[-1].get_xdata() == [-4.0, -4.0]


def test_every_row_holds_its_own_sequences(
    drawn: list[Figure], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Row] = []
    draw = comparison.gallery

    def keep(figure: FigureBase, rows: list[Row], attributes: dict) -> None:
        shown.extend(rows)
        draw(figure, rows, attributes)

    monkeypatch.setattr(comparison, "gallery", keep)
    models = {"rmdn": _model(5.0), "frmdn": _model(4.0)}
    values = {name: RNG.normal(size=(3, 9, 2)) for name in ("real", *models)}
    for name, model in models.items():
        model["samples"], model["lengths"] = values[name], [9, 4, 6]
    comparison_figure("a.png", models, "nats/frame", real=values["real"], real_lengths=[5, 9, 2])
    assert [row.name for row in shown] == ["real", "rmdn", "frmdn"]
    for row, lengths in zip(shown, ([5, 9, 2], [9, 4, 6], [9, 4, 6]), strict=True):
        for found, frames, end in zip(row.sequences, values[row.name], lengths, strict=True):
            np.testing.assert_array_equal(found, frames[:end])


def test_the_axis_shows_the_limit_and_all_but_the_start(drawn: list[Figure]) -> None:
    model = _model(5.0, samples=False)
    comparison_figure("a.png", {"rmdn": model}, "nats/frame", limit_valid=-4.0)
    low, high = drawn[0].axes[0].get_ylim()
    values = 5.0 + 100.0 * np.exp(-STEPS / 20.0)
    assert low < -4.0 and values[1] < high < values[0]


def test_several_seeds_are_a_mean_and_a_band(drawn: list[Figure]) -> None:
    comparison_figure("a.png", {"rmdn": _model(5.0, seeds=3, samples=False)}, "nats/frame")
    curves = drawn[0].axes[0]
    (line,), (band,) = curves.lines, curves.collections
    np.testing.assert_allclose(line.get_ydata(), 6.0 + 100.0 * np.exp(-STEPS / 20.0))
    edges = band.get_paths()[0].vertices
    assert edges[:, 1].min() == pytest.approx(5.0 + 100.0 * np.exp(-10.0))
    assert edges[:, 1].max() == pytest.approx(7.0 + 100.0 * np.exp(-0.5))


def test_seeds_that_stopped_elsewhere_are_a_line_each(drawn: list[Figure]) -> None:
    model = _model(5.0, seeds=2, samples=False)
    model["curve"] = [model["curve"][0], tuple(part[:7] for part in model["curve"][1])]
    comparison_figure("a.png", {"rmdn": model}, "nats/frame")
    curves = drawn[0].axes[0]
    assert [len(line.get_xdata()) for line in curves.lines] == [20, 7]
    assert not curves.collections


def test_without_samples_there_is_no_row_of_them(drawn: list[Figure]) -> None:
    comparison_figure("a.png", {"rmdn": _model(5.0, samples=False)}, "nats/frame")
    assert len(drawn[0].axes) == 2


def test_series_are_drawn_below(drawn: list[Figure]) -> None:
    models = {"rmdn": _model(5.0), "frmdn": _model(4.0)}
    comparison_figure("a.png", models, "nats/frame", real=RNG.random((1, 9, 8)))
    assert len(drawn[0].axes) == 2 + 3 * 4


@pytest.mark.parametrize("curve", [[], [([], [])], [([5], [2.0])], [(STEPS, STEPS * np.nan)]])
def test_a_run_without_a_curve_is_still_drawn(tmp_path: Path, curve: list) -> None:
    model = ModelSummary(nll=float("nan"), stderr=float("nan"), curve=curve)
    comparison_figure(tmp_path / "a.png", {"rmdn": model, "frmdn": _model(4.0)}, "nats/frame")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size[0] > 1000


def test_nothing_lies_outside_the_page_or_on_something_else(drawn: list[Figure]) -> None:
    models = {f"frmdn_conditional_{index}": _model(75.0 + index) for index in range(8)}
    comparison_figure("a.png", models, "nats/frame", attributes=IMAGES, limit=73.0, title="a")
    (figure,) = drawn
    page = figure.bbox
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    for box in boxes:
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])


def test_the_file_is_small_and_the_same_each_time(tmp_path: Path) -> None:
    models = {name: _model(nll) for name, nll in [("rmdn", 9.0), ("frmdn", 8.0), ("third", 7.5)]}
    for name in ("a", "b"):
        comparison_figure(tmp_path / f"{name}.png", models, "nats/frame")
    first, second = (tmp_path / f"{name}.png" for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size < 200_000


def test_bad_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one model"):
        comparison_figure(tmp_path / "a.png", {}, "nats/frame")
    with pytest.raises(ValueError, match=r"ends in \.png or \.svg"):
        comparison_figure(tmp_path / "a.jpg", {"rmdn": _model(1.0)}, "nats/frame")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="cannot write the picture"):
        comparison_figure(tmp_path / "file" / "a.png", {"rmdn": _model(1.0)}, "nats/frame")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
