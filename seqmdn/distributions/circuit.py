"""The probabilistic circuit: sums and products of leaves, with exact marginals and conditionals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Size, Tensor
from torch.distributions import Categorical, Distribution

from seqmdn import linalg
from seqmdn.distributions.circuit_parameters import (
    check_shapes,
    restricted,
    slot_categories,
)
from seqmdn.distributions.closed import ClosedDistribution
from seqmdn.distributions.features import check_event, select_features, split_features
from seqmdn.distributions.gaussian import LowRankPrecisionNormal
from seqmdn.distributions.implicit import attach_univariate
from seqmdn.distributions.moments import moments
from seqmdn.distributions.moving import moved
from seqmdn.distributions.nodes import Nodes, Paths, condition_leaves, draw, paths, upward
from seqmdn.distributions.posterior import category_log_probs, feature_mixture
from seqmdn.distributions.regions import Regions
from seqmdn.distributions.univariate import mixture_cdf, mixture_icdf

__all__ = ["Circuit"]


class Circuit(ClosedDistribution):
    r"""Defines the density of D variables, some with categories, by sums and products of leaves.

    .. math:: p(y) = \sum_{r,k} w_{rk} \, p_{rk}(y), \qquad
        p_{mi} = \sum_j w_{mij} \, p_{2m, j} \, p_{2m+1, j}

    A sum is a mixture of products, a neuron of which the weights are as those of a uGMM; leaves are
    normalised, and so is the whole: exp(log_prob) integrates to 1, over a class it sums to 1. The
    density is a mixture of exponentially many products of leaves, at the cost of a pass through a
    network. Marginals and conditionals are exact, and a circuit again: the same network, of which
    some variables are integrated out at the leaves and others are given. With a depth of 0 it is a
    mixture of Gaussians.

    Args:
        regions: which variables are joined, and in which order.
        gaussians: leaves of the continuous variables, of batch shape (*batch, R, M, K) and event
            shape (S,), those of `regions.slots(continuous=True)`; None where there are none.
        sums: logits (*batch, R, M / 2^l, K, K) of the sums of each level l = 1, ..., depth; the
            last dimension is mixed.
        root: logits (*batch, R, K).
        choices: logits (*batch, R, M, S', K, C) of the variables with categories in the trees;
            those beyond a variable's own number count for nothing.
        labels: logits (*batch, T, R, K, C) of those at the top.
        validate_args: checks parameters and values; None follows torch's setting.

    Values of variables with categories are their numbers 0, 1, ...; `mean` and `variance` are those
    of the numbers, `cdf`, `icdf`, `rsample` and `rosenblatt` are offered where all are continuous.

    Raises:
        ValueError: If shapes do not fit or parameters are NaN.

    References:
        Sum-Product Networks: A New Deep Architecture (Poon, Domingos, 2011).
        Random Sum-Product Networks (Peharz et al., 2019); Einsum Networks (Peharz et al., 2020).

    Example:
        >>> regions = Regions((((0,), (1,)),), categories=(0, 0))
        >>> loc = torch.tensor([[[[-1.0], [1.0]], [[-1.0], [1.0]]]])  # (1, 2, 2, 1): R, M, K, S
        >>> leaves = LowRankPrecisionNormal(loc, torch.full((1, 2, 2, 1), 4.0))
        >>> same = torch.tensor([[[[9.0, -9.0], [-9.0, 9.0]]]])  # both are low, or both are high
        >>> circuit = Circuit(regions, leaves, [same], torch.zeros(1, 2))
        >>> circuit.mean, circuit.covariance_matrix
        (tensor([0., 0.]), tensor([[1.2500, 1.0000],
            [1.0000, 1.2500]]))
        >>> circuit.condition(torch.tensor([1.0, 0.0]), torch.tensor([True, False])).mean
        tensor([0.9993])
    """

    arg_constraints = {}
    nodes: Nodes

    def __init__(
        self,
        regions: Regions,
        gaussians: LowRankPrecisionNormal | None,
        sums: Sequence[Tensor],
        root: Tensor,
        choices: Tensor | None = None,
        labels: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self.regions = regions
        shapes = check_shapes(regions, gaussians, sums, root, choices, labels)
        if Distribution._validate_args if validate_args is None else validate_args:
            for logits in (*sums, root, choices, labels):
                if logits is not None and bool(torch.isnan(logits.detach()).any()):
                    raise ValueError(
                        f"the weights hold NaN, shape {tuple(logits.shape)}. Look for a diverged"
                        " step or NaN in the data before it."
                    )
        root = linalg.widen(root)
        self.nodes = Nodes(
            gaussians,
            tuple(linalg.widen(logits).log_softmax(-1) for logits in sums),
            root.flatten(-2).log_softmax(-1).reshape(root.shape),
            None if choices is None else restricted(choices, slot_categories(regions)),
            None
            if labels is None
            else restricted(labels, torch.tensor([regions.categories[t] for t in regions.top])),
        )
        self.kept = list(range(regions.features))
        self.given = torch.zeros(regions.features, dtype=torch.bool)
        self.evidence: Tensor | None = None
        super().__init__(
            torch.broadcast_shapes(*shapes), Size([regions.features]), validate_args=False
        )
        self._validate_args = (
            Distribution._validate_args if validate_args is None else validate_args
        )

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether draws have gradients: where every variable is continuous."""
        return not self._categorical()

    @property
    def mean(self) -> Tensor:  # (*batch, D)
        return self._moments()[0]

    @property
    def variance(self) -> Tensor:  # (*batch, D)
        return self._moments()[1]

    @property
    def covariance_matrix(self) -> Tensor:  # (*batch, D, D)
        """The dense covariance, O(R M K D^2)."""
        leaves = None if self.nodes.gaussians is None else self._leaves()
        mean, second = moments(self.regions, self.nodes, self._up(), leaves)
        mean, second = mean[..., self.kept], second[..., self.kept, :][..., self.kept]
        covariance = second - mean.unsqueeze(-1) * mean.unsqueeze(-2)
        return covariance.expand(*self.batch_shape, *covariance.shape[-2:])

    def categories(self, feature: int) -> Categorical:
        """Returns the probabilities of one variable's categories, exact, (*batch,) over C.

        Args:
            feature: 0 <= i < D, of those that are left.

        Raises:
            ValueError: If it is continuous.

        Example:
            >>> regions = Regions((((0,),),), categories=(0, 2), top=(1,))
            >>> leaves = LowRankPrecisionNormal(torch.tensor([[[[-1.0], [1.0]]]]), torch.ones(1))
            >>> own = torch.tensor([[[[9.0, -9.0], [-9.0, 9.0]]]])  # (1, 1, 2, 2): T, R, K, C
            >>> circuit = Circuit(regions, leaves, [], torch.zeros(1, 2), labels=own)
            >>> seen = circuit.condition(torch.tensor([1.0, 0.0]), torch.tensor([True, False]))
            >>> seen.categories(0).probs  # the logistic function of -2 and 2
            tensor([0.1192, 0.8808])
        """
        column = self.kept[select_features([feature], self.event_shape[0])[0]]
        count = self.regions.categories[column]
        if not count:
            raise ValueError(
                f"expected a feature with categories, found {feature}, which is continuous: take"
                " cdf or icdf of its marginal"
            )
        log_probs = category_log_probs(self.regions, self.nodes, self._paths(), column)
        logits = log_probs[..., :count]
        return Categorical(
            logits=logits.expand(*self.batch_shape, count), validate_args=self._validate_args
        )

    def condition(self, values: Tensor, observed: Tensor) -> Circuit:
        wanted, known = split_features(observed, self.event_shape[0])
        check_event(values, self.event_shape[0], "values", self.batch_shape)
        new = self._copy()
        new.kept = [self.kept[i] for i in wanted]
        columns = [self.kept[i] for i in known]
        seen = linalg.widen(values[..., known]).to(self.nodes.root.dtype)
        if self._validate_args and bool(torch.isnan(seen).any()):
            raise ValueError(
                "values must not be NaN where observed is True; mark those as unobserved."
            )
        new.given = self.given.clone()
        new.given[columns] = True
        batch = torch.broadcast_shapes(values.shape[:-1], self.batch_shape)
        new.evidence = self._whole(batch)
        new.evidence[..., columns] = seen
        new._check_categories(new.evidence, new.given)
        Distribution.__init__(new, batch, Size([len(wanted)]), validate_args=False)
        new._validate_args = self._validate_args
        return new

    def marginal(self, features: Sequence[int]) -> Circuit:
        chosen = select_features(features, self.event_shape[0])
        new = self._copy()
        new.kept = [self.kept[i] for i in chosen]
        Distribution.__init__(new, self.batch_shape, Size([len(chosen)]), validate_args=False)
        new._validate_args = self._validate_args
        return new

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Returns draws (*sample, *batch, D)."""
        with torch.no_grad():
            leaves = None if self.nodes.gaussians is None else self._leaves()
            shape = Size((*sample_shape, *self.batch_shape))
            return draw(self.regions, self.nodes, self._up(), leaves, shape)[..., self.kept]

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Returns draws (*sample, *batch, D) with first derivatives, in D passes upwards.

        The draws are those of `sample` by the same random numbers.

        Raises:
            NotImplementedError: If a variable has categories.
        """
        drawn = self.sample(sample_shape)
        self._refuse_categories("rsample")
        if not torch.is_grad_enabled():
            return drawn
        exact = self.to(torch.float64)
        whole = exact._whole(drawn.shape[:-1])
        seen = self.given.to(drawn.device).expand(whole.shape)
        for i, column in enumerate(self.kept):
            # What comes before carries its own gradient into the density of the next.
            found = attach_univariate(drawn[..., i], *exact._feature(column, whole, seen))
            whole, seen = whole.clone(), seen.clone()
            whole[..., column], seen[..., column] = found.double(), True
        return whole[..., self.kept].to(drawn.dtype)

    def tempered(self, mixing: float | Tensor = 1.0, scale: float | Tensor = 1.0) -> Self:
        """Returns the circuit of tempered sums, with the leaves' covariances times `scale`.

        The weights of each sum, the root's and those of categories are taken to the power 1/mixing
        and renormalised; what was given before stays given.

        Args:
            mixing: positive, a number or (*batch,).
            scale: positive, a number or (*batch,).

        Raises:
            ValueError: If one of them is not positive.
        """
        new, nodes = self._copy(), self.nodes
        power = torch.as_tensor(mixing).to(nodes.root)
        if not bool((power > 0).all()):
            raise ValueError(f"mixing must be positive; found {mixing}.")

        def softened(weights: Tensor, dims: int, event: int = 1) -> Tensor:
            own = weights / power.reshape(*power.shape, *[1] * dims)
            return own.flatten(-event).log_softmax(-1).reshape(own.shape)

        leaves = nodes.gaussians
        if leaves is not None:
            width = torch.as_tensor(scale)
            leaves = leaves.tempered(width.reshape(*width.shape, 1, 1, 1))
        new.nodes = Nodes(
            leaves,
            tuple(softened(weights, 4) for weights in nodes.sums),
            softened(nodes.root, 2, event=2),
            None if nodes.choices is None else softened(nodes.choices, 5),
            None if nodes.labels is None else softened(nodes.labels, 4),
        )
        return new

    def to(self, target: torch.device | torch.dtype | str) -> Self:
        """Returns the circuit on another device or in another dtype, at least float32.

        Raises:
            TypeError: If the dtype is not a floating-point one.
        """
        new, nodes = self._copy(), self.nodes
        new.nodes = Nodes(
            None if nodes.gaussians is None else nodes.gaussians.to(target),
            tuple(linalg.widen(moved(weights, target)) for weights in nodes.sums),
            linalg.widen(moved(nodes.root, target)),
            None if nodes.choices is None else linalg.widen(moved(nodes.choices, target)),
            None if nodes.labels is None else linalg.widen(moved(nodes.labels, target)),
        )
        evidence = self.evidence
        new.evidence = None if evidence is None else linalg.widen(moved(evidence, target))
        return new

    def expand(self, batch_shape: Sequence[int], _instance: Self | None = None) -> Self:
        new = self._copy()
        Distribution.__init__(new, Size(batch_shape), self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def __repr__(self) -> str:
        return (
            f"Circuit(trees={self.regions.trees}, depth={self.regions.depth},"
            f" components={self.nodes.root.shape[-1]}, batch_shape={tuple(self.batch_shape)},"
            f" event_shape={tuple(self.event_shape)})"
        )

    def _log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        whole = self._whole(value.shape[:-1], value)
        seen = self.given.to(value.device).expand(whole.shape).clone()
        seen[..., self.kept] = True if mask is None else mask
        self._check_categories(whole, seen)
        everything = mask is None and bool(seen.all())
        density = upward(self.regions, self.nodes, whole, None if everything else seen).total
        density = density.expand(torch.broadcast_shapes(density.shape, self.batch_shape))
        return density - self._up().total if bool(self.given.any()) else density

    def _rosenblatt(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        self._refuse_categories("rosenblatt")
        exact, levels = self.to(torch.float64), []
        whole = exact._whole(value.shape[:-1], value.double())
        seen = self.given.to(value.device).expand(whole.shape)
        for i, column in enumerate(self.kept):
            parts = exact._feature(column, whole, seen)
            levels.append(mixture_cdf(whole[..., column], *parts))
            seen = seen.clone()
            seen[..., column] = True if mask is None else mask[..., i]
        dtype = torch.promote_types(value.dtype, self.nodes.root.dtype)
        return torch.stack(levels, dim=-1).to(dtype)

    def _inverse_rosenblatt(self, u: Tensor) -> Tensor:
        self._refuse_categories("inverse_rosenblatt")
        exact = self.to(torch.float64)
        whole = exact._whole(u.shape[:-1])
        seen = self.given.to(u.device).expand(whole.shape)
        for i, column in enumerate(self.kept):
            found = mixture_icdf(u[..., i].double(), *exact._feature(column, whole, seen))
            whole, seen = whole.clone(), seen.clone()
            whole[..., column], seen[..., column] = found, True
        dtype = torch.promote_types(u.dtype, self.nodes.root.dtype)
        return whole[..., self.kept].to(dtype)

    def _univariate(self) -> tuple[Tensor, Tensor, Tensor]:
        self._refuse_categories("cdf and icdf")
        found, leaves = self._paths(), self._leaves()
        parts = [feature_mixture(self.regions, found, leaves, column) for column in self.kept]
        shape = (*self.batch_shape, len(self.kept), parts[0][0].shape[-1])
        log_weights, loc, scale = (torch.stack(p, dim=-2) for p in zip(*parts, strict=True))
        return log_weights.expand(shape), loc.expand(shape), scale.expand(shape)

    def _feature(
        self, column: int, whole: Tensor, seen: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:  # three of (*batch, R K)
        """Returns the mixture that one variable is, given what was seen of the others."""
        whole = whole.where(seen, 0)  # leaves expect nothing where nothing was seen
        found = paths(self.nodes, upward(self.regions, self.nodes, whole, seen))
        leaves = condition_leaves(self.regions, self.nodes, whole, seen)
        return feature_mixture(self.regions, found, leaves, column)

    def _moments(self) -> tuple[Tensor, Tensor]:
        """Returns mean and variance of each variable, (*batch, D)."""
        found, means, variances = self._paths(), [], []
        leaves = None if self.nodes.gaussians is None else self._leaves()
        for column in self.kept:
            if self.regions.categories[column]:
                probabilities = category_log_probs(self.regions, self.nodes, found, column).exp()
                numbers = torch.arange(probabilities.shape[-1]).to(probabilities)
                mean = (probabilities * numbers).sum(-1)
                spread = (numbers - mean.unsqueeze(-1)).square()
            else:
                assert leaves is not None
                log_weights, loc, scale = feature_mixture(self.regions, found, leaves, column)
                probabilities = log_weights.exp()
                mean = (probabilities * loc).sum(-1)
                spread = scale.square() + (loc - mean.unsqueeze(-1)).square()
            means.append(mean)
            variances.append((probabilities * spread).sum(-1))
        shape = (*self.batch_shape, *self.event_shape)
        mean, variance = torch.stack(means, dim=-1), torch.stack(variances, dim=-1)
        return mean.expand(shape), variance.expand(shape)

    def _up(self) -> Any:
        """Returns what is known on the way up by what is given alone."""
        whole = self._whole(() if self.evidence is None else self.batch_shape)
        return upward(self.regions, self.nodes, whole, self.given.to(whole.device).expand_as(whole))

    def _paths(self) -> Paths:
        return paths(self.nodes, self._up())

    def _leaves(self) -> LowRankPrecisionNormal:
        whole = self._whole(() if self.evidence is None else self.batch_shape)
        given = self.given.to(whole.device).expand_as(whole)
        return condition_leaves(self.regions, self.nodes, whole, given)

    def _whole(self, batch: Sequence[int], value: Tensor | None = None) -> Tensor:
        """Returns values of all columns (*batch, D'), 0 where nothing is known, in new memory."""
        like = self.nodes.root if value is None else value
        if value is not None:
            like = like.new_zeros((), dtype=torch.promote_types(value.dtype, self.nodes.root.dtype))
        whole = like.new_zeros((*batch, self.regions.features))
        if self.evidence is not None:
            whole = whole + self.evidence
        if value is not None:
            whole[..., self.kept] = value.to(whole.dtype)
        return whole

    def _categorical(self) -> list[int]:
        return [column for column in self.kept if self.regions.categories[column]]

    def _refuse_categories(self, what: str) -> None:
        if self._categorical():
            raise NotImplementedError(
                f"{what} of variables with categories is not offered: take a marginal of the"
                " continuous ones, or the probabilities of the categories, categories(feature)."
            )

    def _check_categories(self, whole: Tensor, seen: Tensor) -> None:
        """Refuses a number that is no category of its variable."""
        columns = [d for d, count in enumerate(self.regions.categories) if count]
        if not self._validate_args or not columns:
            return
        counts = torch.tensor([self.regions.categories[d] for d in columns]).to(whole)
        value = whole[..., columns]
        wrong = ((value < 0) | (value >= counts) | (value != value.floor())) & seen[..., columns]
        if bool(wrong.any()):
            raise ValueError(
                "value must be the number of a category, 0 to C - 1, of each variable that has"
                f" some; found {float(value[wrong][0]):g}. Keep noise and scaling off its column."
            )

    def _copy(self) -> Self:
        new = self.__class__.__new__(self.__class__)
        new.__dict__.update(self.__dict__)
        return new
