"""The linear controller of a world model: one action for one observation."""

from __future__ import annotations

__all__ = ["SQUASHES", "LinearController"]

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

#: How a number becomes an action: a wheel turns both ways, a pedal goes one way, and a brake rests
#: while its number is negative.
SQUASHES: dict[str, Callable[[Array], NDArray[Any]]] = {
    "tanh": np.tanh,
    "half": lambda x: (np.tanh(x) + 1) / 2,
    "clip": lambda x: np.clip(np.tanh(x), 0, 1),
}


class LinearController:
    r"""Takes the action :math:`a = s(W o + b)` for an observation o, s by itself in each action.

    Many controllers act at once where the parameters have a leading shape: a population of P on R
    dreams each has parameters ``(P, 1, parameters)`` and observations ``(P, R, inputs)``.

    Args:
        inputs: Number I of features of an observation.
        squash: Of each of the A actions, a name of ``SQUASHES``: ``"tanh"`` is :math:`\tanh x`,
            ``"half"`` :math:`\tfrac12 (1 + \tanh x)`, ``"clip"`` :math:`\max(0, \tanh x)`. Those of
            CarRacing's steering, gas and brake by default.

    Attributes:
        size: Number of parameters, A (I + 1): the rows of W, then b.

    Raises:
        ValueError: If a squash has no such name, there is none, or parameters or observations do
            not fit.

    References:
        World Models (Ha, Schmidhuber, 2018): 867 parameters for CarRacing.

    Example:
        >>> controller = LinearController(inputs=288)
        >>> controller.size
        867
        >>> controller(np.zeros(867), np.zeros(288)).tolist()
        [0.0, 0.5, 0.0]
    """

    def __init__(self, inputs: int, squash: Sequence[str] = ("tanh", "half", "clip")) -> None:
        unknown = [name for name in squash if name not in SQUASHES]
        if unknown or not squash or inputs < 1:
            raise ValueError(
                f"expected 1 input or more and a squash for each action among {list(SQUASHES)}, "
                f"found {inputs} inputs and {list(squash)}"
            )
        self.inputs = inputs
        self.squash = tuple(squash)

    @property
    def actions(self) -> int:
        """The number A of actions."""
        return len(self.squash)

    @property
    def size(self) -> int:
        """The number of parameters, A (I + 1)."""
        return self.actions * (self.inputs + 1)

    def __call__(self, parameters: NDArray[np.floating], observation: Array) -> Array:
        """Gives actions ``(..., A)`` for parameters ``(..., size)``, observations ``(..., I)``."""
        if parameters.shape[-1:] != (self.size,) or observation.shape[-1:] != (self.inputs,):
            raise ValueError(
                f"expected parameters (..., {self.size}) and observations (..., {self.inputs}), "
                f"found {parameters.shape} and {observation.shape}"
            )
        parameters = parameters.astype(np.float32, copy=False)
        split = self.actions * self.inputs
        weight = parameters[..., :split].reshape(*parameters.shape[:-1], self.actions, self.inputs)
        raw = np.matmul(weight, observation[..., None])[..., 0] + parameters[..., split:]
        columns = [SQUASHES[name](raw[..., place]) for place, name in enumerate(self.squash)]
        return np.stack(columns, axis=-1).astype(np.float32, copy=False)

    def __repr__(self) -> str:
        return f"LinearController(inputs={self.inputs}, squash={self.squash})"
