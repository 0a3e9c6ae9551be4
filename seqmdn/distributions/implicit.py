r"""Draws of a mixture whose gradients reach weights, means and precisions.

The Rosenblatt transform :math:`u = F(y; \theta)` makes of a draw numbers whose distribution does
not depend on the parameters. Holding them fixed while the parameters move says how the draw moves:

.. math:: \frac{dy}{d\theta} = -\left(\frac{\partial F}{\partial y}\right)^{-1}
    \frac{\partial F}{\partial \theta}

with a lower triangular matrix that has the conditional densities on its diagonal. Nothing is
inverted or searched for to make the draw itself, and no component's choice is relaxed.

References:
    Implicit Reparameterization Gradients, Michael Figurnov, Shakir Mohamed and Andriy Mnih, 2018.
    Stochastic Backpropagation through Mixture Density Distributions, Alex Graves, 2016.
"""

from __future__ import annotations

from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.autograd import Function

from seqmdn import linalg
from seqmdn.distributions.gaussian import LowRankPrecisionNormal
from seqmdn.distributions.rosenblatt import chain, prefix_means, prefix_weights
from seqmdn.distributions.univariate import log_normal, mixture_cdf
from seqmdn.linalg import doubled

__all__ = ["attach", "attach_univariate"]


@linalg.full_precision
def attach(
    draw: Tensor,  # (*sample, *batch, D)
    log_weights: Tensor,  # (*batch, K)
    components: LowRankPrecisionNormal,  # of batch shape (*batch, K)
) -> Tensor:  # (*sample, *batch, D)
    r"""Returns the same draw of a joint mixture, with the gradient of its parameters.

    The triangular matrix is a diagonal plus a rank K (R + 1) below it,

    .. math:: \frac{\partial u_d}{\partial y_j} = \sum_k \left(
        B_{kd} c_{kd}^\top u_{kj} - A_{kd} (d_{kj} e_{kj} + u_{kj}^\top t_{kd}) \right),
        \quad j < d

    with :math:`A = w (\Phi - u)`, :math:`B = w \phi \sqrt{p}`, :math:`c_d = C_{>d}^{-1} u_d / p_d`
    and :math:`t_d = C_{\ge d}^{-1} h_{<d}`, so that the gradient of a draw costs O(K D R^2)
    and no D x D matrix is formed. First derivatives only: a second one is refused.

    Example:
        >>> loc = torch.tensor([[0.0, 1.0]], requires_grad=True)
        >>> one = LowRankPrecisionNormal(loc, torch.ones(1, 2))
        >>> attach(torch.tensor([0.3, 0.4]), torch.zeros(1), one).sum().backward()
        >>> loc.grad  # a mean moves its draws as far
        tensor([[1., 1.]])
    """
    parameters = (log_weights, components.loc, components.diagonal, components.factor)
    if not _differentiated(*parameters):
        return draw
    dtype = draw.dtype
    links = chain(components)
    value = doubled(draw.detach()).unsqueeze(-2)  # (*sample, *batch, 1, D)
    apart = value - links.loc  # e, (*sample, *batch, K, D)
    means, before = prefix_means(links, apart)
    log_mix, standard = prefix_weights(value, doubled(log_weights), means, links.precision)
    below = torch.special.ndtr(standard)  # Phi
    u = (log_mix.exp() * below).sum(-2)  # (*sample, *batch, D), its value fixed, its gradient not
    with torch.no_grad():
        mix = log_mix.exp()
        slope = mix * log_normal(standard).exp() * links.precision.sqrt()  # B
        pull = mix * (below - u.unsqueeze(-2))  # A
        left = [-pull.unsqueeze(-1)]
        right = [(doubled(components.diagonal) * apart).unsqueeze(-1)]
        if components.rank:
            # C_{>=d}^-1 of C_{>d}^-1 and one more row u_d: the rank-one formula.
            solved = (links.inverse * before.unsqueeze(-2)).sum(-1)
            held = solved - links.gain * (links.factor * solved).sum(-1, keepdim=True)
            left.append(slope.unsqueeze(-1) * links.gain - pull.unsqueeze(-1) * held)
            right.append(links.factor.expand_as(left[-1]))
        rows = torch.cat(left, dim=-1).movedim(-3, -2).flatten(-2)  # (*sample, *batch, D, K (R+1))
        columns = torch.cat(right, dim=-1).movedim(-3, -2).flatten(-2)
    moved: Tensor = _Implicit.apply(value.squeeze(-2), u, slope.sum(-2), rows, columns)
    return moved.to(dtype)


@linalg.full_precision
def attach_univariate(
    draw: Tensor,  # (*batch,)
    log_weights: Tensor,  # (*batch, K)
    loc: Tensor,  # (*batch, K)
    scale: Tensor,  # (*batch, K)
) -> Tensor:  # (*batch,)
    r"""Returns the same draw of a one-dimensional mixture, with the gradient of its parameters.

    .. math:: \frac{dy}{d\theta} = -\frac{1}{f(y)} \frac{\partial F(y; \theta)}{\partial \theta}

    Example:
        >>> loc = torch.zeros(1, requires_grad=True)
        >>> attach_univariate(torch.tensor(0.3), torch.zeros(1), loc, torch.ones(1)).backward()
        >>> loc.grad
        tensor([1.])
    """
    if not _differentiated(log_weights, loc, scale):
        return draw
    dtype = draw.dtype
    value, log_weights, loc, scale = map(doubled, (draw.detach(), log_weights, loc, scale))
    u = mixture_cdf(value, log_weights, loc, scale)
    with torch.no_grad():
        standard = (value.unsqueeze(-1) - loc) / scale
        density = (log_weights.exp() * log_normal(standard).exp() / scale).sum(-1)
    nothing = value.new_zeros(*value.shape, 1, 0)
    moved: Tensor = _Implicit.apply(
        value.unsqueeze(-1), u.unsqueeze(-1), density.unsqueeze(-1), nothing, nothing
    )
    return moved.squeeze(-1).to(dtype)


class _Implicit(Function):
    """Gives y as it is, and to u the gradient -J^-T v, with J = diag(f) + tril(P Q', -1)."""

    @staticmethod
    def forward(
        ctx: Any,
        value: Tensor,  # (*batch, D)
        u: Tensor,  # (*batch, D)
        density: Tensor,  # f, (*batch, D)
        rows: Tensor,  # P, (*batch, D, M)
        columns: Tensor,  # Q, (*batch, D, M)
    ) -> Tensor:  # (*batch, D)
        ctx.save_for_backward(density, rows, columns)
        return value.expand_as(u).clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        density, rows, columns = ctx.saved_tensors
        solved: list[Tensor] = []
        with torch.no_grad():
            later = torch.zeros_like(rows[..., 0, :])  # sum of P_d lambda_d over d above, (*, M)
            for d in reversed(range(density.shape[-1])):
                coupled = (columns[..., d, :] * later).sum(-1)
                solved.append((gradient[..., d] - coupled) / density[..., d])
                later = later + rows[..., d, :] * solved[-1].unsqueeze(-1)
            moved = -torch.stack(solved[::-1], dim=-1)
        if torch.is_grad_enabled():
            # The matrix counts as fixed, so what comes of this must not be differentiated.
            moved = _FirstOnly.apply(moved.requires_grad_())
        return None, moved, None, None, None


class _FirstOnly(Function):
    """Gives a gradient as it is, and refuses to be differentiated itself."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> NoReturn:
        raise RuntimeError(
            "draws of rsample have first derivatives only; a second one was asked for. Use"
            " inverse_rosenblatt of uniform numbers, whose derivatives of any order are right."
        )


def _differentiated(*parameters: Tensor) -> bool:
    """Says whether a gradient will be asked of any of these."""
    return torch.is_grad_enabled() and any(p.requires_grad for p in parameters)
