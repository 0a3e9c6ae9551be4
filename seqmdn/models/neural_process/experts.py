"""Experts: the components of any mixture head, under weights that come from elsewhere."""

from typing import Any

from torch import Tensor, nn

from seqmdn.distributions import LowRankPrecisionNormal, Mixture
from seqmdn.distributions.weights import normalised_weights
from seqmdn.linalg import widen

__all__ = ["Experts"]


class Experts(nn.Module):
    r"""The components of a mixture head, mixed by weights that stand behind h.

    .. math:: p(y | h, m) = \sum_l m_l \, N(y; \mu_l(h), \Lambda_l(h)^{-1})

    The head's own weights are not looked at. Whatever covariance the head has, its components have.

    Args:
        head: A head that returns a :class:`seqmdn.distributions.Mixture` of L components, such as
            :class:`seqmdn.heads.MixtureHead`.

    Raises:
        ValueError: If the head has no components of whole frames.

    Example:
        >>> import torch
        >>> from seqmdn.heads import MixtureHead
        >>> experts = Experts(MixtureHead(2, 16, components=3, covariance="lowrank", rank=1))
        >>> log_weights = torch.tensor([0.2, 0.3, 0.5]).log().expand(5, 3)
        >>> mixture = experts(torch.cat((torch.zeros(5, 16), log_weights), dim=-1))
        >>> mixture.mixture_distribution.probs[0]
        tensor([0.2000, 0.3000, 0.5000])
    """

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        components, width = getattr(head, "components", None), getattr(head, "context", None)
        factorised = bool(getattr(head, "factorised", False))
        if not isinstance(components, int) or not isinstance(width, int) or factorised:
            found = f"{'factorised ' if factorised else ''}{type(head).__name__}"
            raise ValueError(
                f"expected a head whose components are densities of whole frames, found a {found}: "
                "use seqmdn.heads.MixtureHead or FlooredMixtureHead, not factorised"
            )
        self.head = head
        self.components = components
        self.width = width

    def forward(self, h: Tensor) -> Mixture:
        """Return the mixture.

        Args:
            h: Features and normalised log-weights behind them ``(*batch, H + L)``.
        """
        log_weights = widen(h[..., self.width :])
        return Mixture(normalised_weights(log_weights), self.densities(h[..., : self.width]))

    def densities(self, h: Tensor) -> LowRankPrecisionNormal:
        """Return the experts, of batch shape ``(*batch, L)``, of h ``(*batch, H)``.

        Raises:
            ValueError: If the head's density is no mixture of Gaussians.
        """
        density: Any = self.head(h)
        if not isinstance(density, Mixture):
            raise ValueError(
                f"expected a head that returns a mixture, found a {type(density).__name__}: use "
                "seqmdn.heads.MixtureHead or FlooredMixtureHead"
            )
        return density.component_distribution

    def initialise(self, values: Tensor) -> None:
        """Place the experts on training frames ``(N, D)``, where the head can be placed."""
        place = getattr(self.head, "initialise", None)
        if place is not None:
            place(values)
