"""The head of a network that is trained by squared error: one Gaussian of constant variance."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from seqmdn import linalg
from seqmdn.distributions import LowRankPrecisionNormal, Mixture
from seqmdn.distributions.weights import mixing_weights

__all__ = ["SquaredErrorHead"]

_SPEED = 10.0  # times as fast as a weight moves


class SquaredErrorHead(nn.Module):
    r"""A Gaussian whose mean is affine in h, and whose variance is the same for every h.

    .. math:: p(y | h) = N(y; A h + b, \mathrm{diag}(\sigma_1^2 \dots \sigma_D^2))

    The baseline of mixtures: the network of the conditional mean, with the density that is implied
    by fitting it to squared errors. In training, the gradient of :math:`-\log p` in the mean is
    that of :math:`\tfrac12 \|y - \mu\|^2`, whatever the variances are, so that features that can be
    predicted well get no more attention than others; that of the variances is their own. At the
    optimum each is the mean squared error of its feature, and the density is exact at all times.

    Args:
        features: Number of features D of a frame.
        context: Number of features H of h.

    Raises:
        ValueError: If a size is below 1.

    Example:
        >>> head = SquaredErrorHead(features=3, context=16)
        >>> density = head(torch.zeros(4, 16))
        >>> density.mean.shape, density.variance[0].detach()
        (torch.Size([4, 3]), tensor([1., 1., 1.]))
    """

    def __init__(self, features: int, context: int) -> None:
        super().__init__()
        for name, size in {"features": features, "context": context}.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, found {size}")
        self.features = features
        self.context = context
        self.projection = nn.Linear(context, features)
        nn.init.normal_(self.projection.weight, std=0.1 / math.sqrt(context))
        nn.init.zeros_(self.projection.bias)
        # An optimiser moves a weight by little at a step, and a scale may lie far from where it
        # began: as a multiple, it is there within hundreds of steps.
        self.scale = nn.Parameter(torch.zeros(features))

    def forward(self, h: Tensor) -> Mixture:
        """Return the density of the next frame.

        Args:
            h: Features ``(*batch, H)``.

        Returns:
            A mixture of one component, with batch shape ``batch`` and event shape ``(D,)``, in
            float32 or wider even under autocast.

        Raises:
            ValueError: If h does not have H features.
        """
        if h.shape[-1] != self.context:
            raise ValueError(f"h must have {self.context} features, found shape {tuple(h.shape)}")
        loc = linalg.widen(self.projection(h))
        diagonal = (-2 * _SPEED * self.scale).exp().expand_as(loc)
        if self.training:
            loc = _SquaredError.apply(loc, diagonal)
        normal = LowRankPrecisionNormal(loc.unsqueeze(-2), diagonal.unsqueeze(-2))
        return Mixture(mixing_weights(loc.new_zeros(*loc.shape[:-1], 1)), normal)

    @torch.no_grad()
    def initialise(self, values: Tensor) -> None:
        """Begin with the mean and the variance of the data, whatever h is.

        Args:
            values: Frames ``(N, D)`` in the head's units.

        Raises:
            ValueError: If the frames have other features than the head, or there are none.
        """
        if values.ndim != 2 or values.shape[1] != self.features or not len(values):
            raise ValueError(
                f"values must have shape (N, {self.features}), found {tuple(values.shape)}"
            )
        values = values.to(self.projection.bias)
        self.projection.bias.copy_(values.mean(0))
        variance = values.var(0, correction=0).clamp(min=1e-4)
        self.scale.copy_(variance.log() / (2 * _SPEED))

    def extra_repr(self) -> str:
        return f"features={self.features}"


class _SquaredError(Function):
    """Hands the mean on, and divides its gradient by the precision, which the density put there."""

    @staticmethod
    def forward(ctx: Any, loc: Tensor, diagonal: Tensor) -> Tensor:
        ctx.save_for_backward(diagonal)
        return loc.view_as(loc)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (diagonal,) = ctx.saved_tensors
        return gradient / diagonal, None
