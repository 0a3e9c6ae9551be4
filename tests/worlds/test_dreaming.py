"""Dreams as gymnasium knows environments: its own checks, one dream and a batch of them alike."""

import sys
import warnings

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import TimeLimit
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from seqmdn.worlds import Dream, DreamEnvironment, DreamVectorEnvironment
from tests.worlds.small import HIGH, LOW, small_world


@pytest.mark.parametrize("rewarded", [True, False])
@pytest.mark.parametrize("render_mode", ["rgb_array", None])
def test_gymnasium_finds_nothing_wrong(rewarded: bool, render_mode: str | None) -> None:
    environment = DreamEnvironment(small_world(rewarded=rewarded), render_mode=render_mode)
    with warnings.catch_warnings():
        # What latents may be has no bounds, which gymnasium thinks is an oversight.
        warnings.filterwarnings("ignore", message=".*Box observation space m.*infinity")
        # It was made by a class and not by a name: there are no other render modes to try.
        warnings.filterwarnings("ignore", message=".*not able to test alternative render modes")
        check_env(environment, skip_render_check=render_mode is None)


def test_it_is_the_dream_of_its_seed() -> None:
    world = small_world(ends=-20.0)
    environment, action = DreamEnvironment(world), np.array([0.3, 0.5, 0.0], np.float32)
    observation, _ = environment.reset(seed=11)
    dream = Dream(world)
    dream.begin(int(np.random.default_rng(np.random.SeedSequence(11)).integers(2**63)))
    np.testing.assert_array_equal(observation, dream.observation[0])
    for _ in range(3):
        observation, reward, terminated, truncated, _ = environment.step(action)
        dream.step(action[None])
        np.testing.assert_array_equal(observation, dream.observation[0])
        assert reward == dream.reward[0] and not terminated and not truncated


def test_without_a_seed_another_dream_follows() -> None:
    environment = DreamEnvironment(small_world())
    first = [environment.reset(seed=3)[0], environment.reset()[0]]
    again = [environment.reset(seed=3)[0], environment.reset()[0]]
    np.testing.assert_array_equal(first, again)
    assert (first[0] != first[1]).any()


def test_it_ends_and_is_cut_like_any_environment() -> None:
    action = np.zeros(3, np.float32)
    cut = DreamEnvironment(small_world(ends=-20.0), steps=3)
    cut.reset(seed=0)
    assert [cut.step(action)[2:4] for _ in range(3)] == [(False, False)] * 2 + [(False, True)]
    with pytest.raises(ValueError, match="expected reset before step"):
        cut.step(action)
    limited = TimeLimit(DreamEnvironment(small_world(ends=-20.0)), 2)
    limited.reset(seed=0)
    assert [limited.step(action)[3] for _ in range(2)] == [False, True]


def test_a_batch_is_of_dreams_that_begin_anew_a_step_later() -> None:
    world, num = small_world(ends=-1.0), 64
    dreams = DreamVectorEnvironment(world, num, steps=5, render_mode="rgb_array")
    assert dreams.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    observation, _ = dreams.reset(seed=0)
    assert observation in dreams.observation_space
    follower = Dream(world, num, steps=5)
    follower.begin(int(np.random.default_rng(np.random.SeedSequence(0)).integers(2**63)))
    dreams.action_space.seed(0)
    for _ in range(8):
        actions = dreams.action_space.sample()
        observation, reward, terminated, truncated, info = dreams.step(actions)
        follower.step(actions)
        np.testing.assert_array_equal(observation, follower.observation)
        np.testing.assert_array_equal(reward, follower.reward)
        np.testing.assert_array_equal(terminated, follower.ended)
        np.testing.assert_array_equal(truncated, follower.cut)
        assert info == {}
    frames = dreams.render()
    assert frames is not None and len(frames) == num and frames[0].shape == (64, 64, 3)


def test_wrappers_count_the_episodes_of_a_batch() -> None:
    dreams = RecordEpisodeStatistics(DreamVectorEnvironment(small_world(ends=-20.0), 4, steps=3))
    dreams.reset(seed=0)
    total = np.zeros(4)
    for _ in range(3):
        _, reward, _, truncated, info = dreams.step(np.zeros((4, 3), np.float32))
        total += reward
    assert truncated.all()
    np.testing.assert_allclose(info["episode"]["r"], total, rtol=1e-5)
    assert info["episode"]["l"].tolist() == [3] * 4


@pytest.mark.parametrize(
    "action",
    [
        np.zeros(2, np.float32),
        np.zeros((1, 3), np.float32),
        np.array([0, -0.1, 0], np.float32),
        np.array([1.1, 0, 0], np.float32),
        np.array([np.nan, 0, 0], np.float32),
    ],
)
def test_an_action_that_is_none_is_refused_and_changes_nothing(action: np.ndarray) -> None:
    right, wrong = DreamEnvironment(small_world()), DreamEnvironment(small_world())
    right.reset(seed=0)
    wrong.reset(seed=0)
    with pytest.raises(ValueError, match=r"expected actions of shape \(3,\) within \[-1.0, 0.0"):
        wrong.step(action)
    middle = (np.array(LOW, np.float32) + np.array(HIGH, np.float32)) / 2
    np.testing.assert_array_equal(right.step(middle)[0], wrong.step(middle)[0])


def test_what_cannot_be_rendered_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="expected a world with eyes"):
        DreamEnvironment(small_world(eyes=False), render_mode="rgb_array")
    with pytest.raises(ValueError, match="expected render_mode None or one of"):
        DreamVectorEnvironment(small_world(), 2, render_mode="human")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    monkeypatch.delitem(sys.modules, "seqmdn.worlds.dreaming")
    with pytest.raises(ImportError, match="expected the package gymnasium.*pip install"):
        import seqmdn.worlds.dreaming  # noqa: F401
