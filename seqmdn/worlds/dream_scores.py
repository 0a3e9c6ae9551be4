"""What controllers score in dreams: a whole population at once."""

from __future__ import annotations

__all__ = ["score_in_dreams"]

import numpy as np
from numpy.typing import NDArray

from seqmdn.worlds.controller import LinearController
from seqmdn.worlds.dream import Dream
from seqmdn.worlds.world import World


def score_in_dreams(
    world: World,
    controller: LinearController,
    candidates: NDArray[np.floating],
    dreams: int = 16,
    steps: int = 1000,
    temperature: float = 1.0,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Give the mean reward that each candidate earns in dreams of its own.

    Args:
        world: Its memory makes the dreams.
        controller: What the candidates are parameters of.
        candidates: ``(P, parameters)``.
        dreams: Number R of dreams of each; P R dreams are dreamt at once.
        steps: Actions of a dream at most.
        temperature: See :class:`seqmdn.worlds.Dream`.
        seed: Seed of the dreams.

    Returns:
        ``(P,)``, in the environment's units of reward.

    Raises:
        ValueError: If the memory has learned of no rewards, or something does not fit.

    Example:
        >>> from seqmdn.models import WorldModel
        >>> world = World(WorldModel(6, 3, latents=4), [-1, 0, 0], [1, 1, 1])
        >>> controller = LinearController(world.observation)
        >>> score_in_dreams(world, controller, np.zeros((5, controller.size)), steps=3).shape
        (5,)
    """
    if not world.memory.rewarded:
        raise ValueError(
            "expected a memory of rewards to score by, found one of latents alone: train it on a "
            "store with reward and end (python -m data_prep.car_racing, then seqmdn encode)"
        )
    population = len(candidates)
    dream = Dream(world, population * dreams, temperature, steps)
    dream.begin(seed)
    total = np.zeros(population * dreams)
    going = np.ones(population * dreams, np.bool_)
    for _ in range(steps):
        observation = dream.observation.reshape(population, dreams, -1)
        actions = controller(candidates[:, None], observation)
        dream.step(actions.reshape(population * dreams, -1))
        total += np.where(going, dream.reward, 0)
        going &= ~dream.over
        if not going.any():
            break
    scores: NDArray[np.float64] = total.reshape(population, dreams).mean(axis=1)
    return scores
