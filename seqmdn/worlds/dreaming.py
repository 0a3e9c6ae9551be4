"""Dreams as environments of gymnasium: one, or a batch of them."""

from __future__ import annotations

__all__ = ["DreamEnvironment", "DreamVectorEnvironment"]

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqmdn.environments.missing import import_world
from seqmdn.worlds.dream import Dream
from seqmdn.worlds.world import World

import_world("gymnasium")  # which says what to install

import gymnasium  # noqa: E402
from gymnasium import spaces  # noqa: E402
from gymnasium.vector import AutoresetMode, VectorEnv  # noqa: E402
from gymnasium.vector.utils import batch_space  # noqa: E402

Array = NDArray[np.float32]

_MODES = ["rgb_array"]
_METADATA: dict[str, Any] = {"render_modes": _MODES, "render_fps": 50}


class DreamEnvironment(gymnasium.Env[Array, Array]):
    r"""An environment that the memory of a world model makes up.

    An observation is [z, h] ``(L + H,)``: the latents just dreamt, in the memory's units, and what
    the memory knew before. Rewards are drawn like everything else, in the environment's units; a
    memory that has learned of no rewards gives 0 and never ends.

    Args:
        world: The memory and, for rendering, its eyes.
        temperature: :math:`\tau` of World Models: the logits of mixing weights are divided by it,
            standard deviations multiplied by :math:`\sqrt{\tau}`. A higher one makes dreams that
            are harder to exploit.
        steps: After so many actions a dream is cut off (``truncated``).
        render_mode: ``"rgb_array"`` decodes the latents to a frame ``(64, 64, 3)`` when
            ``render`` is called, None nothing.

    Raises:
        ImportError: If gymnasium is missing.
        ValueError: If the temperature or the number of steps is not positive; if a world without
            eyes is to be rendered; if an action is of the wrong shape or out of bounds.

    References:
        World Models (Ha, Schmidhuber, 2018).

    Example:
        >>> from seqmdn.models import WorldModel
        >>> memory = WorldModel(features=6, context=3, latents=4)
        >>> environment = DreamEnvironment(World(memory, [-1, 0, 0], [1, 1, 1]))
        >>> observation, _ = environment.reset(seed=0)
        >>> action = environment.action_space.sample()
        >>> observation, reward, terminated, truncated, _ = environment.step(action)
        >>> observation.shape == (4 + memory.backbone.features,), truncated
        (True, False)
    """

    metadata = _METADATA

    def __init__(
        self,
        world: World,
        temperature: float = 1.0,
        steps: int = 1000,
        render_mode: str | None = None,
    ) -> None:
        self._dream = Dream(world, 1, temperature, steps)
        self.render_mode = _rendered(world, render_mode)
        self.observation_space, self.action_space = _spaces(world)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Begin a dream; without a seed the one after the last."""
        super().reset(seed=seed)
        self._dream.begin(int(self.np_random.integers(2**63)))
        return self._dream.observation[0], {}

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Dream on after an action ``(X,)``."""
        if self._dream.over.all():
            raise ValueError("expected reset before step: no dream is under way")
        self._dream.step(_checked(action, self.action_space)[None])
        dream = self._dream
        ends = bool(dream.ended[0]), bool(dream.cut[0])
        return dream.observation[0], float(dream.reward[0]), *ends, {}

    def render(self) -> Any:
        """Return the frame of what is dreamt just now, ``(64, 64, 3)`` levels."""
        return None if self.render_mode is None else self._dream.frames()[0]


class DreamVectorEnvironment(VectorEnv[Array, Array, NDArray[Any]]):
    """A batch of dreams, all of them stepped at once: see :class:`DreamEnvironment`.

    A dream that is over begins anew at the step after (``AutoresetMode.NEXT_STEP``): that step's
    action of it is not looked at, and its reward is 0.

    Args:
        world: The memory and, for rendering, its eyes.
        num_envs: Number of dreams B.
        temperature: See :class:`DreamEnvironment`.
        steps: See :class:`DreamEnvironment`.
        render_mode: See :class:`DreamEnvironment`.

    Example:
        >>> from seqmdn.models import WorldModel
        >>> memory = WorldModel(features=6, context=3, latents=4)
        >>> dreams = DreamVectorEnvironment(World(memory, [-1, 0, 0], [1, 1, 1]), num_envs=16)
        >>> _ = dreams.reset(seed=0)
        >>> observations, rewards, *_ = dreams.step(dreams.action_space.sample())
        >>> observations.shape == (16, 4 + memory.backbone.features), rewards.shape
        (True, (16,))
    """

    metadata = {**_METADATA, "autoreset_mode": AutoresetMode.NEXT_STEP}

    def __init__(
        self,
        world: World,
        num_envs: int,
        temperature: float = 1.0,
        steps: int = 1000,
        render_mode: str | None = None,
    ) -> None:
        self._dream = Dream(world, num_envs, temperature, steps)
        self.num_envs = num_envs
        self.render_mode = _rendered(world, render_mode)
        self.single_observation_space, self.single_action_space = _spaces(world)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Begin all dreams; without a seed those after the last."""
        super().reset(seed=seed)
        self._dream.begin(int(self.np_random.integers(2**63)))
        return self._dream.observation, {}

    def step(
        self, actions: Array
    ) -> tuple[Array, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Dream on after an action of each dream ``(B, X)``."""
        self._dream.step(_checked(actions, self.action_space))
        dream = self._dream
        return dream.observation, dream.reward, dream.ended, dream.cut, {}

    def render(self) -> tuple[Any, ...] | None:
        """Return the frames of what is dreamt just now, ``(64, 64, 3)`` levels each."""
        return None if self.render_mode is None else tuple(self._dream.frames())


def _rendered(world: World, render_mode: str | None) -> str | None:
    if render_mode is not None:
        if render_mode not in _MODES:
            raise ValueError(f"expected render_mode None or one of {_MODES}, found {render_mode!r}")
        world.require_eyes()
    return render_mode


def _spaces(world: World) -> tuple[Any, Any]:
    """Give the spaces of observations, which have no bounds, and of actions."""
    return (
        spaces.Box(-np.inf, np.inf, (world.observation,), np.float32),
        spaces.Box(world.low, world.high, dtype=np.float32),
    )


def _checked(action: Array, space: Any) -> Array:
    action = np.asarray(action, np.float32)
    if not space.contains(action):
        inside = "" if action.shape != space.shape else f" from {action.min()} to {action.max()}"
        raise ValueError(
            f"expected actions of shape {space.shape} within {space.low.tolist()} and "
            f"{space.high.tolist()}, found shape {action.shape}{inside}"
        )
    return action
