"""Letters thinned, bent, slanted and resized."""

import doctest

import numpy as np

from data_prep import letters
from data_prep.letters import bend_letter, thin, vary

LETTER = [np.stack([np.linspace(0, 30, 31), 40 * np.linspace(-1, 1, 31) ** 2], 1), np.ones((1, 2))]


def test_examples() -> None:
    assert doctest.testmod(letters).failed == 0


def test_a_bend_is_smooth_and_another_each_time() -> None:
    rng = np.random.default_rng(0)
    bent = [bend_letter(LETTER, 0.06, rng) for _ in range(200)]
    assert [stroke.shape for stroke in bent[0]] == [(31, 2), (1, 2)]
    moved = np.stack([each[0] - LETTER[0] for each in bent])  # (200, 31, 2)
    height = 40
    assert 0.04 * height < moved.std(0).mean() < 0.15 * height
    assert np.abs(moved.mean(0)).max() < 4 * moved.std(0).max() / np.sqrt(200)
    # Neighbours stay neighbours: the way changes by far less than the letter.
    assert np.abs(np.diff(moved, axis=1)).max() < 0.2 * height
    np.testing.assert_array_equal(bend_letter(LETTER, 0.0, rng)[0], LETTER[0])


def test_a_larger_bend_bends_more() -> None:
    spread = [
        np.std([bend_letter(LETTER, b, np.random.default_rng(seed))[0] for seed in range(50)], 0)
        for b in (0.03, 0.06)
    ]
    np.testing.assert_allclose(spread[1], 2 * spread[0])


def test_thinning_and_varying_leave_no_point_twice() -> None:
    small = vary(LETTER, slant=0.1, size=0.05)
    assert all((np.diff(stroke, axis=0) != 0).any(axis=1).all() for stroke in small)
    assert all((stroke == np.rint(stroke)).all() for stroke in small)
    thinned = thin(LETTER, 1.0)
    assert 3 < len(thinned[0]) < 31 and len(thinned[1]) == 1
