"""An agent of World Models' kind: eyes, memory and a linear controller, kept in one file."""

from __future__ import annotations

__all__ = ["Agent", "load_agent", "save_agent"]

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqmdn.files import save_json
from seqmdn.reading import read_json
from seqmdn.worlds.belief import Belief
from seqmdn.worlds.controller import LinearController
from seqmdn.worlds.world import World, load_world

FORMAT = 1


class Agent:
    """Acts on frames: what it knows of the world goes through a linear controller.

    It is a policy (:class:`seqmdn.environments.Policy`): ``begin(seed)`` before an episode, then an
    action for each frame.

    Args:
        world: Eyes and memory.
        controller: Takes an observation [z, h].
        parameters: Of the controller ``(size,)``.

    Raises:
        ValueError: If the parts do not fit.
    """

    def __init__(self, world: World, controller: LinearController, parameters: ArrayLike) -> None:
        self.parameters = np.asarray(parameters, np.float64)
        expected = (world.observation, world.memory.context, (controller.size,))
        found = (controller.inputs, controller.actions, self.parameters.shape)
        if found != expected or not np.isfinite(self.parameters).all():
            raise ValueError(
                "expected a controller's inputs, actions and finite parameters to be "
                f"{expected}, found {found}"
            )
        self.controller = controller
        self.belief = Belief(world)

    def begin(self, seed: int) -> None:
        """Forget the episode before."""
        self.belief.begin(seed)

    def __call__(self, frame: NDArray[np.uint8], reward: float = 0.0) -> NDArray[np.float32]:
        """Give the action ``(X,)`` after a frame ``(64, 64, 3)`` and its reward."""
        action = self.controller(self.parameters, self.belief.see(frame, reward))
        self.belief.act(action)
        return action


def save_agent(
    path: Path, memory: Path, eyes: Path, squash: Sequence[str], parameters: ArrayLike
) -> None:
    """Write an agent as JSON: its parameters, and where the runs lie as seen from its file."""

    def beside(run: Path) -> str:
        return Path(os.path.relpath(run.resolve(), path.resolve().parent)).as_posix()

    save_json(
        path,
        {
            "format": FORMAT,
            "memory": beside(memory),
            "eyes": beside(eyes),
            "squash": list(squash),
            "parameters": np.asarray(parameters, np.float64).tolist(),
        },
    )


def load_agent(path: Path, parameters: ArrayLike | None = None) -> Agent:
    """Load an agent, with other parameters if any are given.

    Raises:
        FileNotFoundError: If there is no such file, or a run that it names has gone.
        ValueError: If it is no agent's file, or its parts do not fit.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"expected a policy file at {path}, found none: give 'random', or the file of an agent "
            "that save_agent wrote"
        )
    try:
        content: dict[str, Any] = read_json(path, dict)
        form = content["format"]
        runs = [path.parent / content[name] for name in ("memory", "eyes")]
        squash, kept = content["squash"], np.asarray(content["parameters"], np.float64)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: expected a policy file that save_agent wrote, found something else "
            f"({error}): evolve a controller (recipes/world_model/car_racing)"
        ) from error
    if form != FORMAT:
        raise ValueError(f"{path}: expected a policy of format {FORMAT}, found {form}")
    world = load_world(*runs)
    controller = LinearController(world.observation, world.low, world.high, squash)
    return Agent(world, controller, kept if parameters is None else parameters)
