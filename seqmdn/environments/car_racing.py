"""CarRacing without a window, seen through small frames."""

from __future__ import annotations

__all__ = ["ACTIONS", "HIGH", "LOW", "NAME", "make_car_racing"]

import os
import warnings
from typing import Any

import numpy as np

from seqmdn.environments.frames import CHANNELS, SIZE, shrink_frame
from seqmdn.environments.missing import import_world

NAME = "CarRacing-v3"
ACTIONS = ("steer", "gas", "brake")
LOW, HIGH = (-1.0, 0.0, 0.0), (1.0, 1.0, 1.0)


def make_car_racing(steps: int = 1000, render_mode: str | None = None) -> Any:
    """Makes a gymnasium environment whose observations are frames (64, 64, 3) of uint8.

    It opens no window and plays no sound. Actions are ``ACTIONS``, steering within -1 and 1, the
    others within 0 and 1. An episode ends (``terminated``) when the lap is finished or the car has
    left the playfield, and is cut (``truncated``) after a number of steps.

    The frames of an episode follow from its seed and actions as long as each episode has an
    environment of its own; making one takes milliseconds.

    Args:
        steps: After which an episode is cut.
        render_mode: As of gymnasium; ``"rgb_array"`` for larger pictures.

    Raises:
        ImportError: If gymnasium or its Box2D is not installed, with the command that installs it.
        ValueError: If there are no steps.
    """
    if steps < 1:
        raise ValueError(f"expected an episode of 1 step or more, found {steps}")
    # pygame looks for a screen and for speakers when it starts, and greets whoever imports it.
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    with warnings.catch_warnings():
        # Box2D's wrapper warns of itself, and crashes where warnings are errors.
        warnings.simplefilter("ignore")
        gymnasium = import_world("gymnasium")
        import_world("Box2D")
        import_world("pygame")
        environment = gymnasium.make(
            NAME,
            render_mode=render_mode,
            max_episode_steps=steps,
            disable_env_checker=True,
            continuous=True,
            domain_randomize=False,
        )
    space = gymnasium.spaces.Box(0, 255, (SIZE, SIZE, CHANNELS), np.uint8)
    return gymnasium.wrappers.TransformObservation(environment, shrink_frame, space)
