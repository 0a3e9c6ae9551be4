"""A network of single points, by weights of its own or by those of each task."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn import functional as F

from seqmdn.heads import MixtureHead
from seqmdn.models.neural_process.encoder import check_sizes

__all__ = ["PointHead", "PointNetwork"]


class PointHead(nn.Module):
    """A mixture head without its affine layer, which is the last one of a network of points.

    Its ``forward`` takes the numbers that the affine layer gives, ``(*batch, P)``.

    Args:
        head: The head, whose affine layer is its ``projection``.

    Raises:
        ValueError: If it is no :class:`seqmdn.heads.MixtureHead`, or one with more than that.

    Example:
        >>> head = PointHead(MixtureHead(features=2, context=16, components=1))
        >>> head(torch.zeros(5, 5)).event_shape  # a logit, two means and two precisions
        torch.Size([2])
    """

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        if not isinstance(head, MixtureHead) or type(head).forward is not MixtureHead.forward:
            raise ValueError(
                "expected a head that is affine in what it sees, found a "
                f"{type(head).__name__}: use seqmdn.heads.MixtureHead or FlooredMixtureHead"
            )
        self.head = head

    def forward(self, raw: Tensor) -> Distribution:
        return self.head.density(raw)

    def initialise(self, values: Tensor) -> None:
        """Place the components on training frames ``(N, D)``."""
        self.head.initialise(values)


class PointNetwork(nn.Module):
    """A perceptron whose weights are an argument: its own, or as many sets of them as tasks.

    Args:
        inputs: Number of inputs of a point.
        hidden: Width of every hidden layer.
        layers: Their number, at least 1.

    Raises:
        ValueError: If a size is below 1.

    Example:
        >>> network, last = PointNetwork(inputs=1, hidden=16, layers=2), nn.Linear(16, 3)
        >>> weights = network.weights(last)
        >>> [tuple(weight.shape) for weight in weights]
        [(16, 1), (16,), (16, 16), (16,), (3, 16), (3,)]
        >>> x = torch.randn(5, 7, 1)
        >>> shared = network(x, weights)
        >>> own = network(x, [weight.expand(5, *weight.shape) for weight in weights])
        >>> shared.shape, torch.allclose(own, shared, atol=1e-6)
        (torch.Size([5, 7, 3]), True)
    """

    def __init__(self, inputs: int, hidden: int, layers: int) -> None:
        super().__init__()
        check_sizes(hidden=hidden, layers=layers)
        widths = [inputs, *[hidden] * layers]
        self.layers = nn.ModuleList(map(nn.Linear, widths[:-1], widths[1:]))
        self.features = hidden

    def weights(self, last: nn.Linear) -> list[Tensor]:
        """Return its own weights and biases, layer by layer, and those of one more behind it."""
        layers = [*cast(list[nn.Linear], [*self.layers]), last]
        return [part for layer in layers for part in (layer.weight, layer.bias)]

    def forward(self, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """Return what the last layer gives of points ``(B, T, X)``.

        Args:
            x: Inputs.
            weights: As :meth:`weights` gives them, or with one more dimension in front, of B tasks.
        """
        last = len(weights) - 2
        for i in range(0, len(weights), 2):
            x = _affine(x, weights[i], weights[i + 1])
            x = x if i == last else F.relu(x)
        return x


def _affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if weight.ndim == 2:
        return F.linear(x, weight, bias)
    return torch.baddbmm(bias.unsqueeze(1), x, weight.mT)
