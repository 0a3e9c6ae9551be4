"""Increasing maps of one number, by parameters that a network gives for each."""

import math
from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch
from torch import Tensor
from torch.distributions import Transform
from zuko.transforms import MonotonicAffineTransform, MonotonicRQSTransform

__all__ = ["Affine", "RationalQuadratic", "Univariate"]

# The logarithm of the smallest slope: what a network asks for is bent towards it, smoothly.
_LIMIT = -math.log(1e-3)


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
        log_scale = _bent(free, _LIMIT)
        return x * log_scale.exp() + shift, log_scale

    def inverse(self, z: Tensor, phi: Tensor) -> Tensor:
        shift, free = phi.unbind(0)
        return (z - shift) / _bent(free, _LIMIT).exp()


class RationalQuadratic:
    r"""A spline of rational quadratic pieces in a box, the identity outside of it.

    .. math::
        z = z_0 + \Delta_z \frac{\sigma \xi^2 + \delta_0 \xi (1 - \xi)}
        {\sigma + (\delta_0 + \delta_1 - 2 \sigma) \xi (1 - \xi)},
        \quad \xi = \frac{x - x_0}{\Delta_x}, \quad \sigma = \frac{\Delta_z}{\Delta_x}

    for the piece that begins at :math:`(x_0, z_0)`, with slopes :math:`\delta` at its ends.

    Args:
        bins: Number of pieces, at least 2.
        bound: Half width of the box.

    Raises:
        ValueError: If bins < 2 or the bound is not positive.

    References:
        Neural Spline Flows (Durkan, Bekasov, Murray, Papamakarios, 2019).
    """

    def __init__(self, bins: int, bound: float) -> None:
        if bins < 2:
            raise ValueError(f"a spline needs at least 2 bins, found {bins}")
        if not bound > 0:
            raise ValueError(f"a spline's bound must be positive, found {bound}")
        self.bins = bins
        self.bound = bound
        self.sizes: tuple[tuple[int, ...], ...] = ((bins,), (bins,), (bins - 1,))
        self.reference: Callable[..., Transform] = partial(MonotonicRQSTransform, bound=bound)

    def call_and_ladj(self, x: Tensor, phi: Tensor) -> tuple[Tensor, Tensor]:
        inside, x0, z0, width, height, first, last = self._piece(x, phi, axis=0)
        slope = height / width
        place = ((x - x0) / width).where(inside, 0)
        rest = 1 - place
        both = place * rest
        below = slope + (first + last - 2 * slope) * both
        z = z0 + height * (slope * place.square() + first * both) / below
        rise = 2 * slope * both + first * rest.square() + last * place.square()
        ladj = (slope.square() * rise / below.square()).log()
        return z.where(inside, x), ladj.where(inside, 0)

    def inverse(self, z: Tensor, phi: Tensor) -> Tensor:
        inside, x0, z0, width, height, first, last = self._piece(z, phi, axis=1)
        slope = height / width
        share = ((z - z0) / height).where(inside, 0)
        bend = share * (first + last - 2 * slope)
        # The root of a quadratic, in the form without cancellation.
        a, b, c = slope - first + bend, first - bend, -slope * share
        place = 2 * c / (-b - (b.square() - 4 * a * c).sqrt())
        return (x0 + width * place).where(inside, z)

    def _piece(self, value: Tensor, phi: Tensor, axis: int) -> tuple[Tensor, ...]:
        """Return whether a value is in the box, and the piece it is in, by x (0) or by z (1)."""
        K = self.bins
        free, knots = phi.split((2 * K, K - 1))
        sizes = _bent(free.unflatten(0, (2, K)), _LIMIT / 2).exp()  # (2, K, *shape)
        total = sizes.sum(1)  # (2, *shape)
        unit = 2 * self.bound / total
        with torch.no_grad():  # to find the piece; its own place is differentiated below
            edges = sizes[axis].cumsum(0)
            edges[-1] = torch.inf
            # The pieces before this one, whose sizes are shares of the total.
            before = edges < (value + self.bound) / unit[axis]  # (K, *shape)
            index = before.sum(0, keepdim=True)  # (1, *shape)
            inside = (value > -self.bound) & (value <= self.bound)
        size = sizes.gather(1, index.expand(2, *index.shape)).squeeze(1)  # (2, *shape)
        x0, z0 = ((sizes * before).sum(1) * unit - self.bound).unbind(0)
        width, height = (size * unit).unbind(0)
        # The slopes at the ends of the box are 1, and have no parameter.
        ends = torch.cat((index - 1, index))  # (2, *shape)
        chosen = knots.gather(0, ends.clamp(0, K - 2)).where((ends >= 0) & (ends < K - 1), 0)
        first, last = _bent(chosen, _LIMIT).exp().unbind(0)
        return inside, x0, z0, width, height, first, last


def _bent(free: Tensor, limit: float) -> Tensor:
    """Return what is near the argument near 0 and never beyond the limit."""
    return free / (1 + (free / limit).abs())
