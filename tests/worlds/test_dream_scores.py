"""Scores in dreams: those of each controller by itself, up to each dream's end."""

import numpy as np
import pytest

from seqmdn.worlds import Dream, LinearController, score_in_dreams
from tests.worlds.small import small_world


def test_a_score_is_the_mean_of_what_each_dream_earned_before_it_was_over() -> None:
    world, dreams, steps = small_world(ends=-1.5), 6, 10
    controller = LinearController(world.observation)
    candidates = np.random.default_rng(0).normal(size=(4, controller.size))
    found = score_in_dreams(world, controller, candidates, dreams, steps, seed=3)
    dream = Dream(world, 4 * dreams, steps=steps)
    dream.begin(seed=3)
    earned = np.zeros((4, dreams))
    over = np.zeros((4, dreams), bool)
    for _ in range(steps):
        actions = np.zeros((4, dreams, 3))
        for member in range(4):
            for row in range(dreams):
                seen = dream.observation[member * dreams + row]
                actions[member, row] = controller(candidates[member], seen)
        dream.step(actions.reshape(-1, 3))
        earned[~over] += dream.reward.reshape(4, dreams)[~over]
        over |= dream.over.reshape(4, dreams)
    assert over.all() and (found != 0).all()
    np.testing.assert_allclose(found, earned.mean(1), rtol=1e-4, atol=1e-4)


def test_only_rewards_can_be_scored() -> None:
    world = small_world(rewarded=False)
    controller = LinearController(world.observation)
    with pytest.raises(ValueError, match="expected a memory of rewards to score by"):
        score_in_dreams(world, controller, np.zeros((2, controller.size)))
