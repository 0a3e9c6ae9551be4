"""Walkers pass their obstacle on either side, at a distance, rather where less is in the way."""

import numpy as np
import pytest

from data_prep.pedestrian import CLEARANCE, KNOWN, NOISE, SPEED, STEPS, SWAY, TIMES, paths

AHEAD = SPEED * TIMES[3]  # the walker is beside the obstacle at the fourth step


def context(aside: float, heading: float = 0.0) -> np.ndarray:
    along = np.array([np.cos(heading), np.sin(heading)])
    left = np.array([-along[1], along[0]])
    place = np.array([1.5, -2.0])
    return np.concatenate([place, along, place + AHEAD * along + aside * left])[None]


@pytest.mark.parametrize("aside", [-1.0, -0.3, 0.0, 0.5, 1.0])
def test_each_side_is_passed_at_a_distance(aside: float) -> None:
    weights, means = paths(context(aside))
    assert weights.sum() == pytest.approx(1)
    assert weights[0, 0] == pytest.approx(1 / (1 + np.exp(4 * aside)))
    left, right = means[0, :, 3, 1]
    assert left == pytest.approx(max(0, aside + CLEARANCE))
    assert right == pytest.approx(min(0, aside - CLEARANCE))
    np.testing.assert_allclose(means[0, :, :, 0], np.tile(SPEED * TIMES, (2, 1)))
    assert (np.abs(means[0, :, :, 1]).argmax(1)[np.abs([left, right]) > 0] == 3).all()


def test_a_turned_world_is_the_same_world() -> None:
    turn = 2.0
    weights, means = paths(context(0.3))
    turned_weights, turned = paths(context(0.3, turn))
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    np.testing.assert_allclose(turned, means @ matrix.T, atol=1e-12)
    np.testing.assert_allclose(turned_weights, weights)


def test_obstacles_lie_where_it_is_said() -> None:
    inputs, targets = KNOWN.draw(np.random.default_rng(0), 5000)
    along = inputs[:, 2:4]
    np.testing.assert_allclose((along**2).sum(1), 1)
    off = inputs[:, 4:6] - inputs[:, :2]
    ahead = (off * along).sum(1)
    aside = off[:, 1] * along[:, 0] - off[:, 0] * along[:, 1]
    assert ahead.min() >= 2 and ahead.max() <= 5 and np.abs(aside).max() <= 1
    assert targets.shape == (5000, 2 * STEPS) == (5000, len(KNOWN.targets))


def test_positions_of_one_walker_are_ahead_or_aside_together() -> None:
    inputs, targets = KNOWN.draw(np.random.default_rng(1), 40_000)
    weights, means = paths(inputs)
    flat = means.reshape(-1, 2, 2 * STEPS)
    side = np.square(targets[:, None] - flat).sum(-1).argmin(1)
    apart = np.abs(flat[:, 0] - flat[:, 1]).max(1) > 1.5  # told apart without fail
    rest = (targets - flat[np.arange(len(flat)), side])[apart].reshape(-1, STEPS, 2)
    along = inputs[apart, 2:4]
    aside = (rest * np.stack([-along[:, 1], along[:, 0]], 1)[:, None]).sum(-1)
    expected = NOISE**2 * np.eye(STEPS) + SWAY**2 * np.outer(TIMES, TIMES)
    np.testing.assert_allclose(np.cov(aside.T), expected, rtol=0.1, atol=2e-4)
    assert side[apart].mean() == pytest.approx(weights[apart, 1].mean(), abs=0.02)
