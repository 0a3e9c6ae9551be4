"""An environment whose frames say what was done: no gymnasium, no physics."""

from types import SimpleNamespace
from typing import Any

import numpy as np


class Walk:
    """Counts its steps: frame t is full of t, the reward is t, the episode ends at ``end``."""

    def __init__(self, end: int | None = None, cut: int | None = None) -> None:
        self.action_space = SimpleNamespace(
            shape=(2,), low=np.array([-1, 0], np.float32), high=np.array([1, 1], np.float32)
        )
        self.end, self.cut = end, cut
        self.seed: int | None = None
        self.taken: list[np.ndarray] = []

    def reset(self, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
        self.seed, self.taken = seed, []
        return self._frame(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.taken.append(action)
        time = len(self.taken)
        return self._frame(), float(time), time == self.end, time == self.cut, {}

    def _frame(self) -> np.ndarray:
        return np.full((64, 64, 3), len(self.taken), np.uint8)


class Told:
    """Acts by what it sees, and notes its seed and what it is given."""

    seed: int | None = None

    def begin(self, seed: int) -> None:
        self.seed, self.rewards = seed, []

    def __call__(self, frame: np.ndarray, reward: float) -> np.ndarray:
        self.rewards.append(reward)
        return np.array([frame[0, 0, 0] / 100, 0.5])
