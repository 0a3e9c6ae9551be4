"""A circuit's parameters: one density, whatever the features h."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqmdn import linalg
from seqmdn.clustering import kmeans
from seqmdn.distributions import Circuit, LowRankPrecisionNormal
from seqmdn.distributions.regions import halved_regions, random_regions

__all__ = ["CircuitHead"]

_SURE = 3.0  # how many nats a node prefers its own node below, at the start
_OWN = 6.0  # and its own class


class CircuitHead(nn.Module):
    r"""Holds a :class:`seqmdn.distributions.Circuit` over the features of a frame.

    The same density at every h, of which only the batch shape is looked at. With ``classes`` the
    last feature is a class, which stands beside the whole of each tree: p(y, c) is learned, and
    p(c | y) follows by conditioning.

    ``initialise`` places each node on a cluster of its class, with the spread that rows have around
    the mean of their class, all together: with one node a class, the start is linear discriminant
    analysis. The prior counts as so many more rows at each leaf that are spread like that,

    .. math:: \log p(\Lambda) = \tfrac{\nu}{2} \left(\log |\Lambda|
        - \operatorname{tr} \Lambda \Sigma_0\right) + \text{const}, \quad
        \log p(\pi) = \nu \sum_c \pi_{0c} \log \pi_c + \text{const}

    with :math:`\pi_0` the shares of the categories in training, so that no leaf shrinks to a point.

    Args:
        features: Number of features D of a frame.
        context: Number of features of h; not looked at.
        classes: Number of classes of the last feature, 0 where it is a feature as the others.
        levels: Number of levels 0, 1, ... of each other feature, 0 where they are continuous.
        components: Nodes K of each region.
        depth: How often the features are split in halves.
        trees: Number R of trees of random halves.
        image: Height and width, where the features are pixels: two trees halve the image instead.
        rank: Rank of the leaves' factors; a leaf region has about D / 2^depth features.
        prior: :math:`\nu`, at least 0.
        seed: Seed of the trees.

    Raises:
        ValueError: If a size is out of range or ``initialise`` finds fewer rows than nodes.

    References:
        Random Sum-Product Networks (Peharz et al., 2019).
        Regularized Discriminant Analysis (Friedman, 1989), for a spread between a class's own and
        that of all.

    Example:
        >>> head = CircuitHead(features=5, context=0, classes=3, components=3, depth=1)
        >>> head(torch.zeros(7, 0))
        Circuit(trees=1, depth=1, components=3, batch_shape=(7,), event_shape=(5,))
    """

    spread: Tensor  # (R, M, S, S)
    shares: Tensor  # (R, M, S', C)

    def __init__(
        self,
        features: int,
        context: int,
        classes: int = 0,
        levels: int = 0,
        components: int = 10,
        depth: int = 2,
        trees: int = 1,
        image: tuple[int, int] | None = None,
        rank: int = 0,
        prior: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if components < 1 or rank < 0 or min(classes, levels) < 0 or not prior >= 0:
            raise ValueError(
                "expected 1 component or more, and a rank, classes, levels and a prior of 0 or"
                f" more; found {components}, {rank}, {classes}, {levels} and {prior}"
            )
        pixels = features - bool(classes)
        if image is not None and image[0] * image[1] != pixels:
            raise ValueError(
                f"expected an image of {pixels} pixels, found {image[0]} x {image[1]}: give its "
                "height and width, or leave it out"
            )
        categories = [levels] * pixels + [classes] * bool(classes)
        top = [pixels] if classes else []
        self.regions = (
            random_regions(categories, depth, trees, top, seed)
            if image is None
            else halved_regions(*image, categories, depth, top)
        )
        self.features, self.classes, self.levels = features, classes, levels
        self.prior = prior
        size, depth = (self.regions.trees, self.regions.size), self.regions.depth
        slots, choices = (self.regions.slots(kind).shape[-1] for kind in (True, False))
        own = (*size, components, slots)
        self.loc = nn.Parameter(torch.randn(own)) if slots else None
        self.log_diagonal = nn.Parameter(torch.zeros(own)) if slots else None
        low = slots and rank
        self.factor = nn.Parameter(0.1 * torch.randn(*own, rank)) if low else None
        most = max(levels, classes)
        self.choices = (
            nn.Parameter(0.1 * torch.randn(*size, choices, components, most)) if choices else None
        )
        self.labels = (
            nn.Parameter(0.1 * torch.randn(1, size[0], components, most)) if classes else None
        )
        self.root = nn.Parameter(torch.zeros(size[0], components))
        near = _SURE * torch.eye(components)
        self.sums = nn.ParameterList(
            near + 0.1 * torch.randn(size[0], size[1] >> level, components, components)
            for level in range(1, depth + 1)
        )
        self.register_buffer("spread", torch.eye(slots).repeat(*size, 1, 1))
        self.register_buffer("shares", torch.zeros(*size, choices, most))

    def forward(self, h: Tensor) -> Circuit:
        """Return the density, of h's batch shape.

        Args:
            h: Features ``(*batch, H)``.
        """
        return self.circuit().expand(h.shape[:-1])

    def circuit(self) -> Circuit:
        """Return the density; of parameters ``(F, ...)`` those of F heads, of batch shape (F,)."""
        return Circuit(
            self.regions,
            self._gaussians(),
            list(self.sums),
            self.root,
            choices=self.choices,
            labels=self.labels,
        )

    @linalg.full_precision
    def log_prior(self) -> Tensor:
        """Return the log-density of the parameters under the prior, a scalar up to a constant."""
        total = self.root.new_zeros(())
        gaussians = self._gaussians()
        if gaussians is not None:
            diagonal, factor = gaussians.diagonal, gaussians.factor
            own = self.spread.unsqueeze(-3)  # (R, M, 1, S, S)
            trace = (diagonal * own.diagonal(dim1=-2, dim2=-1)).sum(-1)
            trace = trace + (factor * (own @ factor)).sum((-2, -1))
            terms = linalg.log_determinant(diagonal, factor) - trace
            total = total + 0.5 * terms.sum((-3, -2, -1))
        if self.choices is not None:
            logits = self.choices.masked_fill(self._beyond(), -torch.inf)
            terms = self.shares.unsqueeze(-2) * logits.log_softmax(-1).masked_fill(
                self._beyond(), 0
            )
            total = total + terms.sum((-5, -4, -3, -2, -1))
        return self.prior * total

    def initialise(self, values: Tensor) -> None:
        """Place the nodes on clusters of the classes, before training.

        Args:
            values: Training frames ``(N, D)``.
        """
        classes = values[:, -1].long() if self.classes else torch.zeros(len(values)).long()
        present = classes.unique().tolist()
        count = self.root.shape[-1]
        each = -(-count // len(present))
        own = [kmeans(values[classes == c], each) for c in present]
        order = [(c, n) for n in range(each) for c in range(len(present))][:count]
        rows = values[:, : self.features - bool(self.classes)]
        residual = torch.cat([rows[classes == c] - rows[classes == c].mean(0) for c in present])
        if self.loc is not None:
            self._place(torch.stack([own[c][0][n] for c, n in order]), residual)
        if self.choices is not None:
            # As many pseudo-rows of all classes keep levels possible that a cluster never has.
            shares = F.one_hot(rows.long(), self.choices.shape[-1]).to(rows)  # (N, D, C)
            overall = shares.mean(0)
            floor = 1 / self.choices.shape[-1]
            overall = (len(rows) * overall + floor) / (len(rows) + 1)
            slots = self.regions.slots(continuous=False)
            self.shares.copy_(F.pad(overall, (0, 0, 0, 2))[slots])
            for k, (c, n) in enumerate(order):
                members = shares[classes == present[c]][own[c][1] == n]
                logits = ((members.sum(0) + 2 * overall) / (len(members) + 2)).log()
                self.choices[..., k, :].copy_(F.pad(logits, (0, 0, 0, 2))[slots])
        if self.labels is not None:
            for k, (c, _) in enumerate(order):
                self.labels[..., k, present[c]] = _OWN

    def extra_repr(self) -> str:
        return f"features={self.features}, classes={self.classes}, levels={self.levels}"

    def _place(self, centres: Tensor, residual: Tensor) -> None:
        """Put means on centres ``(K, D)``, and the spread of all classes around each."""
        assert self.loc is not None and self.log_diagonal is not None
        slots = self.regions.slots(continuous=True)  # (R, M, S)
        covariance = (residual.mT @ residual / len(residual)).cpu()
        features = self.features
        padded = torch.eye(features + 1)
        wide = residual.shape[-1]
        padded[:wide, :wide] = covariance
        spread = padded[slots.unsqueeze(-1), slots.unsqueeze(-2)]
        # Slots without a feature are independent of everything, and are never read.
        none = slots == features
        spread = torch.where(
            none.unsqueeze(-1) | none.unsqueeze(-2), torch.eye(slots.shape[-1]), spread
        )
        spread = spread + 1e-6 * torch.eye(slots.shape[-1])
        self.spread.copy_(spread)
        self.loc.copy_(F.pad(centres, (0, 1))[:, slots].permute(1, 2, 0, 3))
        self.root.zero_()
        precision = torch.linalg.inv(spread)
        if self.factor is None:
            self.log_diagonal.copy_(spread.diagonal(dim1=-2, dim2=-1).log().neg().unsqueeze(-2))
            return
        # Exact at full rank: what the smallest eigenvalue leaves is a factor.
        values, vectors = torch.linalg.eigh(precision)
        least = values[..., :1]
        rank = self.factor.shape[-1]
        kept = min(rank, values.shape[-1])
        own = vectors[..., -kept:] * (values[..., -kept:] - least).clamp(min=0).sqrt().unsqueeze(-2)
        self.factor.zero_()
        self.factor[..., :kept].copy_(own.unsqueeze(-3))
        rest = precision.diagonal(dim1=-2, dim2=-1) - own.square().sum(-1)
        self.log_diagonal.copy_(rest.clamp(min=1e-3).log().unsqueeze(-2))

    def _gaussians(self) -> LowRankPrecisionNormal | None:
        if self.loc is None or self.log_diagonal is None:
            return None
        return LowRankPrecisionNormal(self.loc, self.log_diagonal.exp(), self.factor)

    def _beyond(self) -> Tensor:
        """Say which choices are no levels, where a class has more categories than a level."""
        assert self.choices is not None
        return torch.arange(self.choices.shape[-1], device=self.root.device) >= self.levels
