r"""The log-density of a joint mixture of Gaussians D + UU', with its gradients in closed form.

.. math:: \log p(y) = \log \sum_k \exp\left(\log \pi_k + \tfrac12 \left(\log|\Lambda_k|
    - (y - \mu_k)^\top \Lambda_k (y - \mu_k) - D \log 2\pi\right)\right)

`joint_log_density` is the formula in plain operations, which autograd differentiates.
`mixture_log_prob` gives the same numbers block by block, near the core, and keeps nothing but the
gradients: about half the time and less than half the memory, with one thread (measured in
benchmarks/README.md).
"""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import Size, Tensor
from torch.autograd import Function

from seqmdn import linalg
from seqmdn.distributions.frames import evaluate, finish

__all__ = ["gaussian_log_density", "joint_log_density", "mixture_log_prob"]


@linalg.full_precision
def gaussian_log_density(
    loc: Tensor,  # (*batch, D)
    diagonal: Tensor,  # (*batch, D)
    factor: Tensor,  # (*batch, D, R)
    value: Tensor,  # (*batch, D)
) -> Tensor:  # (*batch,)
    """Returns the Gaussian's log-density in nats, by plain operations.

    Example:
        >>> zero, one = torch.zeros(2), torch.ones(2)
        >>> gaussian_log_density(zero, one, torch.ones(2, 1), zero)  # log(3) / 2 - log(2 pi)
        tensor(-1.2886)
    """
    residual = value - loc
    constant = 0.5 * loc.shape[-1] * math.log(2 * math.pi)
    if factor.shape[-1] == 0:
        return 0.5 * (diagonal.log() - diagonal * residual.square()).sum(-1) - constant
    quadratic = linalg.quadratic_form(diagonal, factor, residual)
    return 0.5 * (linalg.log_determinant(diagonal, factor) - quadratic) - constant


@linalg.full_precision
def joint_log_density(
    log_weights: Tensor,  # (*batch, K)
    loc: Tensor,  # (*batch, K, D)
    diagonal: Tensor,  # (*batch, K, D)
    factor: Tensor,  # (*batch, K, D, R)
    value: Tensor,  # (*batch, D)
) -> Tensor:  # (*batch, K)
    r"""Returns :math:`\log \pi_k + \log N_k(y)` in nats, by plain operations.

    The reference of `mixture_log_prob`: its logsumexp over the components is that.

    Example:
        >>> loc = torch.tensor([[0.0], [2.0]])
        >>> joint_log_density(
        ...     torch.tensor([0.5, 0.5]).log(), loc, torch.ones(2, 1), torch.zeros(2, 1, 0),
        ...     torch.zeros(1),
        ... )
        tensor([-1.6121, -3.6121])
    """
    return log_weights + gaussian_log_density(loc, diagonal, factor, value.unsqueeze(-2))


@linalg.full_precision
def mixture_log_prob(
    log_weights: Tensor,  # (*batch, K)
    loc: Tensor,  # (*batch, K, D)
    diagonal: Tensor,  # (*batch, K, D)
    factor: Tensor,  # (*batch, K, D, R)
    value: Tensor,  # (*batch, D)
) -> Tensor:  # (*batch,)
    """Returns the mixture's log-density in nats.

    Batch shapes broadcast. What has no batch shape, or one of ones, is shared by all frames and
    never repeated; its gradient is a sum over them. Derivatives of any order are right: those of
    the gradients are autograd's, of `joint_log_density`.

    Args:
        log_weights: normalised log-weights, -inf for a component of the weight 0.
        loc: means.
        diagonal: d, positive.
        factor: U; R = 0 is the diagonal case.
        value: what the density is of.

    Example:
        >>> loc = torch.tensor([[0.0], [2.0]])
        >>> mixture_log_prob(
        ...     torch.tensor([0.5, 0.5]).log(), loc, torch.ones(2, 1), torch.zeros(2, 1, 0),
        ...     torch.zeros(1),
        ... )
        tensor(-1.4852)
    """
    tensors = (log_weights, loc, diagonal, factor, value)
    if torch.compiler.is_exporting():  # blocks are of a number of frames that a graph leaves open
        return _plain(*tensors)
    components, features, rank = log_weights.shape[-1], value.shape[-1], factor.shape[-1]
    events = (
        (components,),
        (components, features),
        (components, features),
        (components, features, rank),
        (features,),
    )
    batches = [t.shape[: -len(event)] for t, event in zip(tensors, events, strict=True)]
    frames = torch.broadcast_shapes(*batches)
    flat = _flatten(tensors, events, batches, frames)
    if flat is None:
        return _plain(*tensors)
    return _MixtureLogProb.apply(torch.is_grad_enabled(), *flat).view(frames)


def _plain(*tensors: Tensor) -> Tensor:
    """Returns the mixture's log-density by plain operations."""
    return torch.logsumexp(joint_log_density(*tensors), dim=-1)


def _flatten(
    tensors: tuple[Tensor, ...],
    events: tuple[tuple[int, ...], ...],
    batches: list[Size],
    frames: Size,
) -> list[Tensor] | None:
    """Returns the tensors with their batch shape flattened: all frames, or 1 where they share it.

    None where blocks have no advantage: for high ranks, for no frames at all, and for contexts that
    serve several values each, as the determinant of each would be computed for every value.
    """
    count = math.prod(frames)
    if count == 0 or events[3][-1] > linalg.UNROLLED_RANK:
        return None
    if any(math.prod(batch) != 1 and batch != frames for batch in batches[:-1]):
        return None
    dtype = functools.reduce(torch.promote_types, [tensor.dtype for tensor in tensors])
    flat = []
    for tensor, event, batch in zip(tensors, events, batches, strict=True):
        # One value for many contexts is repeated: it is small beside their parameters.
        shared = math.prod(batch) == 1 and event is not events[-1]
        own, shape = (batch if shared else frames), (1 if shared else count, *event)
        tensor = tensor.to(dtype)
        # What fits already needs no views, each of which autograd would record.
        if tensor.shape != shape:
            tensor = tensor.expand(*own, *event).reshape(shape)
        flat.append(tensor)
    return flat


class _MixtureLogProb(Function):
    """Computes the log-density (N,) of tensors of N frames, or 1 where all frames share one.

    The forward pass has all that the gradients need in the cache, so it writes them there and then;
    the backward pass multiplies them by what reaches each frame. What is shared sums over the
    frames, with weights known only then, so it waits for the backward pass.
    """

    @staticmethod
    def forward(ctx: Any, differentiable: bool, *tensors: Tensor) -> Tensor:
        ctx.save_for_backward(*tensors)
        ctx.gradients = None
        wanted = ctx.needs_input_grad[1:] if differentiable else (False,) * len(tensors)
        count = len(tensors[-1])
        if any(need and len(t) != count for need, t in zip(wanted, tensors, strict=True)):
            wanted = (False,) * len(tensors)
        log_prob, *found = evaluate(tensors, wanted, later=True)
        if any(wanted):
            ctx.gradients = found
        return log_prob

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        tensors = ctx.saved_tensors
        wanted = ctx.needs_input_grad[1:]
        if torch.is_grad_enabled():
            return None, *_differentiable_gradients(tensors, wanted, gradient)
        found, ctx.gradients = ctx.gradients, None  # a second pass computes them again
        if found is None:
            return None, *evaluate(tensors, wanted, gradient)[1]
        gradients, weights = found
        if weights is not None:
            return None, *finish(gradients, wanted, weights.mul_(gradient.unsqueeze(-1)))
        for one in gradients:
            if one is not None:
                one.mul_(gradient.view(-1, *[1] * (one.dim() - 1)))
        return None, *gradients


def _differentiable_gradients(
    tensors: tuple[Tensor, ...], wanted: tuple[bool, ...], gradient: Tensor
) -> list[Tensor | None]:
    """Returns gradients that are functions of all tensors and of what reaches the log-density."""
    log_prob = _plain(*tensors)
    inputs = [tensor for tensor, need in zip(tensors, wanted, strict=True) if need]
    found = iter(
        torch.autograd.grad(log_prob, inputs, gradient, create_graph=True, allow_unused=True)
    )
    return [next(found) if need else None for need in wanted]
