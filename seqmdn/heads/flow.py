"""A mixture of Gaussians behind an invertible map."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn
from torch.distributions import Distribution

from seqmdn.distributions import Flowed
from seqmdn.flows import AffineCoupling
from seqmdn.heads.mixture import Covariance, MixtureHead

__all__ = ["FlowMixtureHead"]


class FlowMixtureHead(MixtureHead):
    r"""A mixture of Gaussians seen through an invertible map.

    .. math::
        p(y | h) = \sum_k \pi_k(h) \, N(f(y); \mu_k(h), \Lambda_k(h)^{-1})
        \, |\det \partial f / \partial y|

    The map is shared over time (the form of the FRMDN paper), or, with ``conditional``, a
    function of h as the mixture is. Those of :mod:`seqmdn.flows` begin as the identity: at the
    first step the density is that of the :class:`MixtureHead` with the same arguments.

    Args:
        features: Number of features D of a frame.
        context: Number of features H of h.
        flow: Makes the map from (features, context); any :class:`seqmdn.flows.Flow` or zuko
            ``LazyTransform``.
        conditional: Hand h to the map.
        components: As in :class:`MixtureHead`, and likewise the arguments after it.
        covariance: See :class:`MixtureHead`.
        rank: See :class:`MixtureHead`.
        factor: See :class:`MixtureHead`.
        factorised: See :class:`MixtureHead`.
        floor: See :class:`MixtureHead`.

    Raises:
        ValueError: As :class:`MixtureHead`, and what the flow raises.

    References:
        FRMDN: Flow-based Recurrent Mixture Density Network (Razavi, Hosseini, Behzad, 2020),
        arXiv:2008.02144.

    Example:
        >>> head = FlowMixtureHead(features=3, context=16, conditional=True)
        >>> head(torch.zeros(4, 16)).sample().shape
        torch.Size([4, 3])
    """

    def __init__(
        self,
        features: int,
        context: int,
        flow: Callable[[int, int], nn.Module] = AffineCoupling,
        conditional: bool = False,
        components: int = 5,
        covariance: Covariance = "diagonal",
        rank: int | None = None,
        factor: Literal["emitted", "tied"] = "emitted",
        factorised: bool = False,
        floor: float = 1e-3,
    ) -> None:
        super().__init__(features, context, components, covariance, rank, factor, factorised, floor)
        self.conditional = conditional
        self.flow = flow(features, context if conditional else 0)

    def forward(self, h: Tensor) -> Distribution:
        """Return the density of the next frame; see :meth:`MixtureHead.forward`."""
        return Flowed(super().forward(h), self.flow(h if self.conditional else None))

    def _latent(self, values: Tensor) -> Tensor:
        h = values.new_zeros(len(values), self.context) if self.conditional else None
        return self.flow(h).call_and_ladj(values)[0]
