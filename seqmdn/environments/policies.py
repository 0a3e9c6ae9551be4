"""What acts in an environment."""

from __future__ import annotations

__all__ = ["Brownian", "Policy"]

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seqmdn.environments.frames import Frame


class Policy(Protocol):
    """Chooses an action for each frame that it is shown."""

    def begin(self, seed: int) -> None:
        """Starts an episode; all that is random in it follows from the seed."""

    def __call__(self, frame: Frame, reward: float = 0.0) -> NDArray[np.float32]:  # (A,)
        """Gives the action that follows a frame (64, 64, 3) and the reward of arriving at it."""


class Brownian:
    r"""Acts at random, each action close to the one before.

    .. math:: a_{t+1} = \mathrm{clip}(a_t + \sqrt{\Delta t}\, \epsilon_t),
        \quad \epsilon_t \sim N(0, I), \quad a_0 \sim U(\text{low}, \text{high})

    Args:
        low: The least value of each action.
        high: The greatest.
        dt: Time between two actions: their distance has the standard deviation sqrt(dt).

    Raises:
        ValueError: If a bound lies on the wrong side, or dt is not positive; when called, if no
            episode was begun.

    Example:
        >>> policy = Brownian([-1, 0], [1, 1])
        >>> policy.begin(seed=0)
        >>> first, second = policy(None), policy(None)
        >>> policy.begin(seed=0)
        >>> bool((policy(None) == first).all()), first.shape
        (True, (2,))
    """

    def __init__(self, low: Sequence[float], high: Sequence[float], dt: float = 1 / 50) -> None:
        self.low = np.asarray(low, np.float64)
        self.high = np.asarray(high, np.float64)
        if self.low.shape != self.high.shape or not (self.low < self.high).all():
            raise ValueError(f"expected low to be below high, found {low} and {high}")
        if not 0 < dt < np.inf:
            raise ValueError(f"expected dt to be positive, found {dt}")
        self.scale = dt**0.5
        self._rng: np.random.Generator | None = None
        self._action: NDArray[np.float64] | None = None

    def begin(self, seed: int) -> None:
        self._rng, self._action = np.random.default_rng(seed), None

    def __call__(self, frame: Frame | None = None, reward: float = 0.0) -> NDArray[np.float32]:
        if self._rng is None:
            raise ValueError("expected begin(seed) before the first action, found none")
        if self._action is None:
            self._action = self._rng.uniform(self.low, self.high)
        else:
            step = self.scale * self._rng.standard_normal(self.low.shape)
            self._action = np.clip(self._action + step, self.low, self.high)
        return self._action.astype(np.float32)
