"""Criteria of the number of parameters, against scikit-learn."""

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from seqmdn.metrics import bic


def test_it_is_that_of_scikit_learn() -> None:
    values = np.random.default_rng(0).standard_normal((200, 2))
    mixture = GaussianMixture(2, covariance_type="diag", random_state=0).fit(values)
    likelihood = 200 * mixture.score(values)
    parameters = 1 + 2 * 2 + 2 * 2
    assert bic(likelihood, parameters, 200) == pytest.approx(mixture.bic(values))


def test_what_has_no_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="found 0 and 3"):
        bic(-1.0, 3, 0)
