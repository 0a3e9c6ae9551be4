"""Conditionals whose means are linear in the features before: moments by linear algebra."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Size, Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from seqmdn.distributions import Autoregressive, LowRankPrecisionNormal, Mixture
from tests.contracts import Family
from tests.distributions import dense

COMPONENTS = 3


@dataclass(frozen=True)
class Linear:
    """Groups whose means are linear in the groups before; all else does not depend on them.

    With z the features in order, z = B z + e, B block lower triangular and e a mixture a group.
    """

    matrix: Tensor  # B, (*batch, D, D)
    logits: Tensor  # (*batch, D, K), of which those of a group's first feature count
    loc: Tensor  # (*batch, D, K)
    scale: Tensor  # (*batch, D, K)
    group: int

    def every(self, frame: Tensor) -> Mixture:
        return self._mixture((self.matrix @ frame.unsqueeze(-1)).squeeze(-1), slice(None))

    def one(self, group: int, before: Tensor) -> Mixture:
        rows = slice(group * self.group, (group + 1) * self.group)
        part = self.matrix[..., rows, : before.shape[-1]]
        mixture = self._mixture((part @ before.unsqueeze(-1)).squeeze(-1), rows)
        return Mixture(
            Categorical(logits=mixture.mixture_distribution.logits.squeeze(-2)),
            LowRankPrecisionNormal(
                mixture.component_distribution.loc.squeeze(-3),
                mixture.component_distribution.diagonal.squeeze(-3),
            ),
        )

    def nothing(self, shape: Size) -> Tensor:
        return self.loc.new_zeros((*shape, 0))

    def _mixture(self, moved: Tensor, rows: slice) -> Mixture:
        def grouped(parameter: Tensor) -> Tensor:  # (*batch, G, K, S)
            return parameter[..., rows, :].unflatten(-2, (-1, self.group)).mT

        loc = grouped(self.loc) + moved.unflatten(-1, (-1, self.group)).unsqueeze(-2)
        weights = Categorical(logits=self.logits[..., rows, :][..., :: self.group, :])
        return Mixture(weights, LowRankPrecisionNormal(loc, grouped(self.scale).square() ** -1))


def order_of(features: int) -> list[int]:
    """Odd features first."""
    return [*range(1, features, 2), *range(0, features, 2)]


def family(pairs: bool) -> Family:
    """In groups of two, where there is an even number of features."""

    def size(parameters: dense.Parameters) -> int:
        return 2 if pairs and parameters["loc"].shape[-2] % 2 == 0 else 1

    def matrix(parameters: dense.Parameters) -> Tensor:
        places = torch.arange(parameters["loc"].shape[-2]) // size(parameters)
        return torch.where(places.unsqueeze(-1) > places, parameters["matrix"], 0)

    def draw(batch: tuple[int, ...], features: int, scale: float) -> dense.Parameters:
        shape = (*batch, features, COMPONENTS)
        free = torch.randn(*batch, features, features, dtype=torch.float64)
        return {
            "matrix": free / features**0.5,
            "logits": torch.randn(shape, dtype=torch.float64),
            "loc": 2 * scale * torch.randn(shape, dtype=torch.float64),
            "scale": scale * (0.3 + torch.rand(shape, dtype=torch.float64)),
        }

    def build(parameters: dense.Parameters) -> Autoregressive:
        own = {
            name: p.float() if p.dtype == torch.bfloat16 else p for name, p in parameters.items()
        }
        conditionals = Linear(**(own | {"matrix": matrix(own)}), group=size(own))
        *batch, features, _ = own["loc"].shape
        return Autoregressive(conditionals, order_of(features), conditionals.group, batch)

    def log_prob(parameters: dense.Parameters, value: Tensor) -> Tensor:
        S, total = size(parameters), torch.zeros(())
        frame = value[..., order_of(value.shape[-1])]
        for first in range(0, value.shape[-1], S):
            rows = slice(first, first + S)
            loc = parameters["loc"][..., rows, :].mT  # (*batch, K, S)
            own = matrix(parameters)[..., rows, :first]
            moved = torch.einsum("...ij,...j->...i", own, frame[..., :first])  # (*batch, S)
            loc = loc + moved.unsqueeze(-2)
            normal = Independent(Normal(loc, parameters["scale"][..., rows, :].mT), 1)
            logits = parameters["logits"][..., first, :].expand(normal.batch_shape)
            mixture = MixtureSameFamily(Categorical(logits=logits), normal)
            total = total + mixture.log_prob(frame[..., rows])
        return total

    def moments(parameters: dense.Parameters) -> tuple[Tensor, Tensor]:
        S = size(parameters)
        means, blocks = [], []
        for first in range(0, parameters["loc"].shape[-2], S):
            rows = slice(first, first + S)
            weights = torch.softmax(parameters["logits"][..., first, :], dim=-1)
            within = torch.diag_embed(parameters["scale"][..., rows, :].mT.square())
            mean, block = dense.mixture_moments(weights, parameters["loc"][..., rows, :].mT, within)
            means.append(mean)
            blocks.append(block)
        noise = torch.zeros_like(parameters["matrix"])
        for g, block in enumerate(blocks):
            noise[..., g * S : (g + 1) * S, g * S : (g + 1) * S] = block
        one = torch.eye(noise.shape[-1], dtype=noise.dtype)
        solved = torch.linalg.inv(one - matrix(parameters))
        mean = (solved @ torch.cat(means, dim=-1).unsqueeze(-1)).squeeze(-1)
        covariance = solved @ noise @ solved.mT
        back = torch.argsort(torch.tensor(order_of(noise.shape[-1])))
        return mean[..., back], covariance[..., back, :][..., back]

    def move(parameters: dense.Parameters, offset: Tensor) -> dense.Parameters:
        moved = offset * (1 - matrix(parameters).sum(-1))
        return parameters | {"loc": parameters["loc"] + moved.unsqueeze(-1)}

    return Family("pairs" if pairs else "singles", draw, build, log_prob, moments, move)


def made(
    pairs: bool, batch: tuple[int, ...] = (), features: int = 4, float32: bool = False
) -> Autoregressive:
    parameters = family(pairs).draw(batch, features, 1.0)
    if float32:
        parameters = {name: p.float() for name, p in parameters.items()}
    return family(pairs).build(parameters)
