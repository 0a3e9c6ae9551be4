"""What the tests of pictures share."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from seqmdn.plotting import calibration, comparison, curves, horizons, pareto, selection, sweep


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Keep the figures that are written, laid out as on paper."""
    figures: list[Figure] = []

    def keep(figure: Figure, path: Path) -> None:
        figure.draw_without_rendering()
        figures.append(figure)

    for page in (calibration, comparison, curves, horizons, pareto, selection, sweep):
        monkeypatch.setattr(page, "write", keep)
    return figures
