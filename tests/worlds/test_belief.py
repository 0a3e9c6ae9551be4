"""What an agent believes: what its memory makes of the real frames, one after another."""

import numpy as np
import pytest
import torch

from seqmdn.worlds import Belief, World
from tests.worlds.small import random_frames, small_world


def followed(world: World, seen: np.ndarray, rewards: list[float], actions: np.ndarray) -> list:
    belief = Belief(world)
    belief.begin(seed=5)
    observations = []
    for frame, reward, action in zip(seen, rewards, actions, strict=True):
        observations.append(belief.see(frame, reward))
        belief.act(action)
    return observations


@pytest.mark.parametrize("rewarded", [True, False])
def test_belief_is_the_memory_run_over_what_is_real(rewarded: bool) -> None:
    world, num = small_world(rewarded=rewarded), 5
    rng = np.random.default_rng(1)
    rewards = [0.0, *rng.normal(size=num - 1)]
    actions = rng.uniform([-1, 0, 0], 1, size=(num, 3)).astype(np.float32)
    observations = np.stack(followed(world, random_frames(num), rewards, actions))
    memory, generator = world.memory, torch.Generator().manual_seed(5)
    noise = torch.cat([torch.randn(1, 32, generator=generator) for _ in range(num)])
    with torch.inference_mode():
        z = world.encode(random_frames(num), noise)
        behind = torch.tensor([rewards, [0.0] * num]).T.float()
        values = torch.cat((z, behind), dim=1) if rewarded else z
        y = memory.transform.call_and_ladj(values.unsqueeze(0))[0]
        previous = torch.cat((memory.start.expand(1, 1, -1), y[:, :-1]), dim=1)
        before = torch.from_numpy(np.concatenate([np.zeros((1, 3), np.float32), actions[:-1]]))
        h, _ = memory.backbone(torch.cat((previous, before.unsqueeze(0)), dim=2))
    np.testing.assert_allclose(observations[:, :32], z, atol=1e-5)
    np.testing.assert_allclose(observations[:, 32:], h[0], atol=1e-5)


def test_an_action_follows_every_frame() -> None:
    belief = Belief(small_world())
    belief.see(random_frames(1)[0])
    with pytest.raises(ValueError, match="expected an action after the frame before"):
        belief.see(random_frames(1)[0])
