"""Bishop's inverse problem: the density of x given y is that of Bayes' rule."""

import numpy as np
import pytest
from scipy import integrate, stats

from data_prep.inverse_sine import KNOWN, NOISE, curve


def density(y: float, x: np.ndarray) -> np.ndarray:
    return np.exp(KNOWN.log_density(np.full((len(x), 1), y), x[:, None]))


@pytest.mark.parametrize("y", [-0.05, 0.1, 0.3, 0.5, 0.77, 1.0])
def test_the_density_is_that_of_bayes_rule(y: float) -> None:
    def joint(x: float) -> float:
        return float(stats.norm.pdf(y, curve(np.array(x)), NOISE))

    points = np.linspace(0, 1, 40)
    evidence = integrate.quad(joint, 0, 1, points=points[1:-1], limit=200, epsabs=0)[0]
    expected = [joint(x) / evidence for x in points]
    np.testing.assert_allclose(density(y, points), expected, rtol=1e-9)
    assert (density(y, np.array([-0.01, 1.01])) == 0).all()


def test_one_half_comes_from_three_places() -> None:
    x = np.linspace(0, 1, 20_001)
    found = density(0.5, x)
    modes = x[1:-1][(found[1:-1] > found[:-2]) & (found[1:-1] > found[2:])]
    np.testing.assert_allclose(modes, [0.2, 0.5, 0.8], atol=0.02)
    assert integrate.trapezoid(found, x) == pytest.approx(1, abs=1e-6)


def test_rows_are_drawn_from_it() -> None:
    y, x = KNOWN.draw(np.random.default_rng(0), 20_000)
    assert stats.kstest(x[:, 0], "uniform").pvalue > 1e-3
    rest = (y - curve(x))[:, 0] / NOISE
    assert stats.kstest(rest, "norm").pvalue > 1e-3
    # Of the rows near y = 0.5, as many come from the middle as the density says.
    grid = np.linspace(0, 1, 4001)
    inside = density(0.5, grid)[(grid > 0.35) & (grid < 0.65)].mean() * 0.3
    near = np.abs(y[:, 0] - 0.5) < 0.01
    middle = ((x > 0.35) & (x < 0.65))[near].mean()
    assert middle == pytest.approx(inside, abs=4 * 0.5 / near.sum() ** 0.5)
