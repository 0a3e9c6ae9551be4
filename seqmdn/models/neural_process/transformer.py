"""The encoder in which given points and points that are asked for are tokens of one transformer."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqmdn.models.neural_process.encoder import (
    TaskEncoder,
    check_heads,
    check_sizes,
    mean_of_given,
    perceptron,
)
from seqmdn.models.neural_process.fourier_bias import FourierBias

__all__ = ["TransformerEncoder"]


class TransformerEncoder(TaskEncoder):
    r"""A transformer over all points, that of diagonal transformer neural processes (TNP-D).

    A given point is the token (x, y, 1), any other (x, 0, 0). All look at the given points, and
    every one at itself, so that no softmax is over nothing; none looks at a point that is not
    given. Layers are normalised before their attention. The task's vector is the mean of what the
    given points have become. Costs O(T^2).

    With ``waves``, tokens are without x, and the attention of every head in every block has a
    learned function of :math:`x - x'` (:class:`FourierBias`). What is said of a task then moves
    along with its points: nothing has to be learned again for each place. Without the given points'
    own places, the vector of a task is the same wherever it lies.

    Args:
        inputs: Number of inputs X of a point.
        outputs: Number of outputs D of a point.
        hidden: Width of a token, and features H and G.
        blocks: Number of layers of attention.
        heads: Heads of each attention, a divisor of the width.
        feedforward: Width of the network behind each attention.
        layers: Hidden layers of the network that makes the tokens.
        waves: Frequencies of which functions of :math:`x - x'` consist; None puts x in the tokens.
        frequency: Of these, the highest one to begin with, in radians per unit of the inputs.

    Raises:
        ValueError: If a size is out of range, or points do not fit.

    References:
        Transformer Neural Processes: Uncertainty-Aware Meta Learning Via Sequence Modeling (Nguyen,
        Grover, 2022).
        Translation Equivariant Transformer Neural Processes (Ashman et al., 2024), for attention by
        differences.

    Example:
        >>> encoder = TransformerEncoder(inputs=1, outputs=2, hidden=16, blocks=2)
        >>> given = torch.arange(7) < torch.tensor([[0], [1], [5]])
        >>> h, task = encoder(torch.zeros(3, 7, 1), torch.zeros(3, 7, 2), given, given | True)
        >>> h.shape, task.shape
        (torch.Size([3, 7, 16]), torch.Size([3, 16]))
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        hidden: int = 64,
        blocks: int = 6,
        heads: int = 4,
        feedforward: int = 128,
        layers: int = 2,
        waves: int | None = None,
        frequency: float = 25.0,
    ) -> None:
        super().__init__(inputs, outputs)
        check_sizes(hidden=hidden, blocks=blocks, feedforward=feedforward, layers=layers)
        check_heads(hidden, heads)
        self.heads = heads
        places = inputs if waves is None else 0
        self.tokens = perceptron(places + outputs + 1, hidden, layers, hidden)
        self.bias = None
        if waves is not None:
            self.bias = FourierBias(inputs, blocks * heads, waves, frequency)
        # torch's own stack of them would begin with the same weights in each.
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                hidden, heads, feedforward, 0.0, F.silu, batch_first=True, norm_first=True
            )
            for _ in range(blocks)
        )
        self.norm = nn.LayerNorm(hidden)
        self.nothing = nn.Parameter(torch.randn(hidden) * 0.1)
        self.features = self.task_features = hidden

    def read_task(self, read: bool) -> None:
        self.nothing.requires_grad_(read)

    def _encode(self, x: Tensor, y: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        T = x.shape[1]
        itself = torch.eye(T, dtype=torch.bool, device=x.device)
        hidden = ~(given.unsqueeze(1) | itself).unsqueeze(1)  # (B, 1, T, T)
        parts = [y, given.unsqueeze(-1).to(x)]
        if self.bias is None:
            parts, bias = [x, *parts], x.new_zeros(1).expand(len(x), self.heads, T, T)
        else:
            bias = self.bias(x)
        # Of every block (B, A, T, T), which without functions of places are all the same.
        masks = bias.masked_fill(hidden, -math.inf).split(self.heads, dim=1)
        h = self.tokens(torch.cat(parts, dim=-1))
        for i, block in enumerate(self.blocks):
            h = block(h, src_mask=masks[i % len(masks)].flatten(0, 1))
        h = self.norm(h)
        return h, mean_of_given(h, given, self.nothing)
