"""The encoder that takes the mean over the given points."""

import torch
from torch import Tensor, nn

from seqmdn.models.neural_process.encoder import (
    TaskEncoder,
    check_sizes,
    mean_of_given,
    perceptron,
)

__all__ = ["DeepSetEncoder"]


class DeepSetEncoder(TaskEncoder):
    r"""One vector for all given points, their mean: the encoder of conditional neural processes.

    .. math:: r = \frac1n \sum_i \varphi(x_i, y_i), \qquad h(x) = \psi(x, r)

    With no point given, r is a learned vector. Costs O(T).

    Args:
        inputs: Number of inputs X of a point.
        outputs: Number of outputs D of a point.
        hidden: Width of both networks, and features H and G.
        layers: Hidden layers of each network.

    Raises:
        ValueError: If a size is below 1, or points do not fit.

    References:
        Deep Sets (Zaheer, Kottur, Ravanbakhsh, Poczos, Salakhutdinov, Smola, 2017).
        Conditional Neural Processes (Garnelo, Rosenbaum, Maddison, Ramalho, Saxton, Shanahan, Teh,
        Rezende, Eslami, 2018).

    Example:
        >>> encoder = DeepSetEncoder(inputs=1, outputs=2, hidden=16)
        >>> given = torch.arange(7) < torch.tensor([[0], [1], [5]])
        >>> h, task = encoder(torch.zeros(3, 7, 1), torch.zeros(3, 7, 2), given, given | True)
        >>> h.shape, task.shape
        (torch.Size([3, 7, 16]), torch.Size([3, 16]))
    """

    def __init__(self, inputs: int, outputs: int, hidden: int = 128, layers: int = 2) -> None:
        super().__init__(inputs, outputs)
        check_sizes(hidden=hidden, layers=layers)
        self.of_points = perceptron(inputs + outputs, hidden, layers, hidden)
        self.nothing = nn.Parameter(torch.randn(hidden) * 0.1)
        self.decoder = perceptron(inputs + hidden, hidden, layers, hidden)
        self.features = self.task_features = hidden

    def _encode(self, x: Tensor, y: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        r = self.of_points(torch.cat((x, y), dim=-1))
        task = mean_of_given(r, given, self.nothing)
        seen = task.unsqueeze(1).expand(-1, x.shape[1], -1)
        return self.decoder(torch.cat((x, seen.to(x)), dim=-1)), task
