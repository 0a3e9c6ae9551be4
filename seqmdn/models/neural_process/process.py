"""Densities of a function's values by an encoder of its given points."""

from collections.abc import Callable

from torch import Tensor, nn

from seqmdn.data import Batch, Standardise, Transform
from seqmdn.heads import FlooredMixtureHead
from seqmdn.models.neural_process.attention import AttentionEncoder
from seqmdn.models.neural_process.encoder import TaskEncoder
from seqmdn.models.neural_process.function import FunctionModel

__all__ = ["NeuralProcess"]


class NeuralProcess(FunctionModel):
    r"""The density of a function's values by a network that reads the given points as a set.

    .. math:: p(y_i | x_i, x_{1:n}, y_{1:n}) = \text{head}(\text{encoder}(x_i; x_{1:n}, y_{1:n}))

    What is given and what is a target, and in which units, :class:`FunctionModel` says.

    With a :class:`seqmdn.heads.FlooredMixtureHead` of one component this is a conditional neural
    process (with a :class:`DeepSetEncoder`), the deterministic path of an attentive one (with an
    :class:`AttentionEncoder`) or TNP-D (with a :class:`TransformerEncoder`); with more components,
    each target has mixing weights of its own.

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
        >>> import torch
        >>> from seqmdn.data import Batch
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
        super().__init__(features, context, transform, inputs, chunk)
        self.encoder = encoder(context, features)
        self.encoder.read_task(False)
        self.head = self._make_head(head)

    def task_vectors(self, batch: Batch) -> Tensor:
        """Return what the given points say of each task as a whole, ``(B, G)``.

        Args:
            batch: B tasks of at most T points.
        """
        vectors: Tensor = self.encoder(*self._points(batch, self.see(batch)))[1]
        return vectors

    def _make_head(self, head: Callable[[int, int], nn.Module]) -> nn.Module:
        return head(self.features, self.encoder.features)

    def _look(self, x: Tensor, y: Tensor, given: Tensor, present: Tensor) -> Tensor:
        """Return what the head sees of every point ``(B, T, H)``."""
        h: Tensor = self.encoder(x, y, given, present)[0]
        return h
