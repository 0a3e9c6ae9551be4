"""The features of a frame in turn: each a mixture given h and the features before it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Size, Tensor, nn
from torch.nn import functional as F

from seqmdn import linalg
from seqmdn.distributions import Autoregressive, LowRankPrecisionNormal, Mixture
from seqmdn.distributions.weights import mixing_weights
from seqmdn.heads.mixture import MixtureHead
from seqmdn.heads.network import GroupNetwork

__all__ = ["AutoregressiveHead"]


class AutoregressiveHead(nn.Module):
    r"""Groups of features in turn, each a mixture of K Gaussians given h and the groups before it.

    .. math::
        p(y | h) = \prod_{g=1}^G \sum_k \pi_{gk} \, N(y_g; \mu_{gk}, \Lambda_{gk}^{-1}),
        \quad (\pi_g, \mu_g, \Lambda_g)(h, y_{<g}) = W h + b + V_g^T a_g

    .. math::
        a_g = \mathrm{silu}\left(A h + c_g + \sum_{j < g} B_j y_j\right)

    In training all groups are computed at once, their hidden units in one masked matrix product and
    V in one batched product; a draw goes from group to group and costs as much again. V begins at
    0, so that the density begins as that of a mixture of each group by itself: with groups of one
    feature, as the factorised :class:`MixtureHead` with the same numbers in its projection.

    Args:
        features: Number of features D of a frame, at least 2.
        context: Number of context features H of h.
        components: Number of components K of each group.
        hidden: Number of hidden units M of each group.
        group: Number of features S of a group, which must divide D and be less.
        rank: Rank R of the precision D + UU^T of a group, 0 <= R <= S; 0 is diagonal.
        order: The features 0 to D - 1 in the order in which they are taken, S by S; as they stand
            by default.
        floor: Lower bound of the entries of the diagonal D, in units of 1/y^2.

    Raises:
        ValueError: If a size is out of range, the group does not divide D, the order does not name
            each feature once, or the floor is not positive.

    References:
        Re-examination of the Role of Latent Variables in Sequence Modeling (Dai, Lai, Yang, Yoo,
        2019).
        RNADE: The real-valued neural autoregressive density-estimator (Uria, Murray, Larochelle,
        2013), for the hidden units.
        MADE: Masked Autoencoder for Distribution Estimation (Germain, Gregor, Murray, Larochelle,
        2015), for one masked pass.

    Example:
        >>> head = AutoregressiveHead(features=4, context=16, group=2, rank=1)
        >>> distribution = head(torch.zeros(5, 10, 16))
        >>> distribution.batch_shape, distribution.event_shape
        (torch.Size([5, 10]), torch.Size([4]))
        >>> distribution.sample().shape, distribution.log_prob(torch.zeros(5, 10, 4)).shape
        (torch.Size([5, 10, 4]), torch.Size([5, 10]))
    """

    def __init__(
        self,
        features: int,
        context: int,
        components: int = 5,
        hidden: int = 64,
        group: int = 1,
        rank: int = 0,
        order: Sequence[int] | None = None,
        floor: float = 1e-3,
    ) -> None:
        super().__init__()
        self.order = list(range(features)) if order is None else list(order)
        _check(features, context, components, hidden, group, rank, self.order, floor)
        self.features = features
        self.context = context
        self.components = components
        self.hidden = hidden
        self.group = group
        self.rank = rank
        self.floor = floor

        K, D, S, R = components, features, group, rank
        # By kind, then by group: with S = 1, as those of a factorised MixtureHead.
        self.sizes = {"logits": D // S * K, "loc": D * K, "diagonal": D * K}
        if R:
            self.sizes["factor"] = D * K * R
        self.projection = nn.Linear(context, sum(self.sizes.values()))
        self.network = GroupNetwork(D, S, context, hidden, outputs=K * (1 + 2 * S + S * R))
        with torch.no_grad():
            nn.init.normal_(self.projection.weight, std=0.1 / math.sqrt(context))
            self._take(self._single_heads(), list(self.sizes))

    def forward(self, h: Tensor) -> Autoregressive:
        """Return the density of the next frame.

        Args:
            h: Features ``(*batch, H)``.

        Returns:
            A distribution with batch shape ``batch`` and event shape ``(D,)``, in float32 or wider
            even under autocast.

        Raises:
            ValueError: If h does not have H features.
        """
        if h.shape[-1] != self.context:
            raise ValueError(f"h must have {self.context} features, found shape {tuple(h.shape)}")
        parts = self._split(linalg.widen(self.projection(h)))
        groups = self.features // self.group
        offsets = [part.unflatten(-1, (groups, -1)) for part in parts.values()]
        conditionals = _Conditionals(self, torch.cat(offsets, dim=-1), self.network.start(h))
        return Autoregressive(conditionals, self.order, self.group, h.shape[:-1])

    @torch.no_grad()
    def initialise(self, values: Tensor) -> None:
        """Place the components on the data, before training.

        Each group is placed as a :class:`MixtureHead` of its features is: a single feature at the
        centres of K equally filled quantile groups, several at those of a k-means clustering.

        Args:
            values: Frames ``(N, D)`` in the head's units.

        Raises:
            ValueError: If the frames have other features than the head, or are fewer than its
                components.
        """
        if values.ndim != 2 or values.shape[1] != self.features:
            raise ValueError(
                f"values must have shape (N, {self.features}), found {tuple(values.shape)}"
            )
        with torch.random.fork_rng(devices=[]):
            heads = self._single_heads()
        for head, own in zip(heads, values[:, self.order].split(self.group, dim=1), strict=True):
            head.initialise(own)
        self._take(heads, ["logits", "loc", "diagonal"])

    def extra_repr(self) -> str:
        order = "" if self.order == sorted(self.order) else f", order={self.order}"
        return (
            f"features={self.features}, components={self.components}, hidden={self.hidden}, "
            f"group={self.group}, rank={self.rank}{order}"
        )

    def mixture(self, raw: Tensor) -> Mixture:
        """Return mixtures of S features of unbounded numbers ``(*batch, K (1 + 2 S + S R))``."""
        K, S = self.components, self.group
        logits, loc, diagonal, factor = raw.split([K, K * S, K * S, K * S * self.rank], dim=-1)
        normal = LowRankPrecisionNormal(
            loc.unflatten(-1, (K, S)),
            F.softplus(diagonal.unflatten(-1, (K, S))) + self.floor,
            factor.unflatten(-1, (K, S, self.rank)) if self.rank else None,
        )
        return Mixture(mixing_weights(logits), normal)

    def _split(self, raw: Tensor) -> dict[str, Tensor]:
        """Name the parts of what the projection gives; of its bias, they are views."""
        return dict(zip(self.sizes, raw.split(list(self.sizes.values()), dim=-1), strict=True))

    def _single_heads(self) -> list[MixtureHead]:
        """Make a head of each group by itself, of which to take the offsets."""
        single = self.group == 1
        return [
            MixtureHead(
                self.group,
                1,
                self.components,
                covariance="lowrank" if self.rank else "diagonal",
                rank=self.rank or None,
                factorised=single,
                floor=self.floor,
            ).to(self.projection.bias)
            for _ in range(self.features // self.group)
        ]

    def _take(self, heads: list[MixtureHead], names: list[str]) -> None:
        """Take over the offsets of heads, a group each."""
        offsets = self._split(self.projection.bias)
        single = [head._split(head.projection.bias) for head in heads]
        for name in names:
            offsets[name].copy_(torch.cat([each[name] for each in single]))


@dataclass(frozen=True)
class _Conditionals:
    """The mixtures of the groups of one h; see `seqmdn.distributions.conditionals`."""

    head: AutoregressiveHead
    offsets: Tensor  # (*batch, G, P)
    start: Tensor  # (*batch, M)

    def every(self, frame: Tensor) -> Mixture:
        return self.head.mixture(self.offsets + self.head.network.every(self.start, frame))

    def one(self, group: int, before: Tensor) -> Mixture:
        more = self.head.network.one(group, self.start, before)
        return self.head.mixture(self.offsets[..., group, :] + more)

    def nothing(self, shape: Size) -> Tensor:
        return self.offsets.new_zeros((*shape, 0))


def _check(
    features: int,
    context: int,
    components: int,
    hidden: int,
    group: int,
    rank: int,
    order: list[int],
    floor: float,
) -> None:
    """Raise ValueError for what makes no sense."""
    least = {"features": features, "context": context, "components": components, "hidden": hidden}
    for name, size in least.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, found {size}")
    if features < 2 or not 1 <= group < features or features % group:
        raise ValueError(
            f"expected at least 2 features, in groups of less than all of them whose size divides "
            f"their number; found {features} in groups of {group}: use MixtureHead for one group"
        )
    if not 0 <= rank <= group or (rank and group == 1):
        raise ValueError(
            f"rank must be 0 for single features and at most the size of larger groups, {group}; "
            f"found {rank}"
        )
    if sorted(order) != list(range(features)):
        raise ValueError(
            f"order must name each of the features 0 to {features - 1} once, found {order}"
        )
    if not floor > 0:
        raise ValueError(f"floor must be positive, found {floor}")
