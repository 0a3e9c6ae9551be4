"""Who drives: a controller on real tracks, or in dreams, each in a process of its own."""

from pathlib import Path

import numpy as np

from seqmdn.environments import Brownian, make_car_racing, play
from seqmdn.worlds import Agent, load_agent, score_in_dreams

__all__ = ["DREAMS", "Dreamer", "Driver"]

DREAMS = 4  # of each candidate that one process dreams at once


class Driver:
    """Drives one real episode: (parameters, or None for a random driver, and a seed) -> score."""

    def __init__(self, path: Path, steps: int) -> None:
        self.steps = steps
        self.agent = load_agent(path)

    def __call__(self, parameters: np.ndarray | None, seed: int) -> float:
        environment = make_car_racing(self.steps)
        space, policy = environment.action_space, self.agent
        if parameters is None:
            policy = Brownian(space.low.tolist(), space.high.tolist())
        else:
            policy = Agent(self.agent.belief.world, self.agent.controller, parameters)
        try:
            return sum(step.reward for step in play(environment, policy, seed, self.steps))
        finally:
            environment.close()


class Dreamer:
    """Drives all candidates in dreams of their own: (parameters, seed) -> scores."""

    def __init__(self, path: Path, steps: int) -> None:
        self.steps = steps
        self.agent = load_agent(path)

    def __call__(self, candidates: np.ndarray, seed: int) -> np.ndarray:
        world, controller = self.agent.belief.world, self.agent.controller
        return score_in_dreams(world, controller, candidates, DREAMS, self.steps, seed=seed)
