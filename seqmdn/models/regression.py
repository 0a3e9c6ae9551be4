"""Mixture density regression: inputs in, density of the targets out."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from seqmdn.backbones import Backbone, MLPBackbone
from seqmdn.data import Batch, Standardise, Transform
from seqmdn.distributions import Flowed, Mixture, rescaled
from seqmdn.heads import MixtureHead
from seqmdn.models.exact import ExactModel
from seqmdn.models.frames import Seen, State

__all__ = ["MDN", "conditional"]


class MDN(ExactModel):
    r"""The exact density of targets given inputs, every frame by itself.

    .. math:: \log p(y | x), \qquad p(\cdot | x) = \text{head}(\text{backbone}(g(x)))

    with g the reversible transform of the inputs, which is fitted to the training data, as that of
    the targets is. A frame is a row: targets y are its values, inputs x its context. Rows are
    sequences of one frame where they belong to no sequence; of those that do, each is taken by
    itself. All values that go in and all densities that come out are in the data's own units.

    With a :class:`MixtureHead` this is Bishop's network, with a
    :class:`seqmdn.heads.SquaredErrorHead` the network that is trained by squared error.

    Args:
        features: Number of targets D.
        context: Number of inputs X, at least 1.
        backbone: Makes the backbone from its number of inputs.
        head: Makes the head from (features, context).
        transform: Makes the reversible transform of the targets from their number.
        inputs: Makes the transform of the inputs from their number.
        missing: Whether targets may be missing. What was observed is what is scored: its exact
            marginal density, 0 for a row of which nothing was.

    Raises:
        ValueError: If there are no inputs, a batch does not fit, or targets are missing and the
            model was not made for that.

    References:
        Mixture Density Networks (Bishop, 1994).

    Example:
        >>> model = MDN(features=2, context=3)
        >>> rows = Batch(torch.randn(9, 1, 2), torch.ones(9).long(), context=torch.randn(9, 1, 3))
        >>> model.initialise(rows.values[:, 0], rows.context[:, 0])
        >>> model.log_prob(rows).shape, model.loss(rows).shape
        (torch.Size([9]), torch.Size([]))
    """

    def __init__(
        self,
        features: int,
        context: int,
        backbone: Callable[[int], Backbone] = MLPBackbone,
        head: Callable[[int, int], nn.Module] = MixtureHead,
        transform: Callable[[int], Transform] = Standardise,
        inputs: Callable[[int], Transform] = Standardise,
        missing: bool = False,
    ) -> None:
        super().__init__(features, context, transform, missing)
        if context < 1:
            raise ValueError(
                "an MDN expected inputs, found data without context: prepare a store with the "
                "inputs as context, or name columns that are given (--data.given)"
            )
        self.inputs = inputs(context)
        self.backbone = backbone(context)
        self.head = head(features, self.backbone.features)
        # Nothing is seen before a frame; drawing asks where the model is.
        self.register_buffer("start", torch.zeros(features), persistent=False)

    def initialise(self, values: Tensor, context: Tensor | None = None) -> None:
        """Fit both transforms and place the head's components, before training.

        Args:
            values: Training targets ``(N, D)`` in the data's units, NaN where one is missing.
            context: Their inputs ``(N, X)``.

        Raises:
            ValueError: If there are no inputs, or targets are missing and the model was not made
                for that.
        """
        if context is None:
            raise ValueError("an MDN expected the inputs of the training rows, found none")
        super().initialise(values)
        self.inputs.fit(context)

    def advance(
        self,
        previous: Tensor | None,
        context: Tensor | None = None,
        state: State | None = None,
        batch_size: int = 1,
        observed: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Return what the head sees of the inputs of a row; the frame before is not looked at."""
        if observed is not None:
            self._check_missing("observed in a step")
        h, state = self._run(None if context is None else context.unsqueeze(1), state)
        return h.squeeze(1), state

    def _predict(self, batch: Batch) -> tuple[Any, Seen]:
        seen = self.see(batch)
        context = batch.context
        if context is not None:
            # A transform may not accept the zeros that stand in the place of padding.
            context = context.where(batch.present().unsqueeze(-1), context[:, :1])
        state = None if batch.text is None else self.begin(batch.text)
        return self.head(self._run(context, state)[0]), seen

    def _run(self, context: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """Run the backbone over inputs ``(B, T, X)`` in the data's units."""
        h, state = self.backbone(self.inputs(self._beside([], context)), state)
        return h, state


def conditional(model: ExactModel, inputs: Tensor) -> Distribution:
    """Return the densities of rows' targets given their inputs, in the data's own units.

    Of an :class:`MDN` or an ensemble of them. A mixture of standardised targets is a mixture of the
    targets (:func:`seqmdn.distributions.rescaled`), with means, quantiles, modes and conditionals;
    others are what they are, seen through the transform.

    Args:
        model: The model; dropout is off in evaluation mode alone.
        inputs: ``(N, X)``.

    Returns:
        A distribution of batch shape ``(N,)`` and event shape ``(D,)``.

    Raises:
        ValueError: If there are other inputs than the model has.

    Example:
        >>> conditional(MDN(features=2, context=3), torch.zeros(9, 3))
        Mixture(components=5, rank=0, batch_shape=(9,), event_shape=(2,))
    """
    density, _ = model.step(None, inputs, batch_size=len(inputs))
    if isinstance(density, Mixture) and isinstance(scale := model.transform, Standardise):
        return rescaled(density, scale.mean, scale.std)
    return Flowed(density, model.transform)
