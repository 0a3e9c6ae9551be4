"""Draws whose random numbers are given: a graph has none of its own, and two runtimes agree."""

from functools import singledispatch
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution

from seqmdn import linalg
from seqmdn.distributions import (
    Autoregressive,
    Bits,
    Classes,
    DiscretisedMixture,
    FactorisedMixture,
    Flowed,
    LowRankPrecisionNormal,
    Mixture,
    Product,
)
from seqmdn.distributions.weights import log_weights_of

__all__ = ["Noise", "choose", "draw", "noise"]


class Noise(NamedTuple):
    """How many random numbers a draw of one frame takes.

    Attributes:
        uniform: Numbers that are uniform on (0, 1): one a choice of a component, one a bit.
        normal: Standard normal numbers: one a feature.
    """

    uniform: int
    normal: int


def choose(logits: Tensor, uniform: Tensor) -> Tensor:
    r"""Return the numbers of the components that uniform numbers choose.

    .. math:: k = \min \{ j : u \le \pi_1 + \dots + \pi_j \}

    Args:
        logits: Normalised log-weights ``(*batch, K)``.
        uniform: u ``(*batch,)``, in (0, 1).

    Returns:
        ``(*batch,)``.

    Example:
        >>> choose(torch.tensor([0.25, 0.75]).log().expand(2, 2), torch.tensor([0.2, 0.3]))
        tensor([0, 1])
    """
    below = logits.exp().cumsum(-1)[..., :-1]  # the last component has all that is left
    return (uniform.unsqueeze(-1) > below).sum(-1)


@singledispatch
def noise(density: Distribution) -> Noise:
    """Return how many random numbers a draw of a frame takes.

    Raises:
        NotImplementedError: If draws of such a density are not known here.

    Example:
        >>> noise(LowRankPrecisionNormal(torch.zeros(1, 2), torch.ones(1, 2)))
        Noise(uniform=0, normal=2)
    """
    raise NotImplementedError(_UNKNOWN.format(type(density).__name__))


@singledispatch
def draw(density: Distribution, uniform: Tensor, normal: Tensor) -> Tensor:
    """Return a frame of each context, made of these random numbers.

    Args:
        density: Of batch shape (B,) and event shape (D,).
        uniform: ``(B, U)``, see :func:`noise`.
        normal: ``(B, N)``.

    Returns:
        ``(B, D)``, distributed as the density says if the numbers are as :class:`Noise` says.

    Raises:
        NotImplementedError: If draws of such a density are not known here.

    Example:
        >>> density = LowRankPrecisionNormal(torch.ones(1, 2), torch.full((1, 2), 4.0))
        >>> draw(density, torch.zeros(1, 0), torch.tensor([[0.0, 2.0]]))
        tensor([[1., 2.]])
    """
    raise NotImplementedError(_UNKNOWN.format(type(density).__name__))


@noise.register
def _(density: LowRankPrecisionNormal) -> Noise:
    return Noise(0, density.event_shape[0])


@draw.register
def _(density: LowRankPrecisionNormal, uniform: Tensor, normal: Tensor) -> Tensor:
    return density.loc + linalg.colour(density.diagonal, density.factor, normal)


@noise.register
def _(density: Mixture) -> Noise:
    return Noise(1, density.event_shape[0])


@draw.register
def _(density: Mixture, uniform: Tensor, normal: Tensor) -> Tensor:
    chosen = choose(density.mixture_distribution.logits, uniform[:, 0])
    components = density.component_distribution
    # The numbers of the chosen component alone are used, (B, D) and (B, D, R).
    loc, diagonal = (_of(chosen, each) for each in (components.loc, components.diagonal))
    factor = components.factor
    factor = _of(chosen, factor) if components.rank else factor[:, 0]
    return loc + linalg.colour(diagonal, factor, normal)


@noise.register
def _(density: FactorisedMixture) -> Noise:
    return Noise(density.event_shape[0], density.event_shape[0])


@draw.register
def _(density: FactorisedMixture, uniform: Tensor, normal: Tensor) -> Tensor:
    chosen = choose(density.mixture_distribution.logits, uniform).unsqueeze(-1)  # (B, D, 1)
    components = density.component_distribution
    loc, scale = (
        each.gather(-1, chosen).squeeze(-1) for each in (components.loc, components.scale)
    )
    return loc + scale * normal


@noise.register
def _(density: DiscretisedMixture) -> Noise:
    return Noise(2, 0)


@draw.register
def _(density: DiscretisedMixture, uniform: Tensor, normal: Tensor) -> Tensor:
    chosen = choose(log_weights_of(density.mixture_distribution), uniform[:, 0]).unsqueeze(-1)
    loc, inverse = (each.gather(-1, chosen) for each in (density.loc, density.inverse_scale))
    place = loc + uniform[:, 1:].logit() / inverse  # of a logistic variable
    last = density.levels - 1
    return 2 * ((place + 1) * (0.5 * last)).round().clamp(0, last) / last - 1


@noise.register
def _(density: Classes) -> Noise:
    return Noise(density.event_shape[0], 0)


@draw.register
def _(density: Classes, uniform: Tensor, normal: Tensor) -> Tensor:
    return choose(density.class_log_prob, uniform).to(density.class_log_prob.dtype)


@noise.register
def _(density: Bits) -> Noise:
    return Noise(density.event_shape[0], 0)


@draw.register
def _(density: Bits, uniform: Tensor, normal: Tensor) -> Tensor:
    drawn: list[Tensor] = []
    couplings = density.couplings
    place = 0
    for e, logit in enumerate(density.logits.unbind(-1)):
        if couplings is not None:
            for before in drawn:
                logit = logit + couplings[:, place] * before
                place += 1
        drawn.append((uniform[:, e] < logit.sigmoid()).to(logit.dtype))
    return torch.stack(drawn, dim=-1)


@noise.register
def _(density: Flowed) -> Noise:
    return noise(density.base)


@draw.register
def _(density: Flowed, uniform: Tensor, normal: Tensor) -> Tensor:
    found: Tensor = density.transform.inv(draw(density.base, uniform, normal))
    return found


@noise.register
def _(density: Product) -> Noise:
    each = [noise(part) for part in density.parts]
    return Noise(sum(part.uniform for part in each), sum(part.normal for part in each))


@draw.register
def _(density: Product, uniform: Tensor, normal: Tensor) -> Tensor:
    wanted = [noise(part) for part in density.parts]
    uniforms = uniform.split([each.uniform for each in wanted], dim=1)
    normals = normal.split([each.normal for each in wanted], dim=1)
    parts = [
        draw(*each).to(normal.dtype) for each in zip(density.parts, uniforms, normals, strict=True)
    ]
    return torch.cat(parts, dim=-1)


@noise.register
def _(density: Autoregressive) -> Noise:
    groups = density.turns.groups
    each = noise(density.conditionals.one(0, density.conditionals.nothing(density.batch_shape)))
    return Noise(groups * each.uniform, groups * each.normal)


@draw.register
def _(density: Autoregressive, uniform: Tensor, normal: Tensor) -> Tensor:
    groups = density.turns.groups
    uniforms, normals = (each.tensor_split(groups, dim=1) for each in (uniform, normal))
    frame = density.conditionals.nothing(density.batch_shape)  # (B, 0)
    for g in range(groups):
        value = draw(density.conditionals.one(g, frame), uniforms[g], normals[g])
        frame = torch.cat((frame, value), dim=-1)
    return density.turns.restored(frame)


def _of(chosen: Tensor, each: Tensor) -> Tensor:  # (B,), (B, K, *event) -> (B, *event)
    """Return the parameters of the chosen components."""
    index = chosen.view(-1, *[1] * (each.dim() - 1)).expand(-1, 1, *each.shape[2:])
    return each.gather(1, index).squeeze(1)


_UNKNOWN = (
    "draws of a {} cannot be exported: use a head whose density is a mixture, with a flow or bits "
    "or without, or levels or classes"
)
