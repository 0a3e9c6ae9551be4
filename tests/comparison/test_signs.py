"""The sign test against scipy's binomial test."""

import numpy as np
import pytest
from scipy.stats import binomtest

from seqmdn.comparison import sign_test


@pytest.mark.parametrize(
    ("better", "worse"), [(0, 0), (1, 0), (3, 3), (0, 9), (12, 4), (7, 8), (160, 199), (5200, 4800)]
)
@pytest.mark.parametrize("ties", [0, 5])
def test_p_values_are_those_of_scipy(better: int, worse: int, ties: int) -> None:
    found = sign_test(np.array([-0.5] * better + [2.0] * worse + [0.0] * ties))
    assert (found.better, found.worse) == (better, worse)
    n = better + worse
    expected = binomtest(better, n).pvalue if n else 1.0
    assert found.p_value == pytest.approx(expected, rel=1e-9)


def test_a_p_value_far_below_what_factorials_reach() -> None:
    found = sign_test(np.array([-1.0] * 900 + [1.0] * 100))
    assert found.p_value == pytest.approx(binomtest(900, 1000).pvalue, rel=1e-9)
    assert 0 < found.p_value < 1e-150
