"""The parameters of a frame's density by name, as a program without PyTorch wants them."""

from functools import singledispatch

from torch import Tensor
from torch.distributions import Distribution

from seqmdn.distributions import (
    Autoregressive,
    Bits,
    Classes,
    DiscretisedMixture,
    FactorisedMixture,
    Flowed,
    LowRankPrecisionNormal,
    Mixture,
    Product,
)
from seqmdn.distributions.weights import log_weights_of

__all__ = ["parameters"]


@singledispatch
def parameters(density: Distribution) -> dict[str, Tensor]:
    """Return the parameters of a density by name, batch first.

    Of a mixture of Gaussians ``logits`` (B, K), normalised log-weights, ``loc`` (B, K, D),
    ``diagonal`` (B, K, D) and, of a rank above 0, ``factor`` (B, K, D, R): the precision of a
    component is diag(diagonal) + factor factor'. Of a factorised one ``logits``, ``loc`` and
    ``scale`` (B, D, K), standard deviations. Of a Gaussian the same without logits and K. Of
    levels ``logits``, ``loc`` and ``inverse_scale`` (B, K). Of classes ``log_prob_of_classes``
    (B, D, C). Of bits ``bits`` (B, E), the logits of each, and ``couplings``
    (B, E (E - 1) / 2). Of independent parts those of each, with ``part_0_``, ``part_1_`` ... before
    their names. Of a flow those of the mixture beneath it. Nothing where features are drawn in
    turn: each of their mixtures depends on the features before it.

    Args:
        density: Of batch shape (B,).

    Raises:
        NotImplementedError: If it is of another kind.

    Example:
        >>> import torch
        >>> parameters(LowRankPrecisionNormal(torch.zeros(1, 2), torch.ones(1, 2)))
        {'loc': tensor([[0., 0.]]), 'diagonal': tensor([[1., 1.]])}
    """
    raise NotImplementedError(
        f"a {type(density).__name__} has no parameters that are known to an exported step: use a "
        "head whose density is a mixture, with a flow or bits or without, or levels or classes"
    )


@parameters.register
def _(density: LowRankPrecisionNormal) -> dict[str, Tensor]:
    found = {"loc": density.loc, "diagonal": density.diagonal}
    return found | ({"factor": density.factor} if density.rank else {})


@parameters.register
def _(density: Mixture) -> dict[str, Tensor]:
    logits = {"logits": density.mixture_distribution.logits}
    return logits | parameters(density.component_distribution)


@parameters.register
def _(density: FactorisedMixture) -> dict[str, Tensor]:
    components = density.component_distribution
    return {
        "logits": density.mixture_distribution.logits,
        "loc": components.loc,
        "scale": components.scale,
    }


@parameters.register
def _(density: DiscretisedMixture) -> dict[str, Tensor]:
    return {
        "logits": log_weights_of(density.mixture_distribution),
        "loc": density.loc,
        "inverse_scale": density.inverse_scale,
    }


@parameters.register
def _(density: Classes) -> dict[str, Tensor]:
    return {"log_prob_of_classes": density.class_log_prob}


@parameters.register
def _(density: Bits) -> dict[str, Tensor]:
    found = {"bits": density.logits}
    return found | ({} if density.couplings is None else {"couplings": density.couplings})


@parameters.register
def _(density: Flowed) -> dict[str, Tensor]:
    return parameters(density.base)


@parameters.register
def _(density: Autoregressive) -> dict[str, Tensor]:
    return {}


@parameters.register
def _(density: Product) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    others = [part for part in density.parts if not isinstance(part, Bits)]
    for part in density.parts:
        # Bits have names of their own; of several others, each is told by its number.
        many = len(others) > 1 and not isinstance(part, Bits)
        before = f"part_{others.index(part)}_" if many else ""
        found |= {f"{before}{name}": value for name, value in parameters(part).items()}
    return found
