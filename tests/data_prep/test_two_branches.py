"""Two branches: as likely as each other, and as random as the closed form says."""

import numpy as np
import pytest
from scipy import integrate

from data_prep.two_branches import ENTROPY, KNOWN


def test_the_truth_scores_its_entropy() -> None:
    x, y = KNOWN.draw(np.random.default_rng(0), 50_000)
    each = KNOWN.log_density(x, y)
    assert pytest.approx(-0.1905, abs=1e-4) == ENTROPY
    assert -each.mean() == pytest.approx(ENTROPY, abs=4 * each.std() / 50_000**0.5)
    assert (y > 0).mean() == pytest.approx(0.5, abs=4 * 0.5 / 50_000**0.5)
    assert x.min() > 0 and x.max() < 1 and x.mean() == pytest.approx(0.5, abs=0.01)
    apart = np.abs(y) - (x + 1)
    assert apart.mean() == pytest.approx(0, abs=2e-3) and apart.std() == pytest.approx(0.1, 0.02)


@pytest.mark.parametrize("x", [0.0, 0.4, 1.0])
def test_the_density_integrates_to_1(x: float) -> None:
    def density(y: float) -> float:
        return float(np.exp(KNOWN.log_density(np.array([[x]]), np.array([[y]])))[0])

    peaks = [-x - 1, x + 1]
    assert integrate.quad(density, -4, 4, points=peaks)[0] == pytest.approx(1, abs=1e-8)
    assert density(peaks[0]) == pytest.approx(density(peaks[1])) == pytest.approx(1.9947, abs=1e-4)
