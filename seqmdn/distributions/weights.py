"""Mixing weights: their exact logarithms, whatever they were made from."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution

from seqmdn import linalg

__all__ = [
    "check_weights",
    "log_weights_of",
    "mixing_weights",
    "normalised_weights",
    "tempered_weights",
    "with_log_weights",
]


def mixing_weights(logits: Tensor) -> Categorical:
    r"""Returns the weights :math:`\mathrm{softmax}(\text{logits})` of logits (*batch, K).

    `Categorical(logits=logits)` is the same, in three times the time: with few features, that is
    as long as a tenth of the density and its gradients. Nothing is checked, as `Mixture` does it.

    Example:
        >>> mixing_weights(torch.zeros(4)).probs
        tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """
    return normalised_weights(torch.log_softmax(logits, dim=-1))


def normalised_weights(log_weights: Tensor) -> Categorical:
    """Returns the weights of log-weights (*batch, K) that are normalised already, as they are.

    Nothing is checked and nothing computed: what does not sum to 1 stays so.

    Example:
        >>> normalised_weights(torch.tensor([0.25, 0.75]).log()).probs
        tensor([0.2500, 0.7500])
    """
    weights = Categorical.__new__(Categorical)
    weights.logits = weights._param = log_weights
    weights._num_events = log_weights.shape[-1]
    Distribution.__init__(weights, log_weights.shape[:-1], validate_args=False)
    return weights


def log_weights_of(categorical: Categorical) -> Tensor:  # (*batch, K)
    """Returns normalised log-weights; of one made from probabilities, exact ones.

    torch clamps probabilities away from 0 when it takes their logarithm, which would give a
    component of the weight 0 a density.

    Example:
        >>> log_weights_of(Categorical(probs=torch.tensor([0.0, 1.0])))
        tensor([-inf, 0.])
    """
    parameter = linalg.widen(categorical._param)
    if categorical._param is categorical.__dict__.get("probs"):
        return parameter.log()
    # In half precision, torch's own normalisation is off by as much.
    return parameter if parameter is categorical._param else torch.log_softmax(parameter, dim=-1)


def with_log_weights(
    weights: Categorical, dtype: torch.dtype, validate_args: bool | None
) -> Categorical:
    """Returns the same weights by exact log-weights of this precision.

    Example:
        >>> weights = Categorical(probs=torch.tensor([0.0, 1.0]))
        >>> with_log_weights(weights, torch.float64, None).logits
        tensor([-inf, 0.], dtype=torch.float64)
    """
    log_weights = log_weights_of(weights).to(dtype)
    if log_weights is weights._param:
        return weights  # to normalise again costs as much as the density of a few features
    return Categorical(logits=log_weights, validate_args=validate_args)


def check_weights(weights: Categorical) -> None:
    """Raises ValueError for weights that are NaN, in one pass: a sum is NaN where an entry is.

    Example:
        >>> check_weights(Categorical(logits=torch.zeros(2)))
    """
    parameter = weights._param.detach()
    if torch.isnan(parameter.sum()) and torch.isnan(parameter).any():
        raise ValueError(
            f"the weights hold {int(torch.isnan(parameter).sum())} NaN in {parameter.numel()}"
            f" values, shape {tuple(parameter.shape)}. Look for a diverged step or for NaN in the"
            " data before it; or for logits that are -inf for every component."
        )


def tempered_weights(categorical: Categorical, mixing: float | Tensor) -> Categorical:
    """Returns the weights to the power 1/mixing, renormalised; `mixing` is a number or (*batch,).

    Raises:
        ValueError: If `mixing` is not positive.

    Example:
        >>> tempered_weights(Categorical(probs=torch.tensor([0.2, 0.8])), 0.5).probs
        tensor([0.0588, 0.9412])
    """
    log_weights = log_weights_of(categorical)
    mixing = torch.as_tensor(mixing, dtype=log_weights.dtype, device=log_weights.device)
    if not bool((mixing > 0).all()):
        raise ValueError(f"mixing must be positive; found {mixing}.")
    return Categorical(logits=log_weights / mixing.unsqueeze(-1))
