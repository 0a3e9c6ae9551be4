"""Episodes: what belongs to which frame, where they end, and actions that are refused."""

import numpy as np
import pytest

from seqmdn.environments import Brownian, play, rollout
from tests.environments.walk import Told, Walk


def test_each_row_is_of_one_frame() -> None:
    environment, policy = Walk(), Told()
    frames, actions, rewards, ends = rollout(environment, policy, seed=3, steps=5)
    assert (frames.shape, frames.dtype) == ((6, 64, 64, 3), np.uint8)
    assert frames[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]
    # Row t: what was done after frame t - 1, and what it brought.
    np.testing.assert_allclose(actions[0], 0)
    np.testing.assert_allclose(actions[1:, 0], np.arange(5) / 100)
    np.testing.assert_allclose(actions[1:, 1], 0.5)
    assert rewards.tolist() == [0, 1, 2, 3, 4, 5]
    assert policy.rewards == [0, 1, 2, 3, 4], "a policy knows the reward of what it sees"
    assert (actions.dtype, rewards.dtype, ends.dtype) == (np.float32, np.float32, np.bool_)
    assert not ends.any()


def test_an_end_is_marked_and_a_cut_is_not() -> None:
    ended = rollout(Walk(end=3), Told(), seed=0, steps=5)
    assert ended.ends.tolist() == [False, False, False, True]
    cut = rollout(Walk(cut=3), Told(), seed=0, steps=5)
    assert cut.ends.tolist() == [False] * 4
    # An episode that ends with its last step has ended.
    assert rollout(Walk(end=5, cut=5), Told(), seed=0, steps=5).ends[-1]


def test_the_policy_has_a_seed_of_its_own() -> None:
    environment, policy = Walk(), Told()
    seeds = []
    for seed in (7, 8, 2**63 - 1):
        rollout(environment, policy, seed, steps=1)
        assert environment.seed == seed
        seeds.append(policy.seed)
    assert len({*seeds, 7, 8}) == 5
    rollout(environment, policy, 7, steps=1)
    assert policy.seed == seeds[0]


def test_playing_keeps_nothing() -> None:
    steps = play(Walk(), Told(), seed=0, steps=4)
    assert sum(step.reward for step in steps) == 10
    environment = Walk()
    next(play(environment, Told(), seed=0))
    assert environment.taken == []


@pytest.mark.parametrize(
    ("action", "found"),
    [
        ([0.0], r"\[0.0\] of shape \(1,\)"),
        ([[0.0, 0.0]], r"\[\[0.0, 0.0\]\] of shape \(1, 2\)"),
        ([-1.5, 0.0], r"\[-1.5, 0.0\]"),
        ([0.0, np.nan], r"\[0.0, nan\]"),
        ([np.inf, 0.0], r"\[inf, 0.0\]"),
    ],
)
def test_another_action_is_refused(action: list, found: str) -> None:
    class Wrong(Told):
        def __call__(self, frame: np.ndarray, reward: float) -> np.ndarray:
            return np.array(action)

    environment = Walk()
    with pytest.raises(ValueError, match=r"action of shape \(2,\) between .*found " + found):
        rollout(environment, Wrong(), seed=0)
    assert environment.taken == []


def test_random_actions_are_within_the_bounds() -> None:
    environment = Walk()
    rollout(environment, Brownian([-1, 0], [1, 1]), seed=0, steps=200)
    assert len(environment.taken) == 200
