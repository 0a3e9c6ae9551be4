r"""Splines of rational quadratic pieces, with their gradients in closed form.

With :math:`\delta_0, \delta_1` the slopes at the ends of a piece, :math:`\sigma` its mean slope,
:math:`\beta = \xi (1 - \xi)`, the numerator N and the denominator M of z's formula and
:math:`\rho = 2 \sigma \beta + \delta_0 (1 - \xi)^2 + \delta_1 \xi^2`, the derivative of z is
:math:`\sigma^2 \rho / M^2`, and all others follow by the rules of calculus from those of
:math:`z = z_0 + \Delta_z N / M` and :math:`\ell = 2 \log \sigma + \log \rho - 2 \log M`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.distributions import Transform
from zuko.transforms import MonotonicRQSTransform

from seqmdn.flows.univariate import LIMIT, bent

__all__ = ["RationalQuadratic"]


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
        if x.shape != phi.shape[1:] or x.dtype != phi.dtype:
            return self.plain(x, phi)
        return _Spline.apply(self, x, phi)

    def plain(self, x: Tensor, phi: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same by operations that autograd differentiates."""
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
        sizes = bent(free.unflatten(0, (2, K)), LIMIT / 2).exp()  # (2, K, *shape)
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
        first, last = bent(chosen, LIMIT).exp().unbind(0)
        return inside, x0, z0, width, height, first, last


class _Spline(Function):
    """z and log dz/dx of x ``(*shape)`` by parameters ``(3 K - 1, *shape)``."""

    @staticmethod
    def forward(ctx: Any, maps: RationalQuadratic, x: Tensor, phi: Tensor) -> tuple[Tensor, Tensor]:
        K = maps.bins
        free, knots = phi.split((2 * K, K - 1))
        free = free.unflatten(0, (2, K))
        shrink = _shrink(free, LIMIT / 2)
        sizes = (free * shrink).exp_()  # (2, K, *shape)
        total = sizes.sum(1)  # (2, *shape)
        unit = 2 * maps.bound / total
        edges = sizes[0].cumsum(0)
        edges[-1] = torch.inf
        before = edges < (x + maps.bound) / unit[0]  # (K, *shape)
        index = before.sum(0, keepdim=True)  # (1, *shape)
        inside = (x > -maps.bound) & (x <= maps.bound)
        before = before.to(x.dtype)
        passed = (sizes * before).sum(1)  # (2, *shape)
        size = sizes.gather(1, index.expand(2, *index.shape)).squeeze(1)
        x0, z0 = (passed * unit).sub_(maps.bound).unbind(0)
        width, height = (size * unit).unbind(0)
        ends = torch.cat((index - 1, index))  # (2, *shape)
        known = (ends >= 0) & (ends < K - 1)
        ends = ends.clamp_(0, K - 2)
        chosen = knots.gather(0, ends).where(known, 0)
        bend = _shrink(chosen, LIMIT)
        slopes = (chosen * bend).exp_()
        first, last = slopes.unbind(0)

        mean = height / width
        place = ((x - x0) / width).where(inside, 0)
        rest = 1 - place
        both = place * rest
        below = torch.addcmul(mean, first + last - 2 * mean, both)
        above = mean * place.square() + first * both
        rise = 2 * mean * both + first * rest.square() + last * place.square()
        share = above / below
        z = torch.addcmul(z0, height, share).where(inside, x)
        steep = mean.square() * rise / below.square()
        ladj = steep.log().where(inside, 0)
        ctx.maps = maps
        # Fewer than all would do; to compute the others again would take as long as it saves.
        pieces = (sizes, shrink, total, unit, before, index, passed, size)
        knot = (ends, known, bend, slopes)
        inner = (inside, width, height, mean, place, rest, both, below, share, rise, steep)
        ctx.save_for_backward(x, phi, *pieces, *knot, *inner)
        return z, ladj

    @staticmethod
    def backward(
        ctx: Any, to_z: Tensor, to_ladj: Tensor
    ) -> tuple[None, Tensor | None, Tensor | None]:
        x, phi, *kept = ctx.saved_tensors
        if torch.is_grad_enabled():
            return None, *_differentiable_gradients(ctx, x, phi, to_z, to_ladj)
        sizes, shrink, total, unit, before, index, passed, size = kept[:8]
        ends, known, bend, slopes = kept[8:12]
        inside, width, height, mean, place, rest, both, below, share, rise, steep = kept[12:]
        K = ctx.maps.bins
        first, last = slopes.unbind(0)
        z = to_z.where(inside, 0)
        log = to_ladj.where(inside, 0)
        by_rise, by_below = log / rise, 2 * log / below
        tilt = (1 - 2 * place).mul_(by_below)
        # By the place in the piece, and by its mean slope at the same place.
        to_place = z * width * steep
        to_place += by_rise * 2 * (mean * (1 - 2 * place) - first * rest + last * place)
        to_place -= (first + last - 2 * mean) * tilt
        part = z * height / below
        to_mean = part * (place.square() - share * (1 - 2 * both))
        to_mean += 2 * log / mean + 2 * both * by_rise - by_below * (1 - 2 * both)
        to_ends = torch.stack((part * both * (1 - share), -part * both * share))
        to_ends -= by_below * both
        to_ends[0] += by_rise * rest.square()
        to_ends[1] += by_rise * place.square()
        moved = to_place / width
        to_x = moved.where(inside, to_z) if ctx.needs_input_grad[1] else None
        if not ctx.needs_input_grad[2]:
            return None, to_x, None

        # By the beginnings of the piece, (x0, z0), and by its sizes, (width, height).
        starts = torch.stack((-moved, z))
        extents = torch.stack(
            (-moved * place - to_mean * mean / width, z * share + to_mean / width)
        )
        to_total = (starts * passed + extents * size).mul_(unit / total).neg_()
        result = torch.empty_like(phi)
        to_free, to_knots = result.split((2 * K, K - 1))
        to_free = to_free.unflatten(0, (2, K))
        torch.mul(before, (starts * unit).unsqueeze(1), out=to_free)
        to_free += to_total.unsqueeze(1)
        to_free.scatter_add_(1, index.expand(2, *index.shape), (extents * unit).unsqueeze(1))
        to_free.mul_(sizes).mul_(shrink).mul_(shrink)
        to_ends = to_ends.mul_(slopes).mul_(bend).mul_(bend).where(known, 0)
        to_knots.zero_().scatter_add_(0, ends, to_ends)
        return None, to_x, result


def _differentiable_gradients(
    ctx: Any, x: Tensor, phi: Tensor, to_z: Tensor, to_ladj: Tensor
) -> tuple[Tensor | None, Tensor | None]:
    """Return gradients that are functions of all tensors, by autograd of the plain operations."""
    needed = ctx.needs_input_grad[1:]
    wanted = [tensor for tensor, need in zip((x, phi), needed, strict=True) if need]
    found = iter(
        torch.autograd.grad(ctx.maps.plain(x, phi), wanted, (to_z, to_ladj), create_graph=True)
    )
    first, second = (next(found) if need else None for need in needed)
    return first, second


def _shrink(free: Tensor, limit: float) -> Tensor:
    """Return by what `bent` multiplies; its derivative is the square of that."""
    return (free.abs() / limit).add_(1).reciprocal_()
