"""What an agent knows of the world that it is in: what it sees, and what it remembers."""

from __future__ import annotations

__all__ = ["Belief", "observed"]

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from seqmdn.generation import Interaction
from seqmdn.worlds.world import World

Array = NDArray[np.float32]


class Belief:
    """Follows a real environment frame by frame: an observation is [z, h].

    z is drawn from what the eyes say of a frame; h is what the memory knew before it, from the
    frames and actions before. In a dream (:class:`seqmdn.worlds.Dream`) both mean the same,
    so that what acts in one acts in the other.

    Args:
        world: Eyes and memory.

    Raises:
        ValueError: If the world has no eyes, or an action is missing between two frames.

    References:
        World Models (Ha, Schmidhuber, 2018).
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.begin(0)

    def begin(self, seed: int) -> None:
        """Forget everything; the seed is that of the draws of z."""
        memory = self.world.memory
        self._following = Interaction(memory, 1)
        self._generator = torch.Generator().manual_seed(seed)
        self._action: Tensor | None = torch.zeros(1, memory.context)

    def see(self, frame: NDArray[np.uint8], reward: float = 0.0) -> Array:
        """Give the observation ``(L + H,)`` of a frame ``(64, 64, 3)`` and its reward."""
        memory = self.world.memory
        if self._action is None:
            raise ValueError("expected an action after the frame before, found none: call act")
        noise = torch.randn(1, memory.columns, generator=self._generator)
        z = self.world.encode(frame[None], noise)
        # An episode that an action is to follow has not ended.
        parts = [z, torch.tensor([[reward, 0.0]])] if memory.rewarded else [z]
        self._following.step(self._action, torch.cat(parts, dim=1))
        self._action = None
        return observed(z, self._following)[0]

    def act(self, action: ArrayLike) -> None:
        """Remember what was done after the last frame, ``(X,)``."""
        self._action = torch.as_tensor(np.asarray(action, np.float32)).reshape(1, -1)


def observed(z: Tensor, following: Interaction) -> Array:
    """Give the observations [z, h] ``(B, L + H)`` of the last step, real or dreamt."""
    assert following.h is not None
    observation: Array = torch.cat((z, following.h), dim=1).numpy()
    return observation
