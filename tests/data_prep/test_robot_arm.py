"""The arm of two joints: both pairs of angles reach the place, and either is as likely."""

import numpy as np
import pytest
from scipy import stats

from data_prep.robot_arm import FAR, KNOWN, NEAR, NOISE, angles, hand


def test_both_pairs_of_angles_reach_the_place() -> None:
    place, _ = KNOWN.draw(np.random.default_rng(0), 5000)
    joints = angles(place)
    np.testing.assert_allclose(hand(joints), np.repeat(place[:, None], 2, axis=1), atol=1e-12)
    np.testing.assert_allclose(joints[:, 0, 1], -joints[:, 1, 1])
    assert (joints[:, 0, 1] > 0.9).all(), "the elbow is never nearly straight"
    np.testing.assert_allclose(hand(np.array([0.0, np.pi / 2])), [1.0, 0.8], atol=1e-12)


def test_places_are_even_over_the_half_ring() -> None:
    place, _ = KNOWN.draw(np.random.default_rng(1), 20_000)
    area = ((place**2).sum(1) - NEAR**2) / (FAR**2 - NEAR**2)
    assert stats.kstest(area, "uniform").pvalue > 1e-3
    toward = np.arctan2(place[:, 1], place[:, 0]) / np.pi
    assert stats.kstest(toward, "uniform").pvalue > 1e-3


def test_either_elbow_is_measured_with_noise() -> None:
    place, joints = KNOWN.draw(np.random.default_rng(2), 20_000)
    apart = joints[:, None] - angles(place)
    side = np.abs(apart[..., 1]).argmin(1)
    assert side.mean() == pytest.approx(0.5, abs=4 * 0.5 / 20_000**0.5)
    rest = apart[np.arange(20_000), side] / NOISE
    for angle in range(2):
        assert stats.kstest(rest[:, angle], "norm").pvalue > 1e-3
    # The elbows are so far apart that this is the entropy of a coin and two Gaussians.
    entropy = np.log(2) + np.log(2 * np.pi * np.e * NOISE**2)
    each = KNOWN.log_density(place, joints)
    assert -each.mean() == pytest.approx(entropy, abs=4 * each.std() / 20_000**0.5)
