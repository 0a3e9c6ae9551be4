"""Densities whose every property is known, and data drawn from them or from others."""

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, Normal

from seqmdn.data import Chain, Identity, Logit, Standardise
from seqmdn.distributions import FactorisedMixture, Flowed, LowRankPrecisionNormal, Mixture
from seqmdn.flows import AffineCoupling

D, K = 3, 4


def mixture(*batch: int, features: int = D, rank: int = 2, seed: int = 0) -> Mixture:
    """A joint mixture with dependent features, in float64."""
    make = partial(torch.randn, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    components = LowRankPrecisionNormal(
        2 * make(*batch, K, features),
        make(*batch, K, features).exp(),
        make(*batch, K, features, rank),
    )
    return Mixture(Categorical(logits=make(*batch, K)), components)


def factorised(*batch: int, seed: int = 0) -> FactorisedMixture:
    """Independent features, each a mixture, in float64."""
    make = partial(torch.randn, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    normal = Normal(2 * make(*batch, D, K), make(*batch, D, K).exp())
    return FactorisedMixture(Categorical(logits=make(*batch, D, K)), normal)


def normal(*batch: int, features: int = 1, scale: float = 1.0) -> LowRankPrecisionNormal:
    """Independent Gaussians of mean 0."""
    return LowRankPrecisionNormal(
        torch.zeros(*batch, features), torch.full((*batch, features), scale**-2)
    )


def standardise() -> Standardise:
    return Standardise(D).fit(torch.tensor([[-9.0, 0.0, 5.0], [11.0, 1.0, 5.0]])).double()


def shift() -> Standardise:
    return Standardise(D).fit(torch.tensor([[1.0] * D, [5.0] * D])).double()


def logit() -> Logit:
    fitted = Logit(D, low=-1.0, high=4.0).fit(torch.linspace(-0.9, 3.0, 30).reshape(10, D))
    return fitted.double()


def flow() -> Any:
    """A map that mixes features."""
    module = AffineCoupling(D, transforms=2, hidden=8).double()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(0.3 * noise.to(parameter))
    return module()


def densities(*batch: int) -> dict[str, Distribution]:
    """One of each kind."""
    return {
        "gaussian": normal(*batch, features=D),
        "mixture": mixture(*batch),
        "factorised": factorised(*batch),
        "standardised": Flowed(mixture(*batch), Chain([Identity(), standardise()])),
        "twice standardised": Flowed(Flowed(mixture(*batch), standardise()), shift()),
        "logit": Flowed(factorised(*batch), Chain([logit(), shift()])),
        "flow": Flowed(Flowed(mixture(*batch), flow()), standardise()),
    }


def by_conditionals(density: Distribution, value: Tensor) -> Tensor:
    """The Rosenblatt transform, feature after feature, from conditionals and their cdf."""
    features, found = value.shape[-1], []
    for d in range(features):
        rest = density if d == features - 1 else density.marginal(range(d + 1))
        if d:
            rest = rest.condition(value[..., : d + 1], torch.arange(d + 1) < d)
        found.append(rest.cdf(value[..., d : d + 1]))
    return torch.cat(found, dim=-1)
