"""Gaussian processes, against scikit-learn and what is drawn from them."""

import doctest
import math

import numpy as np
import pytest
from scipy.stats import kstest, multivariate_normal, norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, ExpSineSquared, Matern

import data_prep.processes
from data_prep.processes import (
    KERNELS,
    LENGTHS,
    NOISE,
    PERIODS,
    SCALES,
    Process,
    draw_tasks,
    log_density,
    marginal_log_density,
    predictive,
)

PROCESSES = {
    "rbf": (Process("rbf", 0.3, 0.7), RBF(0.3)),
    "matern": (Process("matern", 0.4, 0.7), Matern(0.4, nu=2.5)),
    "periodic": (Process("periodic", 0.2, 0.7, 0.8), ExpSineSquared(1.0, 0.8) * RBF(3 * 0.2)),
}


@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_and_predictions_are_scikit_learns(kernel: str) -> None:
    process, shape = PROCESSES[kernel]
    expected = ConstantKernel(0.7**2) * shape
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-2, 2, 20), rng.standard_normal(20)
    covariance = process.covariance(x, x[:5])
    np.testing.assert_allclose(covariance, expected(x[:, None], x[:5, None]), atol=1e-12)
    regressor = GaussianProcessRegressor(expected, alpha=NOISE**2, optimizer=None)
    regressor.fit(x[:12, None], y[:12])
    mean, deviation = regressor.predict(x[12:, None], return_std=True)
    found = predictive(process, x[:12], y[:12], x[12:])
    np.testing.assert_allclose(found[0], mean, atol=1e-6)
    np.testing.assert_allclose(found[1], deviation**2 + NOISE**2, atol=1e-8)


def test_nothing_given_is_the_prior() -> None:
    mean, variance = predictive(Process("rbf", 0.3, 0.7), np.empty(0), np.empty(0), np.ones(3))
    assert mean.tolist() == [0, 0, 0] and variance == pytest.approx(0.7**2 + NOISE**2)
    with pytest.raises(ValueError, match="without an offset, found 1"):
        predictive(Process("rbf", 0.3, 0.7, offset=1.0), np.empty(0), np.empty(0), np.ones(3))


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_truth_is_calibrated_on_what_is_drawn(kernel: str) -> None:
    x, y, processes, _ = draw_tasks(np.random.default_rng(1), 400, [kernel])
    levels = []
    for places, values, process in zip(x, y, processes, strict=True):
        mean, variance = predictive(process, places[:20], values[:20], places[20:21])
        levels.append(norm.cdf(values[20], mean[0], math.sqrt(variance[0])))
    assert kstest(levels, "uniform").pvalue > 0.01


def test_an_offset_is_up_or_down_point_by_point() -> None:
    plain = draw_tasks(np.random.default_rng(2), 50)
    moved = draw_tasks(np.random.default_rng(2), 50, offset=1.5)
    np.testing.assert_array_equal(plain[0], moved[0])
    signs = (moved[1] - plain[1]) / 1.5
    np.testing.assert_allclose(signs, moved[3], atol=1e-12)
    assert set(moved[3].flatten().tolist()) == {-1.0, 1.0}
    assert abs(signs.mean()) < 4 / math.sqrt(signs.size)
    assert all(process.offset == 1.5 for process in moved[2])


def test_who_is_told_the_sides_of_given_points_knows_the_rest_as_two_branches() -> None:
    process = Process("rbf", 0.4, 0.8, offset=1.5)
    (x,), (y,), _, (signs,) = draw_tasks(np.random.default_rng(4), 1, ["rbf"], offset=1.5)
    found = log_density(process, x, y, 20, signs)
    flat = process._replace(offset=0.0)
    mean, variance = predictive(flat, x[:20], (y - 1.5 * signs)[:20], x[20:])
    branches = [norm.pdf(y[20:], mean + side, np.sqrt(variance)) for side in (-1.5, 1.5)]
    np.testing.assert_allclose(found, np.log(np.mean(branches, axis=0)), rtol=1e-9)
    # What is asked for stays unread, and whoever is told nothing is refused.
    np.testing.assert_array_equal(log_density(process, x, y, 20, signs[:20]), found)
    with pytest.raises(ValueError, match="without an offset, found 1.5"):
        log_density(process, x, y, 20)


@pytest.mark.parametrize("kernel", KERNELS)
def test_of_a_kernel_alone_the_density_is_a_mean_over_processes(kernel: str) -> None:
    (x,), (y,), _, _ = draw_tasks(np.random.default_rng(5), 1, [kernel])
    found = marginal_log_density(kernel, x[:9], y[:9], 7, np.random.default_rng(6))
    rng = np.random.default_rng(6)
    numbers = [rng.uniform(*bounds, 7) for bounds in (LENGTHS, SCALES, PERIODS)]
    each = [
        multivariate_normal.pdf(
            y[:9], cov=Process(kernel, *of).covariance(x[:9], x[:9]) + NOISE**2 * np.eye(9)
        )
        for of in zip(*numbers, strict=True)
    ]
    assert found == pytest.approx(math.log(np.mean(each)), rel=1e-9)
    assert marginal_log_density(kernel, x[:0], y[:0], 7, rng) == pytest.approx(0)


@pytest.mark.parametrize("text", ["", "rbf", "linear length=1 scale=1", "rbf length=a scale=1"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected the text of a task, such as"):
        Process.read(text)


@pytest.mark.parametrize("kernel", KERNELS)
def test_texts_are_read_as_they_were_written(kernel: str) -> None:
    for process in draw_tasks(np.random.default_rng(3), 5, [kernel])[2]:
        assert Process.read(process.write()) == process


def test_examples() -> None:
    assert doctest.testmod(data_prep.processes).failed == 0
