"""A mixture of Gaussians whose parameters are affine in the features h."""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Normal
from torch.nn import functional as F

from seqmdn import linalg
from seqmdn.clustering import kmeans
from seqmdn.distributions import FactorisedMixture, LowRankPrecisionNormal, Mixture
from seqmdn.distributions.weights import mixing_weights
from seqmdn.heads.draws import component_columns, draw_component

__all__ = ["Covariance", "MixtureHead", "Positive"]

Covariance = Literal["spherical", "diagonal", "lowrank", "full"]
Positive = Literal["softplus", "exp"]


class MixtureHead(nn.Module):
    r"""A mixture of K Gaussians in precision form, its parameters affine in h.

    .. math::
        p(y | h) = \sum_k \pi_k(h) \, N(y; \mu_k(h), \Lambda_k(h)^{-1}),
        \quad \Lambda_k = D_k + U_k U_k^T

    with :math:`D = \mathrm{softplus}(\cdot) + \text{floor}`, or the exponential in place of the
    softplus. The floor is part of the model: the same D enters the quadratic form, the
    log-determinant and the draws.

    *Joint* (default): one :math:`\pi` for the whole frame. *Factorised*: every feature has K
    components and weights of its own,
    :math:`p(y | h) = \prod_d \sum_k \pi_{dk} N(y_d; \mu_{dk}, \sigma_{dk}^2)`, the form of World
    Models; its components are one-dimensional, so covariance must be ``"diagonal"``.

    Args:
        features: Number of features D of a frame.
        context: Number of features H of h.
        components: Number of components K.
        covariance: ``"spherical"`` (D = d I), ``"diagonal"``, ``"lowrank"`` (D + UU^T, rank R) or
            ``"full"`` (D + UU^T with a lower triangular U: every precision that exceeds the floor).
        rank: Rank R, for ``"lowrank"`` only; 1 <= R <= D.
        factor: ``"emitted"`` makes U a function of h, ``"tied"`` one learned U per component for
            all time steps.
        factorised: One mixture a feature instead of one a frame.
        floor: Lower bound of the entries of D, in units of 1/y^2: no component is wider than
            :math:`\text{floor}^{-1/2}`.
        positive: How D becomes positive. What ``"softplus"`` is given grows as the precision does,
            and steadily; ``"exp"`` learns its logarithm, and is soon at a deviation of a hundredth
            of the data's, as regression often has it. The first is safer where a sequence may
            surprise.

    Raises:
        ValueError: If a size is below 1, the rank does not fit D or the covariance, a word is
            unknown, or the floor is not positive.

    References:
        Mixture Density Networks (Bishop, 1994).
        World Models (Ha, Schmidhuber, 2018), for the factorised form.

    Example:
        >>> head = MixtureHead(features=3, context=16, components=5, covariance="lowrank", rank=2)
        >>> distribution = head(torch.zeros(4, 10, 16))
        >>> distribution.batch_shape, distribution.event_shape
        (torch.Size([4, 10]), torch.Size([3]))
        >>> distribution.sample().shape, distribution.log_prob(torch.zeros(4, 10, 3)).shape
        (torch.Size([4, 10, 3]), torch.Size([4, 10]))
    """

    lower: Tensor  # (2, D (D + 1) / 2)
    own: Tensor | None  # (K, D (2 + R)), where a component's numbers stand in the projection

    def __init__(
        self,
        features: int,
        context: int,
        components: int = 5,
        covariance: Covariance = "diagonal",
        rank: int | None = None,
        factor: Literal["emitted", "tied"] = "emitted",
        factorised: bool = False,
        floor: float = 1e-3,
        positive: Positive = "softplus",
    ) -> None:
        super().__init__()
        if positive not in ("softplus", "exp"):
            raise ValueError(f"positive must be 'softplus' or 'exp', found {positive!r}")
        self.rank = _check(
            features, context, components, covariance, rank, factor, factorised, floor
        )
        self.features = features
        self.context = context
        self.components = components
        self.covariance = covariance
        self.factor = factor
        self.factorised = factorised
        self.floor = floor
        self.positive = positive

        K, D = components, features
        self.sizes = {
            "logits": K * D if factorised else K,
            "loc": K * D,
            "diagonal": K if covariance == "spherical" else K * D,
        }
        entries = D * (D + 1) // 2 if covariance == "full" else D * self.rank
        if entries and factor == "emitted":
            self.sizes["factor"] = K * entries
        self.projection = nn.Linear(context, sum(self.sizes.values()))
        if entries and factor == "tied":
            self.tied_factor = nn.Parameter(torch.randn(K, entries) * 0.1)
        if covariance == "full":
            self.register_buffer("lower", torch.tril_indices(D, D), persistent=False)
        own = None
        if factorised:
            own = component_columns(K, [1, 1])  # of each feature
        elif factor == "emitted" and covariance in ("diagonal", "lowrank"):
            own = component_columns(K, [D, D, D * self.rank])
        self.register_buffer("own", own, persistent=False)
        self._reset()

    def forward(self, h: Tensor) -> Distribution:
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
        return self.density(self.projection(h))

    def density(self, raw: Tensor) -> Distribution:
        """Return the density whose parameters are made of these numbers.

        Args:
            raw: What the projection gives of h, or whatever takes its place ``(*batch, P)``.
        """
        K, D = self.components, self.features
        raw = raw.float() if raw.dtype in (torch.float16, torch.bfloat16) else raw
        parts = self._split(raw)
        diagonal = self._make_positive(parts["diagonal"]) + self.floor
        if self.factorised:
            scale = diagonal.rsqrt().unflatten(-1, (D, K))
            loc = parts["loc"].unflatten(-1, (D, K))
            logits = parts["logits"].unflatten(-1, (D, K))
            return FactorisedMixture(mixing_weights(logits), Normal(loc, scale))
        loc = parts["loc"].unflatten(-1, (K, D))  # (*batch, K, D)
        if self.covariance == "spherical":
            diagonal = diagonal.unsqueeze(-1).expand_as(loc)
        else:
            diagonal = diagonal.unflatten(-1, (K, D))
        normal = LowRankPrecisionNormal(loc, diagonal, self._factor(parts))
        return Mixture(mixing_weights(parts["logits"]), normal)

    def draw(self, h: Tensor, mixing: float = 1.0, scale: float = 1.0) -> Tensor:
        """Draw a frame of each context, as ``forward(h).tempered(mixing, scale).sample()`` does.

        Nothing but the chosen components' numbers is made into parameters, and nothing is checked:
        a fraction of the time where frames are drawn one after another.

        Args:
            h: Features ``(*batch, H)``.
            mixing: Temperature of the mixing weights, see :meth:`seqmdn.distributions.Mixture`.
            scale: Temperature of the covariances.

        Returns:
            ``(*batch, D)``.
        """
        if torch.is_grad_enabled():  # asked, as a decorator costs more in a loop that has none
            with torch.no_grad():
                return self.draw(h, mixing, scale)
        if self.own is None:
            distribution: Any = MixtureHead.forward(self, h)
            drawn: Tensor = distribution.tempered(mixing, scale).sample()
            return drawn
        raw = linalg.widen(self.projection(h))
        if self.factorised:
            # A feature's logits, means and diagonals in one row: it is a frame of its own.
            raw = raw.unflatten(-1, (3, self.features, -1)).movedim(-3, -2).flatten(-2)
        features = 1 if self.factorised else self.features
        found = draw_component(
            raw, self.own, features, self.floor, mixing, scale, self._make_positive
        )
        return found.squeeze(-1) if self.factorised else found

    @torch.no_grad()
    def initialise(self, values: Tensor) -> None:
        """Place the components on the data, before training.

        Joint mixtures start at the centres and shares of a k-means clustering, factorised ones at
        the centres of K equally filled quantile groups of each feature; the spread of all
        components is that of the frames around their centres.

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
        values = self._latent(values.to(self.projection.bias))
        if self.factorised:
            groups = values.sort(dim=0).values.tensor_split(K)  # (N / K, D) each
            loc = torch.stack([group.mean(dim=0) for group in groups], dim=-1)  # (D, K)
            residual = torch.cat([group - group.mean(dim=0) for group in groups]).square()
            variance = residual.mean(dim=0).unsqueeze(-1).expand(D, K)
            logits = values.new_zeros(D, K)
        else:
            loc, labels = kmeans(values, K)  # (K, D)
            residual = (values - loc[labels]).square()
            over = (0, 1) if self.covariance == "spherical" else (0,)
            variance = residual.mean(dim=over, keepdim=True).expand(K, -1)
            logits = torch.bincount(labels, minlength=K).clamp(min=1).log()
        offsets = self._split(self.projection.bias)
        offsets["logits"].copy_((logits - logits.mean()).flatten())
        offsets["loc"].copy_(loc.flatten())
        diagonal = self._before_positive(1 / variance.clamp(min=1e-4))
        offsets["diagonal"].copy_(diagonal.flatten())

    def extra_repr(self) -> str:
        return (
            f"features={self.features}, components={self.components}, "
            f"covariance={self.covariance!r}, rank={self.rank}, factor={self.factor!r}, "
            f"factorised={self.factorised}"
        )

    def _latent(self, values: Tensor) -> Tensor:
        """Return the values that the mixture is a density of."""
        return values

    def _split(self, raw: Tensor) -> dict[str, Tensor]:
        """Name the parts of what the projection gives; of its bias, they are views."""
        return dict(zip(self.sizes, raw.split(list(self.sizes.values()), dim=-1), strict=True))

    def _factor(self, parts: dict[str, Tensor]) -> Tensor | None:  # (*batch, K, D, R)
        if self.rank == 0:
            return None
        if self.factor == "tied":
            packed = self.tied_factor
        else:
            packed = parts["factor"].unflatten(-1, (self.components, -1))
        if self.covariance == "lowrank":
            return packed.unflatten(-1, (self.features, self.rank))
        rows, columns = self.lower
        factor = packed.new_zeros(*packed.shape[:-1], self.features, self.features)
        factor[..., rows, columns] = packed
        return factor

    def _make_positive(self, raw: Tensor) -> Tensor:
        return F.softplus(raw) if self.positive == "softplus" else raw.exp()

    def _before_positive(self, diagonal: Tensor) -> Tensor:
        """Return what this diagonal is made of, where the floor allows it."""
        target = (diagonal - self.floor).clamp(min=1e-3)
        if self.positive == "exp":
            return target.log()
        return target + torch.log(-torch.expm1(-target))

    @torch.no_grad()
    def _reset(self) -> None:
        """Begin with parameters that hardly depend on h: random means, precisions of 1."""
        nn.init.normal_(self.projection.weight, std=0.1 / math.sqrt(self.context))
        offsets = self._split(self.projection.bias)
        offsets["logits"].zero_()
        offsets["loc"].normal_()
        offsets["diagonal"].copy_(self._before_positive(torch.ones(())))
        if "factor" in offsets:
            # At U = 0 its gradient vanishes, so it must begin away from there.
            offsets["factor"].normal_(std=0.1)


def _check(
    features: int,
    context: int,
    components: int,
    covariance: str,
    rank: int | None,
    factor: str,
    factorised: bool,
    floor: float,
) -> int:
    """Return the rank R of the factor, or raise ValueError."""
    for name, size in {"features": features, "context": context, "components": components}.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, found {size}")
    if covariance not in ("spherical", "diagonal", "lowrank", "full"):
        raise ValueError(
            f"covariance must be 'spherical', 'diagonal', 'lowrank' or 'full', found {covariance!r}"
        )
    if factor not in ("emitted", "tied"):
        raise ValueError(f"factor must be 'emitted' or 'tied', found {factor!r}")
    if not floor > 0:
        raise ValueError(f"floor must be positive, found {floor}")
    if factorised and covariance != "diagonal":
        raise ValueError(
            f"a factorised mixture has one-dimensional components: use covariance='diagonal' "
            f"with it, found {covariance!r}"
        )
    if covariance != "lowrank":
        if rank is not None:
            raise ValueError(
                f"rank is for covariance='lowrank'; with {covariance!r} leave it out, found {rank}"
            )
        return features if covariance == "full" else 0
    if rank is None or not 1 <= rank <= features:
        raise ValueError(
            f"covariance='lowrank' needs a rank between 1 and the number of features, {features}; "
            f"found {rank}"
        )
    return rank
