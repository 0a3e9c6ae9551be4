"""What a user would write today for the densities that seqmdn computes.

Each takes the tensors that `parameters` makes and a value (N, D), and returns log-densities (N,).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
)

from seqmdn.distributions import LowRankPrecisionNormal, Mixture
from seqmdn.distributions.weights import mixing_weights

__all__ = [
    "bivariate",
    "dense_precision",
    "independent",
    "mixture",
    "ours",
    "parameters",
    "plain",
    "triangular",
]


def parameters(frames: int, components: int, features: int, rank: int) -> dict[str, Tensor]:
    """Return random tensors that require gradients, the diagonal positive, and a value."""
    torch.manual_seed(0)
    made = {
        "logits": torch.randn(frames, components),
        "loc": torch.randn(frames, components, features),
        "diagonal": 0.5 + torch.rand(frames, components, features),
    }
    if rank:
        made["factor"] = 0.5 * torch.randn(frames, components, features, rank)
    return {name: tensor.requires_grad_() for name, tensor in made.items()}


def mixture(made: dict[str, Tensor]) -> Mixture:
    """Return ours as `MixtureHead` makes it."""
    components = LowRankPrecisionNormal(made["loc"], made["diagonal"], made.get("factor"))
    return Mixture(mixing_weights(made["logits"]), components)


def ours(made: dict[str, Tensor], value: Tensor) -> Tensor:
    """Return the log-density as the library computes it."""
    return mixture(made).log_prob(value)


def plain(made: dict[str, Tensor], value: Tensor) -> Tensor:
    """Return the same by the formula in plain operations, which autograd differentiates."""
    return mixture(made)._joint(value).logsumexp(-1)


def dense_precision(made: dict[str, Tensor], value: Tensor) -> Tensor:
    """Return that of torch's mixture by precision, the one form that takes D + UU'."""
    factor = made["factor"]
    precision = torch.diag_embed(made["diagonal"]) + factor @ factor.mT
    components = MultivariateNormal(made["loc"], precision_matrix=precision)
    return MixtureSameFamily(Categorical(logits=made["logits"]), components).log_prob(value)


def independent(made: dict[str, Tensor], value: Tensor) -> Tensor:
    """Return that of torch's diagonal mixture, the diagonal taken as deviations."""
    components = Independent(Normal(made["loc"], made["diagonal"]), 1)
    return MixtureSameFamily(Categorical(logits=made["logits"]), components).log_prob(value)


def triangular(made: dict[str, Tensor], value: Tensor) -> Tensor:
    """Return that of torch's mixture of Gaussians by the triangles of their covariances, D = 2."""
    deviations, below = made["diagonal"], made["factor"][..., 0, 0]
    zero = torch.zeros_like(below)
    rows = torch.stack([deviations[..., 0], zero, below, deviations[..., 1]], dim=-1)
    components = MultivariateNormal(made["loc"], scale_tril=rows.unflatten(-1, (2, 2)))
    return MixtureSameFamily(Categorical(logits=made["logits"]), components).log_prob(value)


def bivariate(made: dict[str, Tensor], value: Tensor) -> Tensor:
    """Return that of the bivariate mixture with correlation, as Graves (2013) writes it."""
    x, y = (value.unsqueeze(-2) - made["loc"]).unbind(-1)  # (N, K) each
    first, second = made["diagonal"].unbind(-1)
    correlation = torch.tanh(made["factor"][..., 0, 0])
    x, y = x / first, y / second
    rest = 1 - correlation.square()
    form = (x.square() + y.square() - 2 * correlation * x * y) / rest
    log_scale = first.log() + second.log() + 0.5 * rest.log()
    joint = made["logits"].log_softmax(-1) - 0.5 * form - log_scale - math.log(2 * math.pi)
    return joint.logsumexp(-1)
