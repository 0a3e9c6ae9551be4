"""The log-density of mixtures over all inputs, without a tensor of (batch, out, in)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from seqmdn import linalg

__all__ = ["plain_log_density", "reduced_log_density"]

# Elements of each of two work arrays. On a CPU a block of 2^17 floats stays near the cache, and is
# long enough that Python's share is small; twice as long, it is a tenth faster, for twice as much.
_ON_CPU, _ELSEWHERE = 2**17, 2**24
# Below that many inputs, runs along the inputs are too short for vector instructions.
_SHORT = 64


@linalg.full_precision
def plain_log_density(
    x: Tensor,  # (*batch, in)
    mean: Tensor,  # (out, in)
    inverse_scale: Tensor,  # (out, in)
    log_coefficient: Tensor,  # (out, in)
) -> Tensor:  # (*batch, out)
    r"""Return what :func:`reduced_log_density` does, by plain operations on all pairs at once.

    The reference of tests, and the way to second derivatives; it holds several tensors of shape
    ``(*batch, out, in)``.

    Example:
        >>> one = torch.ones(1, 1)
        >>> plain_log_density(torch.tensor([[3.0]]), one, one, 0 * one)
        tensor([[-2.]])
    """
    distance = (x.unsqueeze(-2) - mean) * inverse_scale
    return torch.logsumexp(log_coefficient - 0.5 * distance.square(), dim=-1)


@torch.compiler.disable  # which would unroll the blocks, each of them a graph
@linalg.full_precision
def reduced_log_density(
    x: Tensor,  # (*batch, in)
    mean: Tensor,  # (out, in)
    inverse_scale: Tensor,  # (out, in)
    log_coefficient: Tensor,  # (out, in)
) -> Tensor:  # (*batch, out)
    r"""Return the log-density of each neuron's mixture, and keep nothing but the arguments.

    .. math:: y_j = \log \sum_k \exp\left(c_{jk} - \tfrac12 t_{jk}^2\right), \quad
        t_{jk} = (x_k - \mu_{jk}) / \sigma_{jk}

    Blocks of rows and neurons, each with all of its inputs, are computed one after the other in two
    work arrays, so that there is no running maximum to correct: a block has its own. The softmax r
    of a block's exponents holds the responsibilities, and as its largest entry is :math:`e^{a_{max}
    - y}`, the log-density is :math:`a_{max} - \log r_{max}`: exact however far away x is. The
    backward pass computes the responsibilities again, a second time the forward's work:

    .. math:: \frac{\partial y_j}{\partial c_{jk}} = r_{jk}, \quad
        \frac{\partial y_j}{\partial \mu_{jk}} = \frac{r_{jk} t_{jk}}{\sigma_{jk}}, \quad
        \frac{\partial y_j}{\partial \sigma_{jk}^{-1}} = -r_{jk} t_{jk}^2 \sigma_{jk}, \quad
        \frac{\partial y_j}{\partial x_k} = -\frac{r_{jk} t_{jk}}{\sigma_{jk}}

    The square is never expanded into :math:`x^2 - 2 x \mu + \mu^2`, which would be a matrix product
    and loses its digits where x is far from 0 by comparison with the scale (in float32 an error of
    1e-2). A coefficient of :math:`-\infty` removes a component, without a NaN in any gradient.

    Args:
        x: Inputs, finite.
        mean: :math:`\mu`.
        inverse_scale: :math:`1 / \sigma`, positive.
        log_coefficient: :math:`c = \log \pi - \log \sigma - \tfrac12 \log 2 \pi`; at least one of
            each neuron is finite.

    Returns:
        y, in float32 or wider even under autocast.

    Raises:
        RuntimeError: If a second derivative is asked for: :func:`plain_log_density` has it.

    Example:
        >>> one = torch.ones(1, 1)
        >>> reduced_log_density(torch.tensor([[3.0]]), one, one, 0 * one)
        tensor([[-2.]])
    """
    if torch.compiler.is_exporting():  # blocks are of a number of rows that a graph leaves open
        return plain_log_density(x, mean, inverse_scale, log_coefficient)
    rows = x.reshape(-1, x.shape[-1])
    y: Tensor = _LogDensity.apply(rows, mean, inverse_scale, log_coefficient)
    return y.view(*x.shape[:-1], len(mean))


class _LogDensity(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, mean: Tensor, inverse_scale: Tensor, log_coefficient: Tensor
    ) -> Tensor:
        ctx.save_for_backward(x, mean, inverse_scale, log_coefficient)
        y = x.new_empty(len(mean), len(x))
        blocks = _Blocks(x, mean, inverse_scale, log_coefficient)
        for rows, neurons, free, exponents in blocks:
            highest = y[neurons, rows]
            torch.amax(exponents, blocks.inputs, out=highest)
            torch.softmax(exponents, blocks.inputs, out=free)
            highest.sub_(free.amax(blocks.inputs).log_())
        return y.t()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        with torch.no_grad():
            found = _gradients(ctx.needs_input_grad[0], gradient, *saved)
        if torch.is_grad_enabled():  # a graph of this pass is asked for
            return tuple(each if each is None else _Once.apply(each, *saved) for each in found)
        return found


class _Once(Function):
    """Hands a gradient on, and says so where it is differentiated instead of calling it constant.

    (torch's `once_differentiable` does the latter where the incoming gradient is a constant.)
    """

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, *arguments: Tensor) -> Tensor:
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        raise RuntimeError(
            "expected a first derivative of a layer of mixtures, found a second one: use its method"
            " plain in the place of a call (seqmdn.backbones.ugmm.reduction.plain_log_density),"
            " which holds a tensor of (batch, out, in)"
        )


def _gradients(
    of_x: bool,
    gradient: Tensor,
    x: Tensor,
    mean: Tensor,
    inverse_scale: Tensor,
    log_coefficient: Tensor,
) -> tuple[Tensor | None, ...]:
    gradient = gradient.t().contiguous()  # (out, batch)
    # Sums over the batch of the responsibilities times t to the powers of 0, 1 and 2.
    sums = x.new_zeros(3, *mean.shape).unsqueeze(-2)  # (3, out, 1, in)
    along_x = torch.zeros_like(x) if of_x else None
    blocks = _Blocks(x, mean, inverse_scale, log_coefficient)
    for rows, neurons, distance, exponents in blocks:
        torch.softmax(exponents, blocks.inputs, out=exponents)
        t, r = blocks.seen(distance), blocks.seen(exponents)
        along = gradient[neurons, rows].unsqueeze(-2)  # (out, 1, batch)
        sums[0, neurons].baddbmm_(along, r)
        r.mul_(t)
        sums[1, neurons].baddbmm_(along, r)
        sums[2, neurons].baddbmm_(along, t.mul_(r))
        if along_x is not None:
            r.mul_(along.mT).mul_(inverse_scale[neurons].unsqueeze(1))
            along_x[rows].sub_(r.sum(0))
    zeroth, first, second = sums.squeeze(-2)
    return along_x, first * inverse_scale, -second / inverse_scale, zeroth


class _Blocks:
    """Walks over rows and neurons, and gives the exponents of each block.

    A block is ``(out, batch, in)``, or ``(out, in, batch)`` in memory where there are few inputs,
    so that the last dimension is long; `seen` gives either as the former, and `inputs` says which
    dimension they are.
    """

    def __init__(
        self,
        x: Tensor,
        mean: Tensor,
        inverse_scale: Tensor,
        log_coefficient: Tensor,
    ) -> None:
        count, inputs = x.shape
        self.turned = inputs < min(count, _SHORT)
        self.inputs = 1 if self.turned else 2
        self.x = x.t().contiguous().t() if self.turned else x
        self.parts = mean, inverse_scale, log_coefficient
        elements = _ON_CPU if x.device.type == "cpu" else _ELSEWHERE
        self.rows = max(1, min(count, elements // inputs))
        self.neurons = max(1, min(len(mean), elements // (inputs * self.rows)))

    def seen(self, block: Tensor) -> Tensor:
        """Return a block as ``(out, batch, in)``."""
        return block.mT if self.turned else block

    def __iter__(self) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
        count, inputs = self.x.shape
        total = len(self.parts[0])
        work = self.x.new_empty(2, self.neurons * self.rows * inputs)
        for first in range(0, count, self.rows):
            rows = slice(first, min(count, first + self.rows))
            height = rows.stop - first
            for start in range(0, total, self.neurons):
                neurons = slice(start, min(total, start + self.neurons))
                width = neurons.stop - start
                shape = (width, inputs, height) if self.turned else (width, height, inputs)
                free, exponents = (each[: width * height * inputs].view(shape) for each in work)
                mean, inverse_scale, log_coefficient = (
                    part[neurons].unsqueeze(1) for part in self.parts
                )
                t = self.seen(free)
                torch.sub(self.x[rows], mean, out=t)
                t.mul_(inverse_scale)
                torch.addcmul(log_coefficient, t, t, value=-0.5, out=self.seen(exponents))
                yield rows, neurons, free, exponents
