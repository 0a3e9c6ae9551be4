"""The flows that the tests run over."""

from collections.abc import Callable
from functools import partial

import zuko
from torch import nn

from seqmdn.flows import (
    ActivationNorm,
    AffineCoupling,
    Conditioned,
    Flow,
    InverseAutoregressive,
    LinearPrediction,
    LULinear,
    MaskedAutoregressive,
    Sequential,
    SplineCoupling,
)
from tests.contracts import FlowKind

PARTS: list[Callable[[int, int], nn.Module]] = [
    partial(AffineCoupling, transforms=1),
    LULinear,
    partial(MaskedAutoregressive, transforms=1),
]


def settled(features: int, context: int) -> ActivationNorm:
    """Makes a normalisation that no batch will set again; its own tests are about batches."""
    norm = ActivationNorm(features, context)
    norm.initialised.fill_(True)
    return norm


def predicting(features: int, context: int) -> LinearPrediction:
    return LinearPrediction(features, context, order=min(features, 3), hidden=8)


def some_columns(features: int, context: int) -> Conditioned:
    return Conditioned(features, context, AffineCoupling, [1, 3] if context else [])


KINDS = [
    FlowKind("affine coupling", AffineCoupling, 3e-6),
    FlowKind("spline coupling", SplineCoupling, 1e-5),
    FlowKind("random masks", partial(AffineCoupling, mask="random", transforms=3), 3e-6),
    FlowKind("halves", partial(SplineCoupling, mask="half"), 1e-5),
    FlowKind("mixing", partial(AffineCoupling, mixing=True), 5e-6),
    FlowKind("autoregressive affine", MaskedAutoregressive, 3e-6),
    FlowKind("autoregressive spline", partial(MaskedAutoregressive, univariate="spline"), 1e-5),
    FlowKind("inverse affine", InverseAutoregressive, 3e-6, widest=64),
    FlowKind(
        "inverse spline", partial(InverseAutoregressive, univariate="spline"), 1e-5, widest=64
    ),
    FlowKind("linear", LULinear, 3e-6),
    FlowKind("linear prediction", predicting, 3e-6),
    FlowKind("normalisation", settled, 3e-6),
    FlowKind("sequential", partial(Sequential, flows=PARTS), 5e-6),
    FlowKind("some columns", some_columns, 3e-6),
    FlowKind("zuko coupling", zuko.flows.GeneralCouplingTransform, 3e-6, ours=False),
    FlowKind("zuko autoregressive", zuko.flows.MaskedAutoregressiveTransform, 3e-6, ours=False),
]
OURS: dict[str, Callable[..., Flow]] = {kind.name: kind.make for kind in KINDS if kind.ours}
NETWORKS = {
    name: OURS[name]
    for name in (
        "affine coupling",
        "spline coupling",
        "autoregressive affine",
        "autoregressive spline",
        "inverse affine",
    )
}
SPLINES = [OURS["spline coupling"], OURS["autoregressive spline"]]
COUPLINGS = (AffineCoupling, SplineCoupling)
