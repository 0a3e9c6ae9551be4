"""Dreams: they are the memory's own draws, each begins anew by itself, and nothing else shows."""

import numpy as np
import pytest
import torch

from seqmdn.generation import generate
from seqmdn.worlds import Dream
from tests.worlds.small import small_world


def actions(steps: int, num: int) -> np.ndarray:
    return np.random.default_rng(0).uniform([-1, 0, 0], 1, size=(steps, num, 3)).astype(np.float32)


@pytest.mark.parametrize("temperature", [1.0, 1.3])
def test_a_dream_is_what_the_memory_generates(temperature: float) -> None:
    world, steps, num = small_world(ends=-20.0), 9, 5
    done = actions(steps, num)
    context = torch.from_numpy(np.concatenate([np.zeros_like(done[:1]), done])).transpose(0, 1)
    expected = generate(
        world.memory,
        num,
        steps + 1,
        context=context,
        seed=7,
        mixing=temperature,
        scale=temperature,
        stop=lambda frame: torch.zeros(num, dtype=torch.bool),
    ).values
    dream = Dream(world, num, temperature)
    torch.manual_seed(3)
    dream.begin(seed=7)
    for t in range(steps + 1):
        np.testing.assert_array_equal(dream.observation[:, :32], expected[:, t, :32].numpy())
        if t:  # nothing was done to earn what comes with a first frame
            np.testing.assert_array_equal(dream.reward, expected[:, t, 32].double().numpy())
        else:
            assert (dream.reward == 0).all()
        if t < steps:
            dream.step(done[t])


def test_h_is_what_the_memory_knows_before_a_frame() -> None:
    world, num = small_world(), 3
    dream = Dream(world, num)
    dream.begin(seed=0)
    memory, zeros = world.memory, torch.zeros(num, 3)
    with torch.inference_mode():
        h, _ = memory.advance(None, zeros, None, batch_size=num)
    np.testing.assert_allclose(dream.observation[:, 32:], h.numpy(), atol=1e-6)
    assert dream.observation.shape == (num, world.observation)


def test_dreams_end_are_cut_and_begin_anew_by_themselves() -> None:
    world, num, steps = small_world(ends=-1.0), 400, 4
    dream = Dream(world, num, steps=steps)
    dream.begin(seed=0)
    zero = np.zeros((num, 3), np.float32)
    first = dream.observation[0, 32:]  # h before a first frame is the same for all
    age = np.zeros(num, int)
    seen = {"ended": 0, "cut": 0, "steps": 0}
    for _ in range(12):
        before, over = dream.observation.copy(), dream.over
        np.testing.assert_array_equal(over, dream.ended | dream.cut)
        assert not (dream.ended & dream.cut).any()
        np.testing.assert_array_equal(dream.cut, ~dream.ended & (age == steps))
        dream.step(zero)
        age = np.where(over, 0, age + 1)
        assert (dream.reward[over] == 0).all() and (dream.reward[~over] != 0).all()
        begins = (np.abs(dream.observation[:, 32:] - first) < 1e-6).all(1)
        np.testing.assert_array_equal(begins, over)
        assert (before[:, :32] != dream.observation[:, :32]).any(1).all()
        seen["ended"] += dream.ended.sum()
        seen["cut"] += dream.cut.sum()
        seen["steps"] += (~over).sum()
    share = seen["ended"] / seen["steps"]
    assert share == pytest.approx(1 / (1 + np.e), abs=4 * 0.5 / np.sqrt(seen["steps"]))
    assert seen["cut"] > 10


def test_the_action_of_a_dream_that_begins_is_not_looked_at() -> None:
    world, num = small_world(ends=20.0), 2
    drawn = []
    for action in (np.zeros((num, 3)), np.ones((num, 3))):
        dream = Dream(world, num)
        dream.begin(seed=1)
        assert not dream.over.any(), "an episode has an action"
        dream.step(np.zeros((num, 3)))
        assert dream.ended.all()
        dream.step(action)
        drawn.append(dream.observation)
    np.testing.assert_array_equal(*drawn)


def test_an_action_changes_what_follows() -> None:
    world = small_world(ends=-20.0)
    drawn = []
    for action in (np.zeros((2, 3)), np.array([[0, 0, 0], [1, 1, 1]])):
        dream = Dream(world, 2)
        dream.begin(seed=1)
        dream.step(action)
        drawn.append(dream.observation)
    np.testing.assert_array_equal(drawn[0][0], drawn[1][0])
    assert (drawn[0][1, 32:] != drawn[1][1, 32:]).any()


def test_a_memory_without_rewards_gives_none_and_never_ends() -> None:
    dream = Dream(small_world(rewarded=False), 3, steps=2)
    dream.begin(seed=0)
    dream.step(np.ones((3, 3)))
    dream.step(np.ones((3, 3)))
    assert (dream.reward == 0).all() and not dream.ended.any() and dream.cut.all()


def test_frames_are_decoded_from_the_eyes_units() -> None:
    world = small_world()
    dream = Dream(world, 2)
    dream.begin(seed=0)
    z = torch.from_numpy(dream.observation[:, :32]) * world.std + world.mean
    with torch.inference_mode():
        levels = world.require_eyes().decode(z).round().reshape(2, 64, 64, 3)
    np.testing.assert_array_equal(dream.frames(), levels.to(torch.uint8).numpy())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": 0.0}, "temperatures must be positive"),
        ({"temperature": -1.0}, "temperatures must be positive"),
        ({"num": 0}, "num must be at least 1"),
        ({"steps": 0}, "expected dreams of 1 step or more"),
    ],
)
def test_what_is_no_dream_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Dream(small_world(eyes=False), **arguments)


def test_a_dream_is_begun_first_and_shown_with_eyes_only() -> None:
    dream = Dream(small_world(eyes=False))
    with pytest.raises(ValueError, match="expected a dream that was begun"):
        dream.step(np.zeros((1, 3)))
    dream.begin(seed=0)
    with pytest.raises(ValueError, match="expected a world with eyes"):
        dream.frames()
