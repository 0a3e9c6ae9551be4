"""Increasing maps of one number, by parameters that a network gives for each."""

import math
from collections.abc import Callable
from typing import Protocol

from torch import Tensor
from torch.distributions import Transform
from zuko.transforms import MonotonicAffineTransform

__all__ = ["LIMIT", "Affine", "Univariate", "bent"]

# The logarithm of the smallest slope: what a network asks for is bent towards it, smoothly.
LIMIT = -math.log(1e-3)


class Univariate(Protocol):
    """A kind of map: how many parameters it has, and both directions given them.

    With all parameters 0 it is the identity.
    """

    sizes: tuple[tuple[int, ...], ...]
    """Shapes of the parameters of one map, in the order in which a network gives them."""
    reference: Callable[..., Transform]
    """The same map as zuko has it, with the features innermost."""

    def call_and_ladj(self, x: Tensor, phi: Tensor) -> tuple[Tensor, Tensor]:
        """Return z and log dz/dx, shaped as x ``(*shape)``, by parameters ``(P, *shape)``."""
        ...

    def inverse(self, z: Tensor, phi: Tensor) -> Tensor:
        """Return the x that goes to z."""
        ...


class Affine:
    r"""Shifts and scales, :math:`z = x e^{s} + t`, with :math:`|s| < 6.9`.

    References:
        Density estimation using Real NVP (Dinh, Sohl-Dickstein, Bengio, 2017).
    """

    sizes: tuple[tuple[int, ...], ...] = ((), ())
    reference: Callable[..., Transform] = MonotonicAffineTransform

    def call_and_ladj(self, x: Tensor, phi: Tensor) -> tuple[Tensor, Tensor]:
        shift, free = phi.unbind(0)
        log_scale = bent(free, LIMIT)
        return x * log_scale.exp() + shift, log_scale

    def inverse(self, z: Tensor, phi: Tensor) -> Tensor:
        shift, free = phi.unbind(0)
        return (z - shift) / bent(free, LIMIT).exp()


def bent(free: Tensor, limit: float) -> Tensor:
    """Return what is near the argument near 0 and never beyond the limit."""
    return free / (1 + (free / limit).abs())
