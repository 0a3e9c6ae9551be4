"""Frames of whole levels: the probability of each level, given h and those before it."""

import math
from dataclasses import dataclass

import torch
from torch import Size, Tensor, nn

from seqmdn import linalg
from seqmdn.distributions import Autoregressive, DiscretisedMixture
from seqmdn.distributions.weights import mixing_weights
from seqmdn.heads.network import GroupNetwork

__all__ = ["DiscretisedMixtureHead"]


class DiscretisedMixtureHead(nn.Module):
    r"""Levels in turn, each a discretised mixture of K logistics given h and those before it.

    .. math:: P(x | h) = \prod_{d=1}^D \sum_k \pi_{dk} \left(
        \sigma\left((b_d - \mu_{dk}) / s_{dk}\right) -
        \sigma\left((a_d - \mu_{dk}) / s_{dk}\right)\right), \quad
        (\pi_d, \mu_d, s_d)(h, x_{<d}) = W h + b + V_d^T a_d

    with the hidden units a of :class:`seqmdn.heads.AutoregressiveHead` and the borders a, b of the
    level's cell (:class:`seqmdn.distributions.DiscretisedMixture`). These are the probabilities of
    the levels themselves: no noise and no bound stand between. A frame may be a grey pixel (D = 1),
    a colour (D = 3: green is given red, and blue is given both), a block or a row. Use the
    transform :class:`seqmdn.data.Levels` and data without noise.

    Args:
        features: Number of features D of a frame.
        context: Number of context features H of h.
        components: Number of components K of each feature.
        levels: Number of levels L of each feature.
        hidden: Number of hidden units of each feature, by which it sees those before it.
        floor: Lower bound of :math:`1 / s`, on the scale from -1 to 1.

    Raises:
        ValueError: If a size is out of range, or the floor is not positive.

    References:
        PixelCNN++: Improving the PixelCNN with Discretized Logistic Mixture Likelihood and Other
        Modifications (Salimans, Karpathy, Chen, Kingma, 2017).

    Example:
        >>> head = DiscretisedMixtureHead(features=3, context=16)
        >>> distribution = head(torch.zeros(5, 10, 16))
        >>> distribution.batch_shape, distribution.event_shape
        (torch.Size([5, 10]), torch.Size([3]))
        >>> distribution.log_prob(distribution.sample()).shape
        torch.Size([5, 10])
    """

    def __init__(
        self,
        features: int,
        context: int,
        components: int = 10,
        levels: int = 256,
        hidden: int = 64,
        floor: float = 0.1,
    ) -> None:
        super().__init__()
        least = {
            "features": (features, 1),
            "context": (context, 1),
            "components": (components, 1),
            "levels": (levels, 2),
            "hidden": (hidden, 1),
        }
        for name, (size, bound) in least.items():
            if size < bound:
                raise ValueError(f"{name} must be at least {bound}, found {size}")
        if not floor > 0:
            raise ValueError(f"floor must be positive, found {floor}")
        self.features = features
        self.context = context
        self.components = components
        self.levels = levels
        self.hidden = hidden
        self.floor = floor
        # Of each feature its logits, means, and what the inverse scales are the exponentials of.
        self.projection = nn.Linear(context, features * 3 * components)
        self.network: GroupNetwork | None = None
        if features > 1:
            self.network = GroupNetwork(features, 1, context, hidden, outputs=3 * components)
        with torch.no_grad():
            # On this scale a level is a hundredth: more would move means by many of them.
            nn.init.normal_(self.projection.weight, std=0.01 / math.sqrt(context))
            loc = torch.linspace(-1, 1, components + 2)[1:-1].expand(features, -1)
            self._place(loc, torch.full_like(loc, 2.0 / components))

    def forward(self, h: Tensor) -> DiscretisedMixture | Autoregressive:
        """Return the probabilities of the next frame's levels.

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
        offsets = linalg.widen(self.projection(h)).unflatten(-1, (self.features, -1))
        if self.network is None:
            return self.mixture(offsets.squeeze(-2))
        conditionals = _Conditionals(self, self.network, offsets, self.network.start(h))
        # The protocol is of Gaussians; all that is asked of them, levels have as well.
        return Autoregressive(
            conditionals,  # type: ignore[arg-type]
            list(range(self.features)),
            1,
            h.shape[:-1],
        )

    def mixture(self, raw: Tensor) -> DiscretisedMixture:
        """Return the mixture of unbounded numbers ``(*batch, 3 K)``."""
        logits, loc, inverse = raw.chunk(3, dim=-1)
        return DiscretisedMixture(
            mixing_weights(logits), loc, inverse.exp() + self.floor, self.levels
        )

    @torch.no_grad()
    def initialise(self, values: Tensor) -> None:
        """Place each feature's components at the centres of K equally filled quantile groups.

        Args:
            values: Frames ``(N, D)`` in the head's units.

        Raises:
            ValueError: If the frames have other features than the head, or are fewer than its
                components.
        """
        K, D = self.components, self.features
        if values.ndim != 2 or values.shape[1] != D:
            raise ValueError(f"values must have shape (N, {D}), found {tuple(values.shape)}")
        if len(values) < K:
            raise ValueError(f"{K} components need at least {K} frames, found {len(values)}")
        groups = values.to(self.projection.bias).sort(dim=0).values.tensor_split(K)
        loc = torch.stack([group.mean(dim=0) for group in groups], dim=-1)  # (D, K)
        spread = torch.stack([group.std(dim=0, correction=0) for group in groups], dim=-1)
        # A logistic variable deviates by pi / sqrt(3) of its scale; a group of one level has none.
        scale = spread * math.sqrt(3) / math.pi
        self._place(loc, scale.clamp(min=1 / (self.levels - 1)))

    def extra_repr(self) -> str:
        return (
            f"features={self.features}, components={self.components}, levels={self.levels}, "
            f"hidden={self.hidden}"
        )

    def _place(self, loc: Tensor, scale: Tensor) -> None:  # (D, K), (D, K)
        bias = self.projection.bias.view(self.features, 3, self.components)
        bias[:, 0] = 0
        bias[:, 1] = loc
        bias[:, 2] = (1 / scale - self.floor).clamp(min=self.floor).log()


@dataclass(frozen=True)
class _Conditionals:
    """The mixtures of the features of one h; see `seqmdn.distributions.conditionals`."""

    head: DiscretisedMixtureHead
    network: GroupNetwork
    offsets: Tensor  # (*batch, D, 3 K)
    start: Tensor  # (*batch, M)

    def every(self, frame: Tensor) -> DiscretisedMixture:
        return self.head.mixture(self.offsets + self.network.every(self.start, frame))

    def one(self, group: int, before: Tensor) -> DiscretisedMixture:
        more = self.network.one(group, self.start, before)
        return self.head.mixture(self.offsets[..., group, :] + more)

    def nothing(self, shape: Size) -> Tensor:
        return self.offsets.new_zeros((*shape, 0))
