"""The heads that the tests run over, and their densities written by hand."""

from functools import partial

import torch
import zuko
from torch import Tensor, nn
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal, Normal

from seqmdn.flows import MaskedAutoregressive, SplineCoupling
from seqmdn.heads import AutoregressiveHead, FlooredMixtureHead, FlowMixtureHead, MixtureHead
from tests.contracts import HeadKind


def dense(head: nn.Module, h: Tensor, raw: Tensor, y: Tensor) -> Tensor:
    """Builds the density from the projection's numbers, in their order, with torch's own parts."""

    def made_positive(free: Tensor) -> Tensor:
        if isinstance(head, FlooredMixtureHead):
            deviation = head.narrowest + free.exp().log1p()
            return head.floor + (1 - head.floor * head.narrowest**2) / deviation**2
        return (free.exp() if head.positive == "exp" else free.exp().log1p()) + head.floor

    K, D, batch = head.components, head.features, h.shape[:-1]

    def take(*shape: int) -> Tensor:
        nonlocal raw
        count = int(torch.tensor(shape).prod())
        part, raw = raw[..., :count], raw[..., count:]
        return part.reshape(*batch, *shape)

    if head.factorised:
        logits, loc, free = take(D, K), take(D, K), take(D, K)
        scale = made_positive(free) ** -0.5
        parts = logits.log_softmax(-1) + Normal(loc, scale).log_prob(y.unsqueeze(-1))
        return parts.logsumexp(-1).sum(-1)
    logits, loc = take(K), take(K, D)
    free = take(K, 1).repeat_interleave(D, -1) if head.covariance == "spherical" else take(K, D)
    precision = torch.diag_embed(made_positive(free))
    if head.covariance in ("lowrank", "full"):
        tied = head.factor == "tied"
        if head.covariance == "lowrank":
            R = head.rank
            factor = head.tied_factor.reshape(K, D, R) if tied else take(K, D, R)
        else:
            packed = head.tied_factor if tied else take(K, D * (D + 1) // 2)
            factor = torch.zeros(*packed.shape[:-1], D, D, dtype=h.dtype)
            place = 0
            for i in range(D):
                for j in range(i + 1):
                    factor[..., i, j] = packed[..., place]
                    place += 1
        precision = precision + factor @ factor.mT
    assert raw.shape[-1] == 0, "numbers that nothing uses"
    components = MultivariateNormal(loc, precision_matrix=precision)
    return MixtureSameFamily(Categorical(logits=logits), components).log_prob(y)


def dense_flow(head: nn.Module, h: Tensor, raw: Tensor, y: Tensor) -> Tensor:
    """Adds autograd's log-determinant to the density of z."""
    found = []
    for whole, numbers, frame in zip(
        *(tensor.flatten(0, -2) for tensor in (h, raw, y)), strict=True
    ):
        context = whole
        columns = head.conditional
        if not isinstance(columns, bool):
            context = context[list(columns)]
        transform = head.flow(context if columns else None)
        jacobian = torch.autograd.functional.jacobian(transform, frame)
        density = dense(head, whole, numbers, transform(frame))
        found.append(density + jacobian.slogdet().logabsdet)
    return torch.stack(found).view(h.shape[:-1])


def in_turn(head: nn.Module, h: Tensor, raw: Tensor, y: Tensor) -> Tensor:
    """Builds the density group by group, hidden unit sums and all, with torch's own parts."""
    K, S, R, network = head.components, head.group, head.rank, head.network
    groups, total = head.features // S, torch.zeros((), dtype=h.dtype)
    offsets = []  # of each kind of number, (*batch, G, numbers)
    for numbers in [K, K * S, K * S, K * S * R]:
        part, raw = raw[..., : groups * numbers], raw[..., groups * numbers :]
        offsets.append(part.reshape(*h.shape[:-1], groups, numbers))
    assert raw.shape[-1] == 0, "numbers that nothing uses"
    for g in range(groups):
        sums = network.context(h) + network.bias[g]
        for place in range(g * S):
            sums = sums + network.weight[place] * y[..., head.order[place], None]
        own = torch.cat([part[..., g, :] for part in offsets], dim=-1)
        own = own + (sums * sums.sigmoid()) @ network.output[g]
        logits, loc, free, factor = own.split([K, K * S, K * S, K * S * R], dim=-1)
        precision = torch.diag_embed(free.reshape(*h.shape[:-1], K, S).exp().log1p() + head.floor)
        factor = factor.reshape(*h.shape[:-1], K, S, R)
        components = MultivariateNormal(
            loc.reshape(*h.shape[:-1], K, S), precision_matrix=precision + factor @ factor.mT
        )
        mixture = MixtureSameFamily(Categorical(logits=logits), components)
        total = total + mixture.log_prob(y[..., head.order[g * S : (g + 1) * S]])
    return total


def taking_turns(
    features: int, context: int, backwards: bool = False, pairs: bool = False, **options: object
) -> AutoregressiveHead:
    """In pairs, where the number of features is even and there are two of them at least."""
    paired = {"group": 2, "rank": 1} if pairs and features % 2 == 0 and features > 2 else {}
    order = list(reversed(range(features))) if backwards else None
    return AutoregressiveHead(features, context, components=3, order=order, **paired, **options)


def autoregressive(name: str, **options: object) -> HeadKind:
    return HeadKind(name, partial(taking_turns, **options), in_turn)


def mixture(name: str, **options: object) -> HeadKind:
    return HeadKind(name, partial(MixtureHead, components=3, **options), dense)


def flow(name: str, **options: object) -> HeadKind:
    return HeadKind(name, partial(FlowMixtureHead, components=3, **options), dense_flow)


def floored(name: str, **options: object) -> HeadKind:
    # Narrow enough for data that are all the same, of which the contract has some.
    return HeadKind(
        name, partial(FlooredMixtureHead, components=3, narrowest=1e-3, **options), dense
    )


MIXTURES = [
    mixture("spherical", covariance="spherical"),
    mixture("diagonal"),
    mixture("lowrank emitted", covariance="lowrank", rank=2),
    mixture("lowrank tied", covariance="lowrank", rank=2, factor="tied"),
    mixture("full emitted", covariance="full"),
    mixture("full tied", covariance="full", factor="tied"),
    mixture("factorised", factorised=True),
    mixture("exponential", covariance="lowrank", rank=2, positive="exp"),
    mixture("exponential factorised", factorised=True, positive="exp"),
    floored("floored"),
    floored("floored factorised", factorised=True),
]
SPLINES = partial(MaskedAutoregressive, univariate="spline")
FLOWS = [
    flow("affine shared"),
    flow("affine conditional", conditional=True, covariance="lowrank", rank=1),
    flow("spline shared", flow=SplineCoupling, factorised=True),
    flow("spline conditional", flow=SplineCoupling, conditional=True, covariance="spherical"),
    flow("autoregressive shared", flow=MaskedAutoregressive, covariance="full", factor="tied"),
    flow("autoregressive conditional", flow=SPLINES, conditional=True),
    flow("exponential", positive="exp"),
    flow("some columns", conditional=[2, 0]),
    flow("zuko's own", flow=zuko.flows.MaskedAutoregressiveTransform),
    flow("zuko's conditional", flow=zuko.flows.GeneralCouplingTransform, conditional=True),
]
AUTOREGRESSIVES = [
    autoregressive("in turn"),
    autoregressive("backwards, eight units", backwards=True, hidden=8),
    autoregressive("in pairs", pairs=True),
]
