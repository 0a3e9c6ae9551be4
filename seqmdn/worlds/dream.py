"""Dreams of a world model: a batch of worlds in which nothing is real."""

from __future__ import annotations

__all__ = ["Dream"]

import numpy as np
import torch
from numpy.typing import NDArray

from seqmdn.generation import Interaction
from seqmdn.worlds.belief import observed
from seqmdn.worlds.world import World

Array = NDArray[np.float32]


class Dream:
    r"""Dreams B worlds at once, each a draw of the memory given the actions in it.

    With actions that are known beforehand it is :func:`seqmdn.generation.generate` with them as
    context (zeros before the first frame), the same seed and ``mixing=scale=temperature``, bit for
    bit.

    Args:
        world: The memory and, for looking at frames, its eyes.
        num: Number of dreams B.
        temperature: :math:`\tau` of World Models: the logits of mixing weights are divided by it,
            standard deviations multiplied by :math:`\sqrt{\tau}`.
        steps: After so many actions a dream is cut.

    Attributes:
        observation: [z, h] of the frames just dreamt ``(B, L + H)`` float32.
        reward: For arriving at them ``(B,)``, in the environment's units, 0 where a dream begins.
        ended: Which dreams end with them, boolean ``(B,)``.
        cut: Which dreams are cut after them, boolean ``(B,)``.

    Raises:
        ValueError: If there is no dream, or the temperature or the number of steps is not positive;
            on stepping, if none was begun.

    References:
        World Models (Ha, Schmidhuber, 2018).

    Example:
        >>> from seqmdn.models import WorldModel
        >>> dream = Dream(World(WorldModel(6, 3, latents=4), [-1, 0, 0], [1, 1, 1]), num=5)
        >>> dream.begin(seed=0)
        >>> dream.step(np.zeros((5, 3)))
        >>> dream.observation.shape == (5, dream.world.observation), dream.reward.shape
        (True, (5,))
    """

    observation: Array
    reward: NDArray[np.float64]
    ended: NDArray[np.bool_]
    cut: NDArray[np.bool_]

    def __init__(
        self, world: World, num: int = 1, temperature: float = 1.0, steps: int = 1000
    ) -> None:
        if steps < 1:
            raise ValueError(f"expected dreams of 1 step or more, found {steps}")
        self.world = world
        self.num = num
        self.temperature = temperature
        self.steps = steps
        self._interaction = self._interact(0)  # says what is wrong with an argument
        self._left: NDArray[np.int64] | None = None

    @property
    def over(self) -> NDArray[np.bool_]:  # (B,)
        """Which dreams are over, or not begun: the next step of them begins another."""
        return np.ones(self.num, np.bool_) if self._left is None else self._left == 0

    def begin(self, seed: int) -> None:
        """Begin all dreams anew, with random numbers of this seed."""
        self._interaction = self._interact(seed)
        self._left = np.zeros(self.num, np.int64)
        self.step(np.zeros((self.num, self.world.memory.context)))

    def step(self, actions: NDArray[np.floating]) -> None:  # (B, X)
        """Dream on after an action in each dream; of those that are over, begin another."""
        if self._left is None:
            raise ValueError("expected a dream that was begun, found none: call begin, or reset")
        begun = self.over
        if begun.any():
            self._interaction.restart(torch.from_numpy(begun))
            # Nothing was done before the first frame.
            actions = np.where(begun[:, None], 0, actions)
        memory = self.world.memory
        frame = self._interaction.step(torch.from_numpy(actions).float())
        self._latents = memory.latents(frame)
        self.observation = observed(self._latents, self._interaction)
        rewards, ended = memory.reward(frame), self._interaction.ended
        given = np.zeros(self.num) if rewards is None else rewards.double().numpy()
        self.reward = np.where(begun, 0, given)
        # With its first frame no episode ends, and no environment could say so.
        self.ended = ~begun & (False if ended is None else ended.numpy())
        left = np.where(begun, self.steps, self._left - 1)
        self.cut = ~self.ended & (left == 0)
        self._left = np.where(self.ended, 0, left)

    def frames(self) -> NDArray[np.uint8]:  # (B, 64, 64, 3)
        """Decode what is dreamt just now."""
        return self.world.decode(self._latents)

    def _interact(self, seed: int) -> Interaction:
        temperature = self.temperature
        return Interaction(
            self.world.memory, self.num, mixing=temperature, scale=temperature, seed=seed
        )
