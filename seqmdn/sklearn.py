"""Mixture density regression as a scikit-learn estimator."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR

from seqmdn.backbones import MLPBackbone
from seqmdn.backbones.mlp import Activation
from seqmdn.data import Batch
from seqmdn.distributions import Mixture
from seqmdn.heads import MixtureHead
from seqmdn.heads.mixture import Covariance
from seqmdn.models import MDN, Ensemble, conditional
from seqmdn.models.exact import ExactModel

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(
        "seqmdn.sklearn needs scikit-learn 1.6 or later: pip install 'seqmdn[sklearn]'"
    ) from error

__all__ = ["MDNRegressor"]

Point = Literal["mean", "median", "mode"]
Array = NDArray[np.float64]


class MDNRegressor(RegressorMixin, BaseEstimator):
    r"""A mixture density network with the manners of scikit-learn.

    .. math:: p(y | x) = \sum_k \pi_k(x) \, N(y; \mu_k(x), \Lambda_k(x)^{-1})

    Inputs and targets are standardised inside, and all that comes out is in the targets' unit. One
    target or several: an array ``(n,)`` in gives ``(n,)`` out, and ``(n, D)`` gives ``(n, D)``.

    Args:
        components: Number of Gaussians K.
        hidden: Width of each layer.
        activation: Of :class:`seqmdn.backbones.MLPBackbone`.
        covariance: Of :class:`seqmdn.heads.MixtureHead`.
        rank: Of ``covariance="lowrank"``.
        dropout: Probability with which units are dropped in training.
        members: Networks whose densities are averaged (:class:`seqmdn.models.Ensemble`).
        learning_rate: Of AdamW; it falls to 0 over ``max_epochs``, as half a cosine.
        weight_decay: Of AdamW, for matrices alone.
        batch_size: Rows of a step.
        max_epochs: Most passes over the rows.
        validation_fraction: Share of the rows that is not learnt from: the weights of the epoch in
            which these are likeliest are kept. 0 keeps the last ones.
        patience: Epochs without a better one before training stops.
        random_state: Of weights, batches and the rows set aside.

    Attributes:
        model_: The network, a :class:`seqmdn.models.MDN` or an ensemble, in float64.
        validation_scores_: The mean log-likelihood of the rows set aside, epoch by epoch.
        n_features_in_: Number of inputs.

    Raises:
        ValueError: On fitting, if there are fewer rows than components, or an argument is out of
            range.

    References:
        Mixture Density Networks (Bishop, 1994).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.uniform(0, 2, (400, 1))
        >>> y = rng.choice([-1, 1], 400) * (x[:, 0] + 1)
        >>> found = MDNRegressor(components=2, hidden=(16,), random_state=0).fit(x, y)
        >>> found.predict([[1.0]]).shape, found.predict_interval([[1.0]]).shape
        ((1,), (1, 2))
        >>> bool(abs(abs(found.predict([[1.0]], point="mode")[0]) - 2) < 0.2)
        True
    """

    def __init__(
        self,
        components: int = 3,
        hidden: Sequence[int] = (64, 64),
        activation: Activation = "silu",
        covariance: Covariance = "diagonal",
        rank: int | None = None,
        dropout: float = 0.0,
        members: int = 1,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-4,
        batch_size: int = 128,
        max_epochs: int = 200,
        validation_fraction: float = 0.1,
        patience: int = 20,
        random_state: Any = None,
    ) -> None:
        self.components = components
        self.hidden = hidden
        self.activation = activation
        self.covariance = covariance
        self.rank = rank
        self.dropout = dropout
        self.members = members
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train on rows.

        Args:
            X: Inputs ``(n, X)``.
            y: Targets ``(n,)`` or ``(n, D)``.
            sample_weight: How often each row counts ``(n,)``; once by default.
        """
        self._check_arguments()
        inputs, targets = validate_data(
            self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, ensure_min_samples=2
        )
        weights = None
        if sample_weight is not None:
            weights = torch.from_numpy(_check_sample_weight(sample_weight, inputs, copy=True))
        self._flat = targets.ndim == 1
        targets = targets.reshape(len(targets), -1)
        random = check_random_state(self.random_state)
        order = random.permutation(len(inputs))
        aside = 0
        if self.validation_fraction:
            aside = max(1, round(self.validation_fraction * len(inputs)))
        if len(inputs) - aside < self.components:
            raise ValueError(
                f"expected at least {self.components} rows to learn from, one for each component, "
                f"found {len(inputs) - aside} of n_samples = {len(inputs)}: give more rows, or "
                "fewer components"
            )
        rows = _batch(inputs, targets, weights)
        learnt, left = (torch.from_numpy(each) for each in np.split(order, [len(inputs) - aside]))
        known, held = _rows(rows, learnt), _rows(rows, left) if aside else None
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(int(random.randint(2**31 - 1)))
            self.model_ = self._build(targets.shape[1], inputs.shape[1])
            # A training of a few thousand rows takes as long as in float32, and columns may be of
            # numbers that differ in their last digits alone.
            self.model_ = self.model_.double()
            self._train(known, held)
        self.model_ = self.model_.eval().requires_grad_(False)
        return self

    def predict(self, X: ArrayLike, point: Point = "mean") -> Array:
        """Return one number for each target: the mean, or each target's median, or the mode.

        The mode is that of all targets together (:meth:`seqmdn.distributions.Mixture.mode`). Where
        there are several valid answers, it is one of them, and the mean lies between them.
        """
        density = self.predict_distribution(X)
        if point == "median":
            return self._shaped(density.icdf(torch.tensor(0.5)))
        if point not in ("mean", "mode"):
            raise ValueError(f"point must be 'mean', 'median' or 'mode', found {point!r}")
        return self._shaped(density.mean if point == "mean" else density.mode)

    def predict_quantiles(
        self, X: ArrayLike, quantiles: Sequence[float] = (0.05, 0.5, 0.95)
    ) -> Array:
        """Return quantiles of each target by itself, ``(n, Q)``, or ``(n, Q, D)`` of several."""
        density = self.predict_distribution(X)
        each = [self._shaped(density.icdf(torch.tensor(float(q)))) for q in quantiles]
        return np.stack(each, axis=1)

    def predict_interval(self, X: ArrayLike, level: float = 0.9) -> Array:
        """Return the borders of the central interval, ``(n, 2)``, or ``(n, 2, D)`` of several."""
        if not 0 < level < 1:
            raise ValueError(f"level must lie inside (0, 1), found {level}")
        return self.predict_quantiles(X, ((1 - level) / 2, (1 + level) / 2))

    def predict_distribution(self, X: ArrayLike) -> Mixture:
        """Return the densities of all rows, of batch shape ``(n,)``, in the targets' unit."""
        check_is_fitted(self)
        inputs = validate_data(self, X, dtype=np.float64, reset=False)
        density = conditional(self.model_, torch.from_numpy(inputs))
        assert isinstance(density, Mixture)
        return density

    def sample(self, X: ArrayLike, n_samples: int = 1, random_state: Any = None) -> Array:
        """Return draws ``(n_samples, n)``, or ``(n_samples, n, D)`` of several targets."""
        density = self.predict_distribution(X)
        with torch.random.fork_rng(devices=[]):
            seed = int(check_random_state(random_state).randint(2**31 - 1))
            torch.default_generator.manual_seed(seed)
            return self._shaped(density.sample((n_samples,)))

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the mean log-likelihood of rows in nats; larger is better.

        It is no R²: of that, ask :func:`sklearn.metrics.r2_score` of :meth:`predict`.
        """
        density = self.predict_distribution(X)
        values = torch.from_numpy(np.asarray(y, np.float64).reshape(density.batch_shape[0], -1))
        found = density.log_prob(values).numpy()
        weights = None if sample_weight is None else np.asarray(sample_weight, np.float64)
        return float(np.average(found, weights=weights))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.regressor_tags.poor_score = True  # a log-likelihood, which has no scale of its own
        tags.non_deterministic = False
        return tags

    def _check_arguments(self) -> None:
        for name in ("components", "members", "batch_size", "max_epochs", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, found {getattr(self, name)}")
        if not 0 <= self.validation_fraction < 1:
            raise ValueError(
                f"validation_fraction must lie in [0, 1), found {self.validation_fraction}"
            )
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be positive, found {self.learning_rate}")

    def _build(self, targets: int, inputs: int) -> ExactModel:
        member = partial(
            MDN,
            backbone=partial(
                MLPBackbone,
                hidden=list(self.hidden),
                activation=self.activation,
                dropout=self.dropout,
            ),
            head=partial(
                MixtureHead,
                components=self.components,
                covariance=self.covariance,
                rank=self.rank,
                positive="exp",
            ),
        )
        if self.members == 1:
            return member(targets, inputs)
        return Ensemble(targets, inputs, member, self.members)

    def _train(self, known: Batch, held: Batch | None) -> None:
        model = self.model_.train()
        assert known.context is not None
        model.initialise(known.values[:, 0], known.context[:, 0])
        matrices = [p for p in model.parameters() if p.ndim >= 2]
        vectors = [p for p in model.parameters() if p.ndim < 2]
        groups: list[dict[str, Any]] = [
            {"params": matrices, "weight_decay": self.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
        optimiser = torch.optim.AdamW(groups, lr=self.learning_rate)
        schedule = CosineAnnealingLR(optimiser, self.max_epochs)
        self.validation_scores_: list[float] = []
        best, waited, kept = -np.inf, 0, copy.deepcopy(model.state_dict())
        for _ in range(self.max_epochs):
            for rows in torch.randperm(len(known.values)).split(self.batch_size):
                optimiser.zero_grad()
                model.loss(_rows(known, rows)).backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
                optimiser.step()
            schedule.step()
            if held is None:
                continue
            score = -_held_out(model, held)
            self.validation_scores_.append(score)
            waited += 1
            if score > best:
                best, waited, kept = score, 0, copy.deepcopy(model.state_dict())
            if waited >= self.patience:
                break
        if held is not None:
            model.load_state_dict(kept)

    def _shaped(self, values: Tensor) -> Array:  # (..., D) -> (...), or the same
        found: Array = (values.squeeze(-1) if self._flat else values).numpy()
        return found


@torch.no_grad()
def _held_out(model: ExactModel, held: Batch) -> float:
    """Return the mean negative log-likelihood, by weights, of the density that will be used."""
    model.eval()
    log_prob = model.log_prob(held)
    weights = torch.ones_like(log_prob) if held.weights is None else held.weights
    model.train()
    return -float((weights * log_prob).sum() / weights.sum().clamp(min=1e-12))


def _batch(X: Array, y: Array, weights: Tensor | None) -> Batch:
    """Return rows as sequences of one frame."""
    inputs, targets = torch.from_numpy(X).unsqueeze(1), torch.from_numpy(y).unsqueeze(1)
    return Batch(targets, torch.ones(len(X), dtype=torch.int64), inputs, weights=weights)


def _rows(batch: Batch, rows: Tensor) -> Batch:
    return Batch._make(None if field is None else field[rows] for field in batch)
