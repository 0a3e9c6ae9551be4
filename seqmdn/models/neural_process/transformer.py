"""The encoder in which given points and points that are asked for are tokens of one transformer."""

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

__all__ = ["TransformerEncoder"]


class TransformerEncoder(TaskEncoder):
    """A transformer over all points, that of diagonal transformer neural processes (TNP-D).

    A given point is the token (x, y, 1), any other (x, 0, 0). All look at the given points, and
    every one at itself, so that no softmax is over nothing; none looks at a point that is not
    given. Layers are normalised before their attention. The task's vector is the mean of what the
    given points have become. Costs O(T^2).

    Args:
        inputs: Number of inputs X of a point.
        outputs: Number of outputs D of a point.
        hidden: Width of a token, and features H and G.
        blocks: Number of layers of attention.
        heads: Heads of each attention, a divisor of the width.
        feedforward: Width of the network behind each attention.
        layers: Hidden layers of the network that makes the tokens.

    Raises:
        ValueError: If a size is out of range, or points do not fit.

    References:
        Transformer Neural Processes: Uncertainty-Aware Meta Learning Via Sequence Modeling (Nguyen,
        Grover, 2022).

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
    ) -> None:
        super().__init__(inputs, outputs)
        check_sizes(hidden=hidden, blocks=blocks, feedforward=feedforward, layers=layers)
        check_heads(hidden, heads)
        self.heads = heads
        self.tokens = perceptron(inputs + outputs + 1, hidden, layers, hidden)
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

    def _encode(self, x: Tensor, y: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        itself = torch.eye(x.shape[1], dtype=torch.bool, device=x.device)
        hidden = ~(given.unsqueeze(1) | itself)  # (B, T, T)
        hidden = hidden.repeat_interleave(self.heads, dim=0)  # (B A, T, T)
        h = self.tokens(torch.cat((x, y, given.unsqueeze(-1).to(x)), dim=-1))
        for block in self.blocks:
            h = block(h, src_mask=hidden)
        h = self.norm(h)
        return h, mean_of_given(h, given, self.nothing)
