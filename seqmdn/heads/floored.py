"""A mixture whose deviations have a floor, for tables in which all models have the same one."""

import torch
from torch import Tensor
from torch.nn import functional as F

from seqmdn.heads.mixture import MixtureHead

__all__ = ["FlooredMixtureHead"]


class FlooredMixtureHead(MixtureHead):
    r"""A mixture of diagonal Gaussians, none of whose deviations is below a floor.

    .. math:: \sigma = s + \mathrm{softplus}(\cdot), \qquad
        d = f + (1 - f s^2) \, \sigma^{-2}, \qquad f < d < s^{-2}

    with s the narrowest deviation and f the floor of the precision d that every
    :class:`MixtureHead` has; at its default f is a millionth, and the deviation is
    :math:`\sigma` itself up to hundreds of units. This is how neural processes keep their Gaussians
    from becoming points: whatever the mixture, its log-density nowhere exceeds
    :math:`-\log s - \tfrac12 \log 2\pi` nats a channel, 1.38 with s = 0.1 and 3.69 with s = 0.01.

    Both bounds are in units of what the head sees. Behind a transform that standardises, that is
    of the data's deviation; to have a floor in the data's own units, leave them as they are
    (:class:`seqmdn.data.Identity`).

    Args:
        features: Number of features D of a frame.
        context: Number of features H of h.
        components: Number of components K.
        narrowest: Lower bound s of every deviation.
        factorised: One mixture a feature instead of one a frame, as in :class:`MixtureHead`.
        floor: Lower bound f of every precision.

    Raises:
        ValueError: If a size is below 1, a bound is not positive, or nothing lies between both.

    References:
        Conditional Neural Processes (Garnelo et al., 2018).
        Attentive Neural Processes (Kim et al., 2019), for a floor of 0.1.

    Example:
        >>> head = FlooredMixtureHead(features=2, context=16, components=3, narrowest=0.1)
        >>> bool((head(torch.randn(50, 16)).component_distribution.variance > 0.01).all())
        True
    """

    def __init__(
        self,
        features: int,
        context: int,
        components: int = 5,
        narrowest: float = 0.1,
        factorised: bool = False,
        floor: float = 1e-6,
    ) -> None:
        if not (narrowest > 0 and floor * narrowest**2 < 1):
            raise ValueError(
                f"narrowest must be positive and below floor^-1/2, the widest deviation, found "
                f"{narrowest} and a floor of {floor}"
            )
        # Known before there is a projection, whose first numbers are made from it.
        self.narrowest = narrowest
        super().__init__(
            features, context, components, "diagonal", factorised=factorised, floor=floor
        )

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, narrowest={self.narrowest}"

    def _make_positive(self, raw: Tensor) -> Tensor:
        return self._span() * (self.narrowest + F.softplus(raw)).square().reciprocal()

    def _before_positive(self, diagonal: Tensor) -> Tensor:
        deviation = (self._span() / (diagonal - self.floor).clamp(min=1e-3)).sqrt()
        target = (deviation - self.narrowest).clamp(min=1e-3)
        return target + torch.log(-torch.expm1(-target))

    def _span(self) -> float:
        """Return what makes the largest precision, with its floor, that of the narrowest."""
        return 1 - self.floor * self.narrowest**2
