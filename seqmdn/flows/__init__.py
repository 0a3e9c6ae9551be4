"""Invertible maps f(y | h) with tractable Jacobians: the only door to the flow library.

A flow is a module whose ``forward(context)`` returns a :class:`torch.distributions.Transform`
with ``call_and_ladj(y) -> (z, ladj)``; without context it is the same map at every time step.
Any zuko ``LazyTransform`` is such a module; :class:`Lazy` makes one that a configuration names.
Ours add three things to zuko's: they begin as the identity, so that a flow before a mixture starts
as that mixture; they say what is wrong with their arguments; and they keep torch's validation on.

Two flows of data, not of parameters, do not begin as the identity: :class:`Logit`, which bounded
data need from the start, and :class:`ActivationNorm` once it has seen a batch. Dequantisation and
standardisation are no flows: they belong to the data and happen before any model sees a frame
(:class:`seqmdn.data.UniformDequantise`, :class:`seqmdn.data.Standardise`).
"""

from torch.distributions import Distribution

from seqmdn.flows.autoregressive import InverseAutoregressive, MaskedAutoregressive
from seqmdn.flows.conditioned import Conditioned
from seqmdn.flows.coupling import AffineCoupling, SplineCoupling
from seqmdn.flows.flow import Flow
from seqmdn.flows.lazy import Lazy
from seqmdn.flows.linear import LULinear
from seqmdn.flows.logit import Logit
from seqmdn.flows.normalisation import ActivationNorm
from seqmdn.flows.prediction import LinearPrediction
from seqmdn.flows.sequential import Sequential

__all__ = [
    "ActivationNorm",
    "AffineCoupling",
    "Conditioned",
    "Flow",
    "InverseAutoregressive",
    "LULinear",
    "Lazy",
    "LinearPrediction",
    "Logit",
    "MaskedAutoregressive",
    "Sequential",
    "SplineCoupling",
]

# Importing zuko turns argument validation off for every distribution of the process.
Distribution.set_default_validate_args(__debug__)
