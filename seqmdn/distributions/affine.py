"""A Gaussian mixture in another unit: still one, exactly."""

from __future__ import annotations

from torch import Tensor

from seqmdn.distributions.gaussian import LowRankPrecisionNormal
from seqmdn.distributions.mixture import Mixture

__all__ = ["rescaled"]


def rescaled(mixture: Mixture, shift: Tensor, scale: Tensor) -> Mixture:
    r"""Returns the mixture of :math:`a + b z` where z is of the one given.

    .. math:: \mu' = a + b \mu, \qquad d' = d / b^2, \qquad U' = U / b

    Feature by feature. A density of standardised data becomes one of the data, with conditionals,
    quantiles and modes in their unit, which a :class:`seqmdn.distributions.Flowed` does not have.

    Args:
        mixture: of batch shape (*batch) and event shape (D,).
        shift: a, (D,).
        scale: b, (D,), positive.

    Raises:
        ValueError: If a scale is not positive.

    Example:
        >>> import torch
        >>> from torch.distributions import Categorical
        >>> normals = LowRankPrecisionNormal(torch.zeros(1, 1), torch.ones(1, 1))
        >>> mixture = Mixture(Categorical(logits=torch.zeros(1)), normals)
        >>> found = rescaled(mixture, torch.tensor([5.0]), torch.tensor([2.0]))
        >>> found.mean, found.variance
        (tensor([5.]), tensor([4.]))
    """
    if not bool((scale > 0).all()):
        raise ValueError(f"expected positive scales; found {scale.tolist()}.")
    components = mixture.component_distribution
    return Mixture(
        mixture.mixture_distribution,
        LowRankPrecisionNormal(
            shift + scale * components.loc,
            components.diagonal / scale.square(),
            components.factor / scale.unsqueeze(-1),
        ),
    )
