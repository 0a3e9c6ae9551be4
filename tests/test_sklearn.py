"""The scikit-learn estimator: the manners, and what it says of known data."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from seqmdn.sklearn import MDNRegressor

SMALL = {"hidden": (8,), "max_epochs": 4, "components": 2, "random_state": 0}


def branches(count: int = 1500, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """y is x + 1 or -x - 1, with noise 0.1."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 2, (count, 1))
    return x, rng.choice([-1, 1], count) * (x[:, 0] + 1) + 0.1 * rng.standard_normal(count)


@pytest.fixture(scope="module")
def fitted() -> MDNRegressor:
    return MDNRegressor(components=2, hidden=(32,), random_state=0).fit(*branches())


def test_it_passes_the_checks_of_scikit_learn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of checks that are skipped, and of what they do
        check_estimator(
            MDNRegressor(**SMALL),
            expected_failed_checks={
                "check_sample_weight_equivalence_on_dense_data": "batches and the rows that are set"
                " aside are drawn from the rows, as scikit-learn's own network does",
            },
        )


def test_the_density_is_that_of_the_data(fitted: MDNRegressor) -> None:
    x, y = branches(seed=1)
    truth = np.log(0.5 * (norm.pdf(y, x[:, 0] + 1, 0.1) + norm.pdf(y, -x[:, 0] - 1, 0.1))).mean()
    assert truth - 0.1 < fitted.score(x, y) < truth + 0.02
    one = np.array([[1.0]])
    assert abs(fitted.predict(one)[0]) < 0.5, "between the two"
    assert abs(fitted.predict(one, point="mode")[0]) == pytest.approx(2, abs=0.1)
    low, high = fitted.predict_interval(one, level=0.5)[0]
    assert low == pytest.approx(-2, abs=0.2) and high == pytest.approx(2, abs=0.2)
    draws = fitted.sample(one, 4000, random_state=0)[:, 0]
    assert draws.mean() == pytest.approx(fitted.predict(one)[0], abs=0.2)
    assert abs(draws).mean() == pytest.approx(2, abs=0.1)
    inside = fitted.predict_interval(x, level=0.9)
    assert ((y > inside[:, 0]) & (y < inside[:, 1])).mean() == pytest.approx(0.9, abs=0.03)


def test_shapes_follow_the_targets(fitted: MDNRegressor) -> None:
    x, y = branches(60)
    assert fitted.predict_quantiles(x, (0.1, 0.5, 0.9)).shape == (60, 3)
    median = fitted.predict(x, point="median")
    np.testing.assert_allclose(fitted.predict_quantiles(x, [0.5])[:, 0], median)
    two = MDNRegressor(**SMALL, members=2).fit(x, np.stack([y, 100 + 7 * y], axis=1))
    for point in ("mean", "median", "mode"):
        assert two.predict(x, point=point).shape == (60, 2)
    assert two.predict_interval(x).shape == (60, 2, 2) and two.sample(x, 3).shape == (3, 60, 2)
    density = two.predict_distribution(x)
    assert density.component_distribution.batch_shape == (60, 4)
    assert (two.predict(x)[:, 1] > 50).all()
    part = density.condition(torch.full((60, 2), 100.0).double(), torch.tensor([False, True]))
    assert part.event_shape == (1,)


def test_the_unit_of_the_targets_is_that_of_the_answers(fitted: MDNRegressor) -> None:
    x, y = branches()
    other = MDNRegressor(components=2, hidden=(32,), random_state=0).fit(x, 1e6 + 1000 * y)
    found = other.predict_quantiles(x[:20])
    np.testing.assert_allclose(found, 1e6 + 1000 * fitted.predict_quantiles(x[:20]), rtol=1e-4)
    expected = fitted.score(x, y) - np.log(1000)
    assert other.score(x, 1e6 + 1000 * y) == pytest.approx(expected, abs=0.02)


def test_it_is_cloned_pickled_and_searched() -> None:
    x, y = branches(120)
    model = MDNRegressor(**SMALL).fit(x, y)
    again = clone(model).fit(x, y)
    np.testing.assert_array_equal(model.predict(x), again.predict(x))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(x), model.predict(x))
    pipeline = make_pipeline(StandardScaler(), MDNRegressor(**SMALL))
    search = GridSearchCV(pipeline, {"mdnregressor__components": [1, 2]}, cv=2).fit(x, y)
    assert search.best_params_["mdnregressor__components"] in (1, 2)
    assert np.isfinite(cross_val_score(pipeline, x, y, cv=2)).all()


def test_training_stops_where_it_gets_no_better() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((60, 4)), rng.standard_normal(60)
    model = MDNRegressor(components=3, max_epochs=400, patience=5, random_state=0).fit(x, y)
    scores = model.validation_scores_
    assert len(scores) < 400 and int(np.argmax(scores)) == len(scores) - 6
    kept = MDNRegressor(**SMALL, validation_fraction=0).fit(x, y)
    assert kept.validation_scores_ == []


def test_weights_say_what_is_learnt() -> None:
    x = np.zeros((200, 1))
    y = np.repeat([0.0, 10.0], 100) + 0.1 * np.random.default_rng(0).standard_normal(200)
    options = {"components": 2, "hidden": (4,), "random_state": 0}
    for share in (0.2, 0.8):
        weight = np.repeat([1 - share, share], 100)
        model = MDNRegressor(**options, learning_rate=0.03).fit(x, y, sample_weight=weight)
        assert model.predict(x[:1])[0] == pytest.approx(10 * share, abs=0.8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"components": 30}, "at least 30 rows to learn from.*found 18 of n_samples = 20"),
        ({"components": 0}, "components must be at least 1, found 0"),
        ({"validation_fraction": 1.0}, r"validation_fraction must lie in \[0, 1\), found 1.0"),
        ({"learning_rate": 0.0}, "learning_rate must be positive, found 0.0"),
        ({"hidden": (0,)}, r"hidden must be widths of 1 or more, found \[0\]"),
    ],
)
def test_what_cannot_be_learnt_is_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MDNRegressor(**(SMALL | options)).fit(*branches(20))


def test_points_and_levels_that_are_none_are_refused(fitted: MDNRegressor) -> None:
    with pytest.raises(ValueError, match="point must be 'mean', 'median' or 'mode', found 'top'"):
        fitted.predict([[1.0]], point="top")
    with pytest.raises(ValueError, match=r"level must lie inside \(0, 1\), found 90"):
        fitted.predict_interval([[1.0]], level=90)
