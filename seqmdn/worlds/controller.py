"""The linear controller of a world model: one action for one observation."""

from __future__ import annotations

__all__ = ["SQUASHES", "LinearController"]

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]

#: Which share of the way from an action's least value to its greatest a number becomes: with 0 a
#: wheel rests in between, and so does a gas pedal; a brake is at its least value below 0.
SQUASHES: dict[str, Callable[[Array], NDArray[Any]]] = {
    "tanh": lambda x: (1 + np.tanh(x)) / 2,
    "clip": lambda x: np.clip(np.tanh(x), 0, 1),
}


class LinearController:
    r"""Takes the action :math:`a = l + (u - l)\, s(W o + b)` for an observation o.

    Many controllers act at once where the parameters have a leading shape: a population of P on R
    dreams each has parameters ``(P, 1, parameters)`` and observations ``(P, R, inputs)``.

    Args:
        inputs: Number I of features of an observation.
        low: The least value l of each of the A actions; those of CarRacing's steering, gas and
            brake by default.
        high: The greatest value u of each.
        squash: The function s of each, a name of ``SQUASHES``: ``"tanh"`` is
            :math:`\tfrac12 (1 + \tanh x)`, ``"clip"`` :math:`\max(0, \tanh x)`.

    Attributes:
        size: Number of parameters, A (I + 1): the rows of W, then b.

    Raises:
        ValueError: If a squash has no such name, there is none, bounds are not in order, or
            parameters or observations do not fit.

    References:
        World Models (Ha, Schmidhuber, 2018): 867 parameters for CarRacing, with these functions.

    Example:
        >>> controller = LinearController(inputs=288)
        >>> controller.size
        867
        >>> controller(np.zeros(867), np.zeros(288)).tolist()
        [0.0, 0.5, 0.0]
    """

    def __init__(
        self,
        inputs: int,
        low: ArrayLike = (-1.0, 0.0, 0.0),
        high: ArrayLike = (1.0, 1.0, 1.0),
        squash: Sequence[str] = ("tanh", "tanh", "clip"),
    ) -> None:
        unknown = [name for name in squash if name not in SQUASHES]
        if unknown or not squash or inputs < 1:
            raise ValueError(
                f"expected 1 input or more and a squash for each action among {list(SQUASHES)}, "
                f"found {inputs} inputs and {list(squash)}"
            )
        self.inputs = inputs
        self.low = np.asarray(low, np.float32)
        self.high = np.asarray(high, np.float32)
        self.squash = tuple(squash)
        fits = self.low.shape == self.high.shape == (self.actions,)
        if not fits or not (self.low < self.high).all():
            raise ValueError(
                f"expected bounds of {self.actions} actions, low below high, found "
                f"{self.low.tolist()} and {self.high.tolist()}"
            )

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
        share = np.stack(columns, axis=-1).astype(np.float32, copy=False)
        # Rounding must not carry an action out of its bounds.
        return np.clip(self.low + (self.high - self.low) * share, self.low, self.high)

    def __repr__(self) -> str:
        bounds = f"low={self.low.tolist()}, high={self.high.tolist()}"
        return f"LinearController(inputs={self.inputs}, {bounds}, squash={self.squash})"
