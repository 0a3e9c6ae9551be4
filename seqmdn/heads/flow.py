"""A mixture of Gaussians behind an invertible map."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from seqmdn.distributions import Flowed
from seqmdn.flows import AffineCoupling
from seqmdn.flows.conditioned import context_columns
from seqmdn.heads.mixture import Covariance, MixtureHead, Positive

__all__ = ["FlowMixtureHead"]


class FlowMixtureHead(MixtureHead):
    r"""A mixture of Gaussians seen through an invertible map.

    .. math::
        p(y | h) = \sum_k \pi_k(h) \, N(f(y); \mu_k(h), \Lambda_k(h)^{-1})
        \, |\det \partial f / \partial y|

    The map is shared over time (the form of the FRMDN paper), or, with ``conditional``, a
    function of h as the mixture is, or of some of its columns. Those of :mod:`seqmdn.flows` begin
    as the identity: at the first step the density is that of the :class:`MixtureHead` with the
    same arguments.

    Args:
        features: Number of features D of a frame.
        context: Number of features H of h.
        flow: Makes the map from (features, context); any :class:`seqmdn.flows.Flow` or zuko
            ``LazyTransform``.
        conditional: Hand h to the map, or those of its columns that are listed, from 0: a list or
            a range (in a configuration, ``[0, 1, 2]`` or ``range(0, 64)``).
        components: As in :class:`MixtureHead`, and likewise the arguments after it.
        covariance: See :class:`MixtureHead`.
        rank: See :class:`MixtureHead`.
        factor: See :class:`MixtureHead`.
        factorised: See :class:`MixtureHead`.
        floor: See :class:`MixtureHead`.
        positive: See :class:`MixtureHead`.

    Raises:
        ValueError: As :class:`MixtureHead`, and what the flow raises; if a listed column is out
            of range, named twice, or none is.

    References:
        FRMDN: Flow-based Recurrent Mixture Density Network (Razavi, Hosseini, Behzad, 2020),
        arXiv:2008.02144.

    Example:
        >>> head = FlowMixtureHead(features=3, context=16, conditional=True)
        >>> head(torch.zeros(4, 16)).sample().shape
        torch.Size([4, 3])
    """

    columns: Tensor | None  # (C,)

    def __init__(
        self,
        features: int,
        context: int,
        flow: Callable[[int, int], nn.Module] = AffineCoupling,
        conditional: bool | list[int] | range = False,
        components: int = 5,
        covariance: Covariance = "diagonal",
        rank: int | None = None,
        factor: Literal["emitted", "tied"] = "emitted",
        factorised: bool = False,
        floor: float = 1e-3,
        positive: Positive = "softplus",
    ) -> None:
        super().__init__(
            features,
            context,
            components,
            covariance,
            rank,
            factor,
            factorised,
            floor,
            positive,
        )
        self.conditional = conditional
        given = context if conditional is True else 0
        columns = None
        if not isinstance(conditional, bool):
            columns = context_columns(conditional, context)
            given = len(columns)
            if not given:
                raise ValueError("conditional names no column of h: use False for a shared map")
        self.register_buffer("columns", columns, persistent=False)
        self.flow = flow(features, given)

    def forward(self, h: Tensor) -> Distribution:
        """Return the density of the next frame; see :meth:`MixtureHead.forward`."""
        return Flowed(super().forward(h), self.flow(self._given(h)))

    def draw(self, h: Tensor, mixing: float = 1.0, scale: float = 1.0) -> Tensor:
        with torch.no_grad():
            return self.flow(self._given(h)).inv(super().draw(h, mixing, scale))

    def _given(self, h: Tensor) -> Tensor | None:
        """Return what the map sees of h."""
        if self.columns is not None:
            return h.index_select(-1, self.columns)
        return h if self.conditional else None

    def _latent(self, values: Tensor) -> Tensor:
        """Let the map take from the values what it takes from data, and return what it gives."""
        given = self._given(values.new_zeros(len(values), self.context))
        place = getattr(self.flow, "initialise", None)
        if place is not None:
            place(values, given)
        return self.flow(given).call_and_ladj(values)[0]
