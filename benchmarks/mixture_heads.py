"""Heads that make the mixtures of other libraries: what a user would put behind the same network.

Each is a head as any other, so that a recipe's data, network, optimiser and budget are those of
ours, and so is the start: weights that hardly depend on h, the means and shares of the same
clustering, the deviations of the frames around their centres. A covariance begins without
correlations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
import zuko
from torch import Tensor, nn
from torch.distributions import (
    Categorical,
    Distribution,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
)
from torch.nn import functional as F

import seqmdn.flows  # noqa: F401  # after zuko's import, which turns validation off, it is on again
from seqmdn.clustering import kmeans

__all__ = ["TorchMixture", "ZukoMixture"]

Covariance = Literal["diagonal", "full"]
SMALLEST = 1e-6  # deviation, in that of the data; zuko's own


class ZukoMixture(nn.Module):
    """zuko's conditional mixture of Gaussians, affine in h; deviations are exponentials.

    Args:
        features: Number of features D of a frame.
        context: Number of features H of h.
        components: Number of components K.
        covariance: ``"diagonal"``, or ``"full"`` by the triangle of the covariance.
    """

    def __init__(
        self, features: int, context: int, components: int, covariance: Covariance = "full"
    ) -> None:
        super().__init__()
        self.components = components
        self.mixture = zuko.mixtures.GMM(
            features,
            context,
            components,
            covariance_type=covariance,
            epsilon=SMALLEST,
            hidden_features=[],
        )
        _forget(self.mixture.hyper[0])

    def forward(self, h: Tensor) -> Distribution:
        """Return the density of frames given h, its arguments unchecked, as zuko leaves them."""
        checked = Distribution._validate_args
        Distribution.set_default_validate_args(False)
        try:
            density = part = self.mixture(h)
        finally:
            Distribution.set_default_validate_args(checked)
        # What they are asked later follows the setting of then, unless they say otherwise.
        while part is not None:
            part._validate_args = False
            part = getattr(part, "base", None) or getattr(part, "base_dist", None)
        return density

    def initialise(self, values: Tensor) -> None:
        """Place the components on frames ``(N, D)``, as ours are placed."""
        _place(self.mixture.hyper[0], values, self.components, torch.log)


class TorchMixture(nn.Module):
    """A mixture composed from torch.distributions, its parameters affine in h.

    Args:
        features: Number of features D of a frame.
        context: Number of features H of h.
        components: Number of components K.
        covariance: ``"diagonal"``, of independent normals, or ``"full"``, of multivariate ones by
            the triangle of the covariance.
        positive: How deviations become positive, ``"softplus"`` or ``"exp"``.
    """

    def __init__(
        self,
        features: int,
        context: int,
        components: int,
        covariance: Covariance = "full",
        positive: Literal["softplus", "exp"] = "softplus",
    ) -> None:
        super().__init__()
        K, D = components, features
        self.components, self.features = components, features
        self.positive = positive
        self.sizes = [K, K * D, K * D]
        if covariance == "full":
            self.sizes.append(K * (D * (D - 1) // 2))
        self.projection = nn.Linear(context, sum(self.sizes))
        below = torch.tril_indices(D, D, offset=-1)
        self.register_buffer("below", below, persistent=False)  # (2, D (D - 1) / 2)
        _forget(self.projection)

    def forward(self, h: Tensor) -> Distribution:
        """Return the density of frames given h, its arguments checked, as torch has it."""
        logits, loc, raw, *rest = self.projection(h).split(self.sizes, dim=-1)
        loc, raw = (part.unflatten(-1, (self.components, -1)) for part in (loc, raw))
        deviations = SMALLEST + (raw.exp() if self.positive == "exp" else F.softplus(raw))
        weights = Categorical(logits=logits)
        if not rest:
            return MixtureSameFamily(weights, Independent(Normal(loc, deviations), 1))
        triangle = torch.diag_embed(deviations)  # (*batch, K, D, D)
        rows, columns = self.below
        triangle[..., rows, columns] = rest[0].unflatten(-1, (self.components, -1))
        return MixtureSameFamily(weights, MultivariateNormal(loc, scale_tril=triangle))

    def initialise(self, values: Tensor) -> None:
        """Place the components on frames ``(N, D)``, as ours are placed."""
        exponential = self.positive == "exp"
        _place(
            self.projection,
            values,
            self.components,
            torch.log if exponential else lambda deviations: deviations.expm1().log(),
        )


@torch.no_grad()
def _forget(projection: nn.Linear) -> None:
    """Begin with parameters that hardly depend on h, as ours do."""
    nn.init.normal_(projection.weight, std=0.1 / math.sqrt(projection.in_features))
    projection.bias.zero_()


@torch.no_grad()
def _place(
    projection: nn.Linear, values: Tensor, components: int, before: Callable[[Tensor], Tensor]
) -> None:
    """Place the components by logits, means and deviations, which a projection gives first.

    Args:
        projection: The projection.
        values: Frames ``(N, D)`` in the head's units.
        components: Number of components K.
        before: Returns what deviations are made of.
    """
    centres, labels = kmeans(values, components)  # (K, D)
    shares = torch.bincount(labels, minlength=components).clamp(min=1).log()
    deviations = (values - centres[labels]).square().mean(0).clamp(min=1e-4).sqrt()  # (D,)
    begin = [shares - shares.mean(), centres, before(deviations).expand_as(centres)]
    placed = torch.cat([part.flatten() for part in begin])
    projection.bias[: len(placed)] = placed
