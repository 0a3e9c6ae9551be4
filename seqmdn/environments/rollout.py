"""An episode, step by step or as a whole."""

from __future__ import annotations

__all__ = ["Rollout", "Step", "play", "rollout"]

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from seqmdn.environments.frames import Frame
from seqmdn.environments.policies import Policy


class Step(NamedTuple):
    """A frame, and how it came about.

    Attributes:
        frame: What is seen, (64, 64, 3).
        action: What led to it, (A,); zeros for the first frame.
        reward: What was given for arriving at it, 0 for the first.
        end: Whether the episode ended with it; being cut after a number of steps is no end.
    """

    frame: Frame
    action: NDArray[np.float32]
    reward: float
    end: bool


class Rollout(NamedTuple):
    """An episode of T frames.

    Attributes:
        frames: (T, 64, 64, 3) uint8.
        actions: (T, A) float32, row t led to frame t: zeros in row 0.
        rewards: (T,) float32, for arriving at each frame.
        ends: (T,) bool, true in the last row where the episode ended there.
    """

    frames: NDArray[np.uint8]
    actions: NDArray[np.float32]
    rewards: NDArray[np.float32]
    ends: NDArray[np.bool_]

    @classmethod
    def gather(cls, steps: Iterable[Step]) -> Self:
        """Gives the steps of an episode as a whole."""
        frames, actions, rewards, ends = zip(*steps, strict=True)
        return cls(
            np.stack(frames),
            np.stack(actions),
            np.asarray(rewards, np.float32),
            np.asarray(ends, np.bool_),
        )


def play(environment: Any, policy: Policy, seed: int, steps: int = 1000) -> Iterator[Step]:
    """Plays one episode, and gives its steps one by one; nothing of them is kept.

    The score of a policy is ``sum(step.reward for step in play(...))``.

    Args:
        environment: Of gymnasium, with a box of actions; :func:`make_car_racing` makes one.
        policy: What acts.
        seed: Of the environment, as its ``reset`` takes it, and of the policy, from which a seed of
            its own follows.
        steps: After which the episode is cut: at most 1 + steps frames are seen.

    Raises:
        ValueError: If an action is of the wrong shape, not finite or out of bounds.
    """
    space = environment.action_space
    frame, _ = environment.reset(seed=seed)
    # Under the same seed the policy would draw the numbers that the track is made of.
    policy.begin(int(np.random.SeedSequence([seed, 1]).generate_state(1)[0]))
    reward = 0.0
    yield Step(frame, np.zeros(space.shape, np.float32), reward, False)
    for _ in range(steps):
        action = np.asarray(policy(frame, float(reward)), np.float32)
        _check_action(action, space)
        frame, reward, end, cut, _ = environment.step(action)
        yield Step(frame, action, float(reward), bool(end))
        if end or cut:
            return


def rollout(environment: Any, policy: Policy, seed: int, steps: int = 1000) -> Rollout:
    """Plays one episode, and gives it as a whole; arguments as of :func:`play`."""
    return Rollout.gather(play(environment, policy, seed, steps))


def _check_action(action: NDArray[np.float32], space: Any) -> None:
    # What is not finite is within no bounds.
    inside = action.shape == space.shape and ((space.low <= action) & (action <= space.high)).all()
    if not inside:
        raise ValueError(
            f"expected an action of shape {space.shape} between {space.low.tolist()} and "
            f"{space.high.tolist()}, found {action.tolist()} of shape {action.shape}: clip what "
            "the policy gives"
        )
