"""Densities of a function's values, each by itself, given some of its points."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from seqmdn.data import Batch, Standardise, Transform
from seqmdn.heads import FlooredMixtureHead
from seqmdn.models.exact import ExactModel
from seqmdn.models.frames import Seen, State
from seqmdn.models.neural_process.attention import AttentionEncoder
from seqmdn.models.neural_process.encoder import TaskEncoder
from seqmdn.models.neural_process.targets import in_pieces

__all__ = ["NeuralProcess"]


class NeuralProcess(ExactModel):
    r"""The exact density of every value of a function, given some of its points.

    .. math:: \log p(y_{n+1:T} | x_{1:T}, y_{1:n}) = \sum_{i>n} \log p(y_i | x_i, x_{1:n}, y_{1:n}),
        \qquad p(\cdot | x, \ldots) = \text{head}(\text{encoder}(x; x_{1:n}, y_{1:n}))

    A sequence is a task and a frame is a point: outputs y are its values, inputs x its context. The
    points before ``start`` are given, the others are targets; without a ``start`` nothing is given,
    and the density is that before anything was seen. Targets are independent of each other given
    the given points, so the order of either does not matter. All values that go in and all
    densities that come out are in the data's own units.

    With a :class:`seqmdn.heads.FlooredMixtureHead` of one component this is a conditional neural
    process (with a :class:`DeepSetEncoder`), the deterministic path of an attentive one (with an
    :class:`AttentionEncoder`) or TNP-D (with a :class:`TransformerEncoder`); with more components,
    each target has mixing weights of its own.

    Drawing (:func:`seqmdn.generation.generate`) takes a prime as given, and draws every other value
    by itself.

    Args:
        features: Number of outputs D of a point.
        context: Number of inputs X, at least 1.
        encoder: Makes the encoder from (X, D).
        head: Makes the head from (features, context).
        transform: Makes the reversible transform of the outputs from their number. A head whose
            deviations have a floor has it in units of this transform.
        inputs: Makes the transform of the inputs from their number.
        chunk: Targets that are looked at together where no gradient is asked for, so that any
            number of them fits into memory; None looks at all of them.

    Raises:
        ValueError: If there are no inputs, a batch does not fit, an output is NaN or missing, or
            the chunk is below 1.

    References:
        Conditional Neural Processes (Garnelo et al., 2018).
        Attentive Neural Processes (Kim et al., 2019).
        Transformer Neural Processes (Nguyen, Grover, 2022).

    Example:
        >>> model = NeuralProcess(features=1, context=2)
        >>> start = torch.tensor([0, 3, 7])
        >>> y, x = torch.randn(3, 9, 1), torch.randn(3, 9, 2)
        >>> tasks = Batch(y, torch.tensor([9, 9, 8]), context=x, start=start)
        >>> model.log_prob(tasks).shape, model.loss(tasks).shape
        (torch.Size([3]), torch.Size([]))
        >>> model.frame_log_prob(tasks).ne(0).sum(1)  # one of each target
        tensor([9, 6, 1])
    """

    def __init__(
        self,
        features: int,
        context: int,
        encoder: Callable[[int, int], TaskEncoder] = AttentionEncoder,
        head: Callable[[int, int], nn.Module] = FlooredMixtureHead,
        transform: Callable[[int], Transform] = Standardise,
        inputs: Callable[[int], Transform] = Standardise,
        chunk: int | None = None,
    ) -> None:
        super().__init__(features, context, transform)
        if context < 1:
            raise ValueError(
                "a neural process expected inputs, found data without context: prepare a store "
                "with the inputs of each point as its context"
            )
        if chunk is not None and chunk < 1:
            raise ValueError(f"chunk must be at least 1 target, or null for all, found {chunk}")
        self.inputs = inputs(context)
        self.encoder = encoder(context, features)
        self.head = self._make_head(head)
        self.chunk = chunk
        # Nothing is seen before a point; drawing asks where the model is.
        self.register_buffer("start", torch.zeros(features), persistent=False)

    def initialise(self, values: Tensor, context: Tensor | None = None) -> None:
        """Fit both transforms and place the head's components, before training.

        Args:
            values: Outputs of training points ``(N, D)`` in the data's units.
            context: Their inputs ``(N, X)``.

        Raises:
            ValueError: If there are no inputs, or outputs are NaN.
        """
        if context is None:
            raise ValueError("a neural process expected the inputs of training points, found none")
        super().initialise(values)
        self.inputs.fit(context)

    def frame_log_prob(self, batch: Batch) -> Tensor:
        return in_pieces(batch, super().frame_log_prob, self.chunk)

    def see(self, batch: Batch) -> Seen:
        seen = super().see(batch)
        present = batch.present().unsqueeze(-1)
        for name, part in {"outputs": batch.values, "inputs": batch.context}.items():
            if part is not None and bool((part.isnan() & present).any()):
                raise ValueError(
                    f"expected points whose {name} are all there, found "
                    f"{int((part.isnan() & present).sum())} NaN in a batch: leave out these points"
                )
        return seen

    def advance(
        self,
        previous: Tensor | None,
        context: Tensor | None = None,
        state: State | None = None,
        batch_size: int = 1,
        observed: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Return what the head sees of one more target, and the points so far.

        A point that was drawn is not given to the next; one of which :meth:`told` was told is.
        """
        if observed is not None:
            self._check_missing("observed in a step")
        x = self.inputs(self._beside([], context)).unsqueeze(1)
        B = len(x)
        y, given = x.new_zeros(B, 1, self.features), x.new_zeros(B, 1, dtype=torch.bool)
        if state:
            kept = state[-1].any(0)  # a point that none of the tasks was told of tells nothing
            x, y, given = (
                torch.cat((old[:, kept], new), dim=1)
                for old, new in zip(state, (x, y, given), strict=True)
            )
        h = self._look(x, y, given, torch.ones_like(given))
        return h[:, -1], (x, y, given)

    def told(self, frame: Tensor, state: State, rows: Tensor) -> State:
        x, y, given = state
        y, given = y.clone(), given.clone()
        y[:, -1] = frame.where(rows.unsqueeze(-1), 0)
        given[:, -1] = rows
        return x, y, given

    def begin(self, text: Tensor | None) -> State | None:
        if text is not None:
            raise ValueError(
                "a neural process reads no texts: use data without them (--data.text false)"
            )
        return None

    def ended(self, frame: Tensor, state: State) -> Tensor | None:
        return None

    def _make_head(self, head: Callable[[int, int], nn.Module]) -> nn.Module:
        return head(self.features, self.encoder.features)

    def _predict(self, batch: Batch) -> tuple[Any, Seen]:
        seen = self.see(batch)
        return self.head(self._look(*self._points(batch, seen))), seen

    def _points(self, batch: Batch, seen: Seen) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the points of a batch as the encoder sees them: x, y, given, present."""
        self.begin(batch.text)
        present = batch.present()
        x = batch.context
        if x is not None:
            # A transform may not accept the zeros that stand in the place of padding.
            x = x.where(present.unsqueeze(-1), x[:, :1])
        return self.inputs(self._beside([], x)), seen.z, present & ~batch.mask(), present

    def _look(self, x: Tensor, y: Tensor, given: Tensor, present: Tensor) -> Tensor:
        """Return what the head sees of every point ``(B, T, H)``."""
        h: Tensor = self.encoder(x, y, given, present)[0]
        return h
