"""A generative network: one proper density of all features of a row, its class among them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from seqmdn.data import Batch, Partial, Standardise, Transform
from seqmdn.distributions import Circuit
from seqmdn.heads import CircuitHead
from seqmdn.models.exact import ExactModel
from seqmdn.models.frames import Seen, State

__all__ = ["GenerativeNetwork"]


class GenerativeNetwork(ExactModel):
    r"""The exact joint density of the features of a row and its class, by a probabilistic circuit.

    .. math:: \log p(y, c) = \log p(y) + \log p(c | y)

    A network whose neurons are mixtures and products and whose root is a density: it integrates to
    1 over the features and sums to 1 over the classes. A row is a frame, every row by itself; its
    class, where the head has classes, is the last value (``python -m data_prep.labelled_rows
    --joint``), and there is no context. Densities are in nats of the data's own units.

    Trained on the joint density, on that of the class given the features, or on a weighted sum; in
    each case what comes out is the joint density, with its exact marginals and conditionals.

    Args:
        features: Number of values D of a row, the class included.
        context: Number of context features; there may be none.
        head: Makes the circuit's parameters from (features, 0).
        transform: Makes the reversible transform of the continuous features from their number.
        discriminative: Weight w of :math:`\log p(c | y)` in training, beside 1 - w of
            :math:`\log p(y, c)`; 0 is the likelihood, 1 a classifier.
        missing: Whether features may be missing, the class among them.

    Raises:
        ValueError: If there is a context, or w is outside [0, 1] or there is no class for it.

    References:
        Sum-Product Networks: A New Deep Architecture (Poon, Domingos, 2011).
        Random Sum-Product Networks (Peharz et al., 2019), for both ways of training.

    Example:
        >>> head = lambda features, context: CircuitHead(features, context, classes=3, depth=1)
        >>> model = GenerativeNetwork(features=5, head=head)
        >>> rows = Batch(torch.zeros(7, 1, 5), torch.ones(7).long())
        >>> model.log_prob(rows).shape, model.class_log_prob(rows.values[:, 0]).exp().sum(-1)
        (torch.Size([7]), tensor([1., 1., 1., 1., 1., 1., 1.], grad_fn=<SumBackward1>))
    """

    head: CircuitHead
    rows: Tensor

    def __init__(
        self,
        features: int,
        context: int = 0,
        head: Callable[[int, int], CircuitHead] = CircuitHead,
        transform: Callable[[int], Transform] = Standardise,
        discriminative: float = 0.0,
        missing: bool = False,
    ) -> None:
        if context:
            raise ValueError(
                f"a GenerativeNetwork expected data without context, found {context} features of "
                "it: make them values (python -m data_prep.labelled_rows --joint)"
            )
        made = head(features, 0)
        classes = bool(made.classes)

        def but_the_class(count: int) -> Transform:
            return Partial(count, transform, columns=count - 1) if classes else transform(count)

        super().__init__(features, 0, but_the_class, missing)
        self.head = made
        if not 0 <= discriminative <= 1 or (discriminative and not classes):
            raise ValueError(
                "expected a discriminative weight from 0 to 1, and 0 where the head has no "
                f"classes, found {discriminative} and {made.classes} classes"
            )
        self.discriminative = discriminative
        self.register_buffer("rows", torch.ones(()))  # N, by which the prior is divided
        self.register_buffer("start", torch.zeros(features), persistent=False)

    def initialise(self, values: Tensor, context: Tensor | None = None) -> None:
        """Fit the transform and place the circuit's nodes, before training.

        Args:
            values: Training rows ``(N, D)`` in the data's units, NaN where a value is missing.
            context: None.

        Raises:
            ValueError: If values are missing and the model was not made for that.
        """
        super().initialise(values)
        self.rows.fill_(len(values))

    def loss(self, batch: Batch) -> Tensor:
        """Return the weighted negative log-likelihood in nats a row, with the prior's share."""
        joint = super().loss(batch)
        if self.discriminative:
            given = super().loss(self._without_class(batch))
            joint = joint - self.discriminative * given
        return joint - self.head.log_prior() / self.rows

    def parts(self) -> dict[str, Callable[[Any], Tensor]]:
        """Return the density of the features, and that of the class given them."""
        if not self.head.classes:
            return {}
        return {
            "features": lambda batch: self.log_prob(self._without_class(batch)),
            "class": lambda batch: self.log_prob(batch) - self.log_prob(self._without_class(batch)),
        }

    def class_log_prob(self, values: Tensor) -> Tensor:
        r"""Return :math:`\log p(c | y)`, exact, ``(*batch, C)``.

        Args:
            values: ``(*batch, D)`` in the data's units; the class is not read and may be NaN, and
                so may be features that are missing.

        Raises:
            ValueError: If the head has no classes.
        """
        if not self.head.classes:
            raise ValueError("expected a head with classes, found one with none: set head.classes")
        rows = values.unsqueeze(-2).expand(*values.shape[:-1], self.head.classes, -1).clone()
        rows[..., -1] = torch.arange(self.head.classes).to(rows)
        observed = ~rows.isnan()
        z, _ = self.transform.call_and_ladj(rows.where(observed, 0), observed)
        density = self.head.circuit().log_prob(z, None if bool(observed.all()) else observed)
        return density.log_softmax(-1)

    def density(self) -> Circuit:
        """Return the density of a row, *in the transform's units*."""
        return self.head.circuit()

    def advance(
        self,
        previous: Tensor | None,
        context: Tensor | None = None,
        state: State | None = None,
        batch_size: int = 1,
        observed: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Return an h of no features: no row depends on another."""
        size = batch_size if previous is None else len(previous)
        return self.start.new_zeros(size, 0), ()

    def begin(self, text: Tensor | None) -> State | None:
        """Return no state: there is no past.

        Raises:
            ValueError: If there is a text.
        """
        if text is not None:
            raise ValueError(
                "a GenerativeNetwork reads no texts: use data without text (--data.text false)"
            )
        return None

    def ended(self, frame: Tensor, state: State) -> Tensor | None:
        """Say nothing: a row does not end a sequence."""
        return None

    def _predict(self, batch: Batch) -> tuple[Any, Seen]:
        seen = self.see(batch)
        return self.head(seen.z.new_zeros(*seen.z.shape[:-1], 0)), seen

    def _without_class(self, batch: Batch) -> Batch:
        observed = torch.ones_like(batch.values, dtype=torch.bool)
        observed = observed if batch.observed is None else batch.observed.clone()
        observed[..., -1] = False
        return batch._replace(observed=observed)

    def _check_missing(self, found: str) -> None:
        # The class is left out for the density of the features alone, which is always known.
        if not self.head.classes:
            super()._check_missing(found)
