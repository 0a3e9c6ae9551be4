"""Who drives: a controller on real tracks or in dreams, or chance, in a process of its own."""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seqmdn.environments import Brownian, make_car_racing, play
from seqmdn.worlds import Agent, load_agent, score_in_dreams

__all__ = ["Drive", "Driver"]


class Drive(NamedTuple):
    """What is driven.

    Attributes:
        agent: Its file, None for a random driver.
        steps: Actions at most.
        parameters: Of its controller ``(N,)``, or of candidates that all dream ``(P, N)``.
        dreams: Of each candidate; 0 for a real track.
    """

    agent: Path | None
    steps: int
    parameters: np.ndarray | None = None
    dreams: int = 0


class Driver:
    """Drives: (what, seed) -> the sum of rewards, or those of candidates ``(P,)``."""

    def __init__(self) -> None:
        self.load = cache(load_agent)

    def __call__(self, drive: Drive, seed: int) -> Any:
        agent = None if drive.agent is None else self.load(drive.agent)
        if agent is not None and drive.dreams:
            numbers = drive.dreams, drive.steps
            world, controller = agent.belief.world, agent.controller
            return score_in_dreams(world, controller, drive.parameters, *numbers, seed=seed)
        environment = make_car_racing(drive.steps)
        if agent is None:
            policy = Brownian(environment.action_space.low, environment.action_space.high)
        else:
            policy = Agent(agent.belief.world, agent.controller, drive.parameters)
        try:
            return sum(step.reward for step in play(environment, policy, seed, drive.steps))
        finally:
            environment.close()
