"""Dense float64 references: textbook formulas on D x D matrices, with nothing from seqmdn."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

Parameters = dict[str, Tensor]


def draw_gaussian(
    batch: tuple[int, ...], features: int, rank: int, scale: float = 1.0
) -> Parameters:
    """Returns loc, diagonal and factor in float64, of unequal scales between features."""
    return {
        "loc": scale * torch.randn(*batch, features, dtype=torch.float64),
        "diagonal": (0.3 + 2 * torch.rand(*batch, features, dtype=torch.float64)) / scale**2,
        "factor": torch.randn(*batch, features, rank, dtype=torch.float64) / scale,
    }


def precision(parameters: Parameters) -> Tensor:
    """Returns diag(d) + U U'."""
    factor = parameters["factor"]
    return torch.diag_embed(parameters["diagonal"]) + factor @ factor.mT


def covariance(parameters: Parameters) -> Tensor:
    return torch.linalg.inv(precision(parameters))


def gaussian_log_prob(parameters: Parameters, value: Tensor) -> Tensor:
    dense = MultivariateNormal(parameters["loc"], precision_matrix=precision(parameters))
    return dense.log_prob(value)


def mixture_log_prob(parameters: Parameters, value: Tensor) -> Tensor:
    weights = torch.softmax(parameters["logits"], dim=-1)
    terms = []
    for k in range(weights.shape[-1]):
        one = {
            "loc": parameters["loc"][..., k, :],
            "diagonal": parameters["diagonal"][..., k, :],
            "factor": parameters["factor"][..., k, :, :],
        }
        terms.append(weights[..., k].log() + gaussian_log_prob(one, value))
    return torch.logsumexp(torch.stack(terms), dim=0)


def mixture_moments(weights: Tensor, loc: Tensor, within: Tensor) -> tuple[Tensor, Tensor]:
    """Returns mean and covariance of weights (..., K), means (..., K, D), covariances."""
    mean = torch.einsum("...k,...kd->...d", weights, loc)
    second = within + torch.einsum("...i,...j->...ij", loc, loc)
    total = torch.einsum("...k,...kij->...ij", weights, second)
    return mean, total - torch.einsum("...i,...j->...ij", mean, mean)
