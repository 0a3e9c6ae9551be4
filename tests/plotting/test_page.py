import io
import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import same_color, to_rgb
from matplotlib.figure import Figure
from PIL import Image

from seqmdn.plotting import comparison_figure, curves_figure, pareto_figure, sweep_figure
from seqmdn.plotting.comparison import ModelSummary
from seqmdn.plotting.curves import CurveSummary
from seqmdn.plotting.page import INK, check_ending, colour, line_style, shaded, style, write
from seqmdn.plotting.pareto import CostSummary
from seqmdn.plotting.sweep import CellSummary


def _figure(values: np.ndarray | None = None) -> Figure:
    with style():
        figure = Figure(figsize=(2.0, 1.0))
        axes = figure.add_subplot()
        if values is None:
            axes.plot([0, 1], [0, 1], color=colour(1))
        else:
            axes.imshow(values)
    return figure


@pytest.mark.parametrize("name", ["a.png", "a.PNG", "a.svg"])
def test_same_figure_same_bytes(tmp_path: Path, name: str) -> None:
    for folder in ("one", "two"):
        with style():
            write(_figure(), tmp_path / folder / name)
    first, second = (tmp_path / folder / name for folder in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    assert [each.name for each in first.parent.iterdir()] == [name]


def test_lines_need_few_colours_and_photographs_keep_theirs(tmp_path: Path) -> None:
    write(_figure(), tmp_path / "line.png")
    write(_figure(np.random.default_rng(0).random((60, 60, 3))), tmp_path / "photograph.png")
    with Image.open(tmp_path / "photograph.png") as photograph:
        assert photograph.mode == "RGB" and photograph.size == (220, 110)
    with Image.open(tmp_path / "line.png") as line:
        assert line.mode == "P" and line.size == (220, 110)
        pixels = np.asarray(line.convert("RGB")) / 255.0
    assert (np.abs(pixels - to_rgb(colour(1))).max(axis=-1) < 0.03).sum() > 50


def test_svg_is_svg(tmp_path: Path) -> None:
    write(_figure(), tmp_path / "a.svg")
    assert "<svg" in (tmp_path / "a.svg").read_text()


@pytest.mark.parametrize("name", ["a.pdf", "a", "png", "a.png.gz"])
def test_other_endings_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"ends in .png or .svg; found '{name}'"):
        check_ending(name)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    (tmp_path / "folder.png").mkdir()
    for place in (tmp_path / "file" / "a.png", tmp_path / "folder.png"):
        with pytest.raises(
            OSError, match=f"cannot write the picture .*{place.name}.*can be written"
        ):
            write(_figure(), place)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.png"]
    assert (tmp_path / "file").read_text() == "precious"


def test_an_interruption_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.png"
    target.write_text("old")

    def interrupted(path: Path, content: bytes) -> None:
        with io.FileIO(path, "w") as file:
            file.write(content[:10])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(_figure(), target)
    assert os.listdir(tmp_path) == ["a.png"] and target.read_text() == "old"


def test_style_ends_with_its_block() -> None:
    before = dict(matplotlib.rcParams)
    with style():
        assert dict(matplotlib.rcParams) != before
    assert dict(matplotlib.rcParams) == before


def test_no_two_models_look_alike() -> None:
    looks = [(colour(index), line_style(index)) for index in range(24)]
    assert len(set(looks)) == len(looks)


def test_the_limit_looks_alike_in_every_picture(drawn: list[Figure]) -> None:
    steps = np.array([1.0, 2.0, 3.0])
    curve = CurveSummary(steps=[(steps, steps)], seconds=[(steps, steps)])
    cost = CostSummary(nll=2.0, stderr=0.1, params=5, seconds=1.0)
    cell = CellSummary(model="rmdn", settings={"rank": "1"}, nll=2.0, error=0.0)
    model = ModelSummary(nll=2.0, stderr=0.1, curve=[(steps, steps)])
    curves_figure("a.png", {"rmdn": curve}, "nats/frame", limit=-3.0)
    pareto_figure("a.png", {"rmdn": cost}, "nats/frame", limit=-3.0)
    sweep_figure("a.png", [cell], ["rank"], "nats/frame", limit=-3.0)
    comparison_figure("a.png", {"rmdn": model}, "nats/frame", limit=-3.0, limit_valid=-3.0)
    found = []
    for figure in drawn:
        lines = [line for axes in figure.axes for line in axes.lines]
        data = [(list(line.get_xdata()), list(line.get_ydata())) for line in lines]
        own = [line for line, both in zip(lines, data, strict=True) if [-3.0, -3.0] in both]
        assert len(own) == (1 if figure is drawn[2] else 2)
        found += own
        for legend in figure.legends:
            found += [line for line in legend.get_lines() if line.get_label() == "limit"]
    assert len(found) == 9
    for line in found:
        assert same_color(line.get_color(), INK) and line.get_linewidth() == 0.9
        assert line.get_linestyle() == "--", "no line of a model: a limit is dashed"


@pytest.mark.parametrize("index", range(6))
def test_words_stand_out_from_white(index: int) -> None:
    assert _contrast(shaded(colour(index))) > 3.0


def _contrast(rgb: tuple[float, float, float]) -> float:
    """Compare with white, as the web's accessibility guidelines (WCAG 2) do."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb]
    return 1.05 / (float(np.dot(linear, [0.2126, 0.7152, 0.0722])) + 0.05)


def test_importing_needs_no_display() -> None:
    script = "import sys, seqmdn.plotting; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
