"""The encoder that draws the given points onto a grid and convolves it."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqmdn.models.neural_process.encoder import (
    TaskEncoder,
    check_sizes,
    mean_of_given,
    perceptron,
)
from seqmdn.models.neural_process.pyramid import Pyramid

__all__ = ["ConvolutionalEncoder"]

FAINT = 1e-4


class ConvolutionalEncoder(TaskEncoder):
    r"""A grid on which the given points are drawn: that of convolutional neural processes.

    .. math:: \rho_g = \sum_i w(g - x_i), \qquad
        s_g = \frac{\sum_i w(g - x_i) \, y_i}{\rho_g + \varepsilon}, \qquad
        f = \mathrm{network}(\rho, s), \qquad
        h(x) = \psi\Big(\frac{\sum_g v(x - g) f_g}{\sum_g v(x - g)}\Big)

    w and v are :math:`\exp(-\|\cdot\|^2 / 2 l^2)`, each with a learned length l, and the network is
    a :class:`seqmdn.models.neural_process.pyramid.Pyramid` of convolutions. Nothing but the grid
    knows where an x is: when all x move by a whole cell of the coarsest level, so does h, as far as
    the grid's edges are not seen, and with no point given h is the same everywhere but there.
    :math:`\varepsilon` is 0.0001: s fades to 0 where no given point is near.

    **The grid is fixed**, in units of the inputs as the model's transform leaves them, so that a
    point's h depends on no other task, target or batch. It goes from ``-reach - margin`` to ``reach
    + margin`` in every input, and further until its points divide by 2 on all levels. A given point
    beyond it is seen as far as w reaches, and the h of an x beyond it is that of its edge: choose
    a ``reach`` that holds the inputs. A function has details no finer than its points' spacing.

    The task's vector is the mean of the h of its given points. Costs O(T G^X) with G points of the
    grid in each of X inputs, and its convolutions.

    Published convolutional neural processes place the grid around the points of each batch, and
    read it without the sum below; otherwise this is theirs.

    Args:
        inputs: Number of inputs X of a point, 1 or 2.
        outputs: Number of outputs D of a point.
        hidden: Width of the network that reads the grid, and features H and G.
        layers: Hidden layers of it.
        channels: Of the convolutions, for each level; every level has half the points of the one
            before. One number is a residual network without levels.
        kernel: Points that a convolution sees in each input, odd.
        depth: Convolutions on the way down and on the way up, of each level.
        reach: Where the inputs end.
        margin: How far the grid goes beyond.
        resolution: Points of the grid for each unit.

    Raises:
        ValueError: If inputs are more than 2, a size is out of range, or points do not fit.

    References:
        Convolutional Conditional Neural Processes (Gordon, Bruinsma, Foong, Requeima, Dubois,
        Turner, 2020).

    Example:
        >>> encoder = ConvolutionalEncoder(inputs=1, outputs=2, hidden=16, channels=(8, 16))
        >>> given = torch.arange(7) < torch.tensor([[0], [1], [5]])
        >>> h, task = encoder(torch.zeros(3, 7, 1), torch.zeros(3, 7, 2), given, given | True)
        >>> h.shape, task.shape
        (torch.Size([3, 7, 16]), torch.Size([3, 16]))
        >>> len(encoder.grid), encoder.grid[:3]
        (68, tensor([-2.0938, -2.0312, -1.9688]))
    """

    grid: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        hidden: int = 64,
        layers: int = 2,
        channels: Sequence[int] = (32, 48, 64, 64),
        kernel: int = 5,
        depth: int = 1,
        reach: float = 2.0,
        margin: float = 0.1,
        resolution: float = 16.0,
    ) -> None:
        super().__init__(inputs, outputs)
        if inputs > 2:
            raise ValueError(
                f"a grid expected 1 or 2 inputs, found {inputs}: use an AttentionEncoder"
            )
        check_sizes(hidden=hidden, layers=layers)
        if not (0 < reach < math.inf and 0 < resolution < math.inf and 0 <= margin < math.inf):
            raise ValueError(
                "expected a reach and a resolution above 0 and a margin of at least 0, found "
                f"{reach}, {resolution} and {margin}"
            )
        self.resolution = resolution
        self.network = Pyramid(inputs, 1 + outputs, channels, kernel, depth)
        cells = math.ceil(2 * (reach + margin) * resolution / self.network.divisor)
        count = cells * self.network.divisor
        grid = (torch.arange(count) - (count - 1) / 2) / resolution
        self.register_buffer("grid", grid, persistent=False)
        # Of drawing and of reading, in units of the grid's spacing.
        self.log_lengths = nn.Parameter(torch.zeros(2))
        self.nothing = nn.Parameter(torch.randn(hidden) * 0.1)
        self.decoder = perceptron(channels[0], hidden, layers, hidden)
        self.features = self.task_features = hidden

    def read_task(self, read: bool) -> None:
        self.nothing.requires_grad_(read)

    def _encode(self, x: Tensor, y: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        log_drawn, log_read = self._log_weights(x)
        *others, last = [log.exp() for log in log_drawn]  # (B, T, G) each
        values = torch.cat((torch.ones_like(y[..., :1]), y), dim=-1)
        # Zeros stand in the place of what is not given, its weights are not 0.
        values = values.where(given.unsqueeze(-1), 0)
        sums = _product([values, *others]).mT @ last  # no weights of all points and all the grid
        sums = sums.unflatten(1, (values.shape[-1], -1)).flatten(2)  # (B, 1 + D, G^X)
        density, total = sums[:, :1], sums[:, 1:]
        seen = torch.cat((density, total / (density + FAINT)), dim=1)
        found = self.network(seen.unflatten(-1, [len(self.grid)] * self.inputs)).flatten(2)
        read = _product([log.softmax(-1) for log in log_read])
        h = self.decoder(F.silu(read.to(found) @ found.mT))
        return h, mean_of_given(h, given, self.nothing)

    def _log_weights(self, x: Tensor) -> list[list[Tensor]]:
        """Return the logarithms of both weights, in each input ``(B, T, G)``."""
        steps = (x.unsqueeze(-1) - self.grid) * self.resolution  # (B, T, X, G)
        half = -0.5 * steps.square()
        return [[each * rate for each in half.unbind(2)] for rate in (-2 * self.log_lengths).exp()]


def _product(factors: list[Tensor]) -> Tensor:
    """Return all products of a number of each factor ``(B, T, N)``, the last one's fastest."""
    first, *others = factors
    for other in others:
        first = (first.unsqueeze(-1) * other.unsqueeze(-2)).flatten(-2)
    return first
