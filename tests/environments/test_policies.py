"""Policies: random walks within bounds, the same ones from the same seed."""

import numpy as np
import pytest

from seqmdn.environments import Brownian


def walk(policy: Brownian, seed: int, steps: int) -> np.ndarray:
    policy.begin(seed)
    return np.stack([policy(None) for _ in range(steps)])


def test_steps_are_normal_of_variance_dt() -> None:
    # The bounds are far: a walk is there seldom.
    actions = walk(Brownian([-100] * 3, [100] * 3, dt=0.04), 1, 20_001)
    steps = np.diff(actions.astype(float), axis=0)
    assert steps.std() == pytest.approx(0.2, rel=0.02)
    assert abs(steps.mean()) < 0.005
    assert np.abs(np.corrcoef(steps.T) - np.eye(3)).max() < 0.03


def test_actions_stay_within_their_bounds_and_reach_them() -> None:
    low, high = np.array([-1, 0, 0]), np.array([1, 1, 1])
    actions = walk(Brownian(low, high), 0, 5000)
    assert actions.dtype == np.float32 and actions.shape == (5000, 3)
    assert (actions.min(0) == low).all() and (actions.max(0) == high).all()


def test_the_first_action_is_uniform() -> None:
    policy = Brownian([-1, 0], [1, 4])
    first = np.stack([walk(policy, seed, 1)[0] for seed in range(2000)])
    np.testing.assert_allclose(first.mean(0), [0, 2], atol=0.1)
    np.testing.assert_allclose(first.var(0), [4 / 12, 16 / 12], rtol=0.1)


def test_an_episode_follows_from_its_seed() -> None:
    policy = Brownian([-1, 0], [1, 1])
    first, other = walk(policy, 3, 50), walk(policy, 4, 50)
    np.testing.assert_array_equal(walk(policy, 3, 50), first)
    np.testing.assert_array_equal(walk(Brownian([-1, 0], [1, 1]), 3, 50), first)
    assert (first != other).any(axis=1).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], [1, 1]), "expected low to be below high"),
        (([0, 1], [1]), "expected low to be below high"),
        (([0], [1], 0), "expected dt to be positive, found 0"),
        (([0], [1], np.nan), "expected dt to be positive, found nan"),
    ],
)
def test_other_bounds_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Brownian(*arguments)


def test_no_action_before_an_episode() -> None:
    with pytest.raises(ValueError, match=r"expected begin\(seed\) before the first action"):
        Brownian([0], [1])(None)
